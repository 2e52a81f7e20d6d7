"""The table says of a model what changes how its numbers are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit import evaluate
from evalkit.cluster.shard import Shard, ShardModel
from evalkit.models.hf import HFModel
from evalkit.models.openai import OpenAIModel
from evalkit.models.remarks import NO_THOUGHT
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Message

TURN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
THINKS = TURN + "{# <think> </think> #}"
DATED = "{{ strftime_now('%d %b %Y') }}" + TURN
NAMED = "{{ date_string if date_string is defined else '26 Jul 2024' }}" + TURN
UNUSED = "{% if tools %}{{ strftime_now('%d %b %Y') }}{% endif %}" + TURN
CHAT = (Message("user", "Who wrote it, and when was that?"),)
SCORED = LoglikelihoodRequest("t", "d", ((CHAT, " Ada"), (CHAT, " Bea")))
WRITTEN = GenerateRequest("t", "d", CHAT, GenerationParams(4))
DAY = "the chat template was told that today is {} (model.date)"
Tiny = Callable[..., Path]


def said(folder: Path, *requests: Any, **settings: Any) -> tuple[str, ...]:
    model = HFModel("m", path=str(folder), **settings)
    hosted = OpenAIModel("m", "http://127.0.0.1:1/v1", api="completions", tokenizer=str(folder), **settings)
    notes = model.remarks(requests)
    # The same through every way to run it.
    assert notes == hosted.remarks(requests) == ShardModel(model, Shard(1, 2)).remarks(requests)
    return notes


def test_log_likelihoods_of_a_thinking_model_say_that_no_thought_was_had(tiny: Tiny) -> None:
    assert said(tiny(template=THINKS), SCORED) == (NO_THOUGHT,)
    assert said(tiny(template=THINKS), WRITTEN) == ()
    assert said(tiny(template=TURN), SCORED) == ()
    assert said(tiny(template=TURN), SCORED, thinking=["<r>", "</r>"]) == (NO_THOUGHT,)
    assert said(tiny(template=THINKS), SCORED, thinking="off") == ()
    plain = LoglikelihoodRequest("t", "d", (("Who?", " Ada"),))
    assert said(tiny(template=THINKS), plain) == (NO_THOUGHT,)


def test_the_day_is_told_where_a_prompt_holds_it(tiny: Tiny) -> None:
    for template in (DATED, NAMED):
        assert said(tiny(template=template), WRITTEN) == (DAY.format("2024-07-26"),)
        assert said(tiny(template=template), SCORED, date="2025-03-01") == (DAY.format("2025-03-01"),)
        assert said(tiny(template=template), GenerateRequest("t", "d", "Who?", GenerationParams(4))) == ()
    assert said(tiny(template=UNUSED), WRITTEN) == said(tiny(template=TURN), WRITTEN) == ()


def test_sampling_of_the_models_own_is_told_of_generated_tasks(tiny: Tiny) -> None:
    sampling = {"top_k": 20, "temperature": 0.6}
    assert said(tiny(template=TURN), WRITTEN, sampling=sampling) == (
        "decoded with model.sampling, which goes before the task's own settings: temperature 0.6, top_k 20",
    )
    assert said(tiny(template=TURN), SCORED, sampling=sampling) == ()
    (idle,) = said(tiny(template=TURN), WRITTEN, sampling={"top_k": 20, "min_p": 0.1, "repetition_penalty": 1.2})
    assert idle.endswith(": repetition_penalty 1.2 (nothing was drawn, so top_k 20 and min_p 0.1 had no effect)")


@pytest.mark.parametrize("chat", [True, False])
def test_the_table_has_them(tiny: Tiny, tmp_path: Path, chat: bool) -> None:
    model = HFModel("m", path=str(tiny(template=THINKS + DATED, max_length=2048)))
    result = evaluate(model, ["arc_easy"], data="samples", limit=2, chat=chat, run_dir=tmp_path / "run", progress=False)
    notes = result.tasks["arc_easy"].notes
    assert NO_THOUGHT in notes and (DAY.format("2024-07-26") in notes) is chat
    plan = (tmp_path / "run" / "plan.jsonl").read_text()
    assert NO_THOUGHT in plan  # so that scoring again says the same
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["model"]["thinking_marks"] == ["<think>", "</think>"]
