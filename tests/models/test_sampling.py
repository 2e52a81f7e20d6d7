"""Decoding as a model's card asks: drawn as transformers draws, sent as it was asked for, and part of the answer's key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from evalkit.errors import ConfigError, ModelError
from evalkit.models.base import WorkItem, params_key
from evalkit.models.hf import HFModel
from evalkit.models.hf.sequence import GeneratedSequence, own_choice
from evalkit.models.openai import OpenAIModel
from evalkit.models.sampling import Sampling
from evalkit.types import GenerateRequest, GenerationParams, Message, Response
from tests.chat_server import Habits, serving

Tiny = Callable[..., Path]
CARD = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.05, "repetition_penalty": 1.05, "presence_penalty": 1.5}
REQUEST = GenerateRequest("t", "d", (Message("user", "Who?"),), GenerationParams(30, ("\n",)))


def row(params: GenerationParams, ids: list[int] | None = None, key: str = "k") -> GeneratedSequence:
    made = GeneratedSequence.of(WorkItem(key, "t", "d", 0, "generate", prompt_ids=(1, 2, 3), params=params))
    made.ids = ids or []
    return made


@given(
    st.floats(0.3, 2),
    st.integers(0, 12),
    st.floats(0.2, 1),
    st.floats(0, 0.6),
    st.floats(0.8, 1.4),
    st.integers(0, 10**6),
)
def test_draws_come_from_what_transformers_leaves(temperature: float, k: int, p: float, least: float, penalty: float, seed: int) -> None:
    logits = torch.randn(40, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2
    params = GenerationParams(8, (), temperature, p, 0, k, least, penalty)
    left = LogitsProcessorList(
        [
            *([RepetitionPenaltyLogitsProcessor(penalty)] if penalty != 1 else []),
            TemperatureLogitsWarper(temperature),
            *([TopKLogitsWarper(k)] if k else []),
            *([TopPLogitsWarper(p)] if p < 1 else []),
            *([MinPLogitsWarper(least)] if least else []),
        ]
    )(torch.tensor([[1, 2, 3, 7]]), logits[None].clone())[0]
    allowed = set((left > -torch.inf).nonzero()[:, 0].tolist())
    drawn = {own_choice(logits, row(params, [7], str(i))) for i in range(40)}
    assert drawn <= allowed
    assert len(allowed) > 1 or drawn == allowed


def test_each_setting_draws_with_its_own_probabilities() -> None:
    logits = torch.log(torch.tensor([0.5, 0.25, 0.15, 0.1], dtype=torch.float64))
    for extra, expected in (
        ({"top_k": 2}, [2 / 3, 1 / 3, 0, 0]),
        ({"top_k": 9}, [0.5, 0.25, 0.15, 0.1]),
        ({"min_p": 0.3}, [5 / 9, 2.5 / 9, 1.5 / 9, 0]),
        ({"top_k": 3, "top_p": 0.8}, [2 / 3, 1 / 3, 0, 0]),
    ):
        one = row(GenerationParams(8, temperature=1.0, **extra))
        drawn = torch.tensor([own_choice(logits, one) for _ in range(2000)]).bincount(minlength=4) / 2000
        assert torch.allclose(drawn.double(), torch.tensor(expected, dtype=torch.float64), atol=0.04)


def test_penalties_count_what_stands_there() -> None:
    logits = torch.zeros(6, dtype=torch.float64)
    logits[[2, 4, 5]] = torch.tensor([3.0, 2.9, 2.8], dtype=torch.float64)
    assert own_choice(logits, row(GenerationParams(8))) == 2
    assert own_choice(logits, row(GenerationParams(8, repetition_penalty=1.2))) == 4  # 2 is in the prompt
    assert own_choice(logits, row(GenerationParams(8, presence_penalty=1.0))) == 2  # which this penalty does not count
    assert own_choice(logits, row(GenerationParams(8, presence_penalty=1.0), [2, 4])) == 5
    assert own_choice(-logits.flip(0) - 1, row(GenerationParams(8, repetition_penalty=5.0))) == 4  # negative ones are multiplied
    assert own_choice(logits, row(GenerationParams(8, presence_penalty=-1.0), [5])) == 5


@pytest.mark.parametrize("plain", [False, True])
def test_both_local_paths_penalise_alike(tiny: Tiny, plain: bool) -> None:
    from transformers import AutoModelForCausalLM

    folder = tiny()
    model = HFModel("m", path=str(folder), sampling={"repetition_penalty": 1.3})
    if plain:
        model._runtime.scorer.path = "plain"
    (item,) = model.encode([replace(REQUEST, prompt="A boy went up", params=GenerationParams(24))])
    ((response,),) = model.answer([item], set())
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([item.prompt_ids])
    ask = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 24, "do_sample": False, "pad_token_id": 0}
    told = theirs.generate(ids, repetition_penalty=1.3, eos_token_id=None, **ask)
    expected = model.tokenizer.decode(told[0, ids.shape[1] :], skip_special_tokens=True)
    assert response.text is not None and response.text and expected.startswith(response.text)
    free = HFModel("m", path=str(folder))
    ((other,),) = free.answer(free.encode([replace(REQUEST, prompt="A boy went up", params=GenerationParams(24))]), set())
    assert other.text != response.text and other.key != response.key


def hosted(url: str = "http://127.0.0.1:1/v1", **settings: Any) -> OpenAIModel:
    return OpenAIModel("m", url, **settings)


def sent(params: GenerationParams = REQUEST.params, **settings: Any) -> dict[str, Any]:
    habits = Habits(lambda _: "Ada")
    with serving(habits) as url:
        model = hosted(url, **settings)
        (batch,) = model.answer(model.encode([replace(REQUEST, params=params)]), set())
    assert isinstance(batch[0], Response) and batch[0].text == "Ada"
    return {name: value for name, value in habits.seen[-1].items() if name not in ("model", "messages", "max_tokens", "stop", "seed")}


def test_a_server_gets_what_was_asked_for_and_nothing_else() -> None:
    assert sent() == {"temperature": 0.0}
    assert sent(sampling=CARD) == CARD
    assert sent(GenerationParams(30, temperature=0.5, top_k=5)) == {"temperature": 0.5, "top_p": 1.0, "top_k": 5}
    assert sent(GenerationParams(30, repetition_penalty=1.1, top_k=5)) == {"temperature": 0.0, "repetition_penalty": 1.1}
    # A value that changes nothing here takes back a default of the server.
    assert sent(sampling={"repetition_penalty": 1.0}) == {"temperature": 0.0, "repetition_penalty": 1.0}


def test_what_an_endpoint_does_not_take_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.sampling\.top_k is asked for, and model\.dialect\.omit"):
        hosted(sampling={"top_k": 20}, dialect={"omit": ["top_k"]})
    model = hosted(dialect={"omit": ["min_p"]})
    with pytest.raises(ModelError, match=r"task t asks for min_p=0\.1, .* set tasks\.t\.prompt\.params\.min_p=0\.0"):
        model.encode([replace(REQUEST, params=GenerationParams(9, temperature=1.0, min_p=0.1))])
    assert hosted(dialect={"omit": ["seed", "min_p"]}).fingerprint == hosted(dialect={"omit": ["seed"]}).fingerprint
    assert hosted(dialect={"omit": ["seed", "min_p"]}).identity() == hosted(dialect={"omit": ["seed"]}).identity()


def test_keys_hold_what_changes_a_text_and_old_ones_stay() -> None:
    greedy, drawn = GenerationParams(8, ("x",)), GenerationParams(8, ("x",), 0.5, 0.9, 3)
    assert params_key(greedy, 0) == '[8, ["x"], [], 0]' and params_key(drawn, 2) == '[8, ["x"], [0.5, 0.9, 3], 2]'
    assert params_key(replace(greedy, top_k=5, min_p=0.1), 0) == params_key(greedy, 0)
    changed: list[dict[str, Any]] = [{"top_k": 5}, {"min_p": 0.1}, {"repetition_penalty": 1.1}, {"presence_penalty": 1.0}]
    assert len({params_key(replace(drawn, **change), 0) for change in [{}, *changed]}) == 5
    assert len({params_key(replace(greedy, **change), 0) for change in [{}, *changed]}) == 3
    assert hosted().identity() == hosted(sampling={}).identity() and "sampling" not in hosted().identity()
    assert hosted(sampling=CARD).identity() == hosted(sampling=dict(reversed(CARD.items()))).identity() != hosted().identity()
    keys = {hosted(sampling=s).encode([REQUEST])[0].key for s in ({}, CARD, {"top_k": 0}, {"temperature": 0.0})}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"topk": 3}, "unknown 'topk'; did you mean top_k"),
        ({"seed": 3}, "unknown 'seed'"),
        ({"temperature": -1}, "temperature=-1 must be 0"),
        ({"top_k": 2.5}, "top_k=2.5 must be a whole number"),
        ({"top_k": -1}, "top_k=-1 must be 0 .all tokens. or more"),
        ({"min_p": 1.5}, "min_p=1.5 must be from 0 to 1"),
        ({"top_p": 0}, "top_p=0 must be above 0"),
        ({"repetition_penalty": 0}, "repetition_penalty=0 must be above 0"),
        ({"presence_penalty": True}, "presence_penalty=True must be a number"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ("greedy", "is no mapping"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Sampling(given)


def test_the_command_line_takes_them_all() -> None:
    from evalkit.config.compose import compose
    from evalkit.config.setup import build

    for model in ("hf", "openai"):
        words = ["task=gsm8k", f"model={model}", "model.name=m", "data=samples"]
        whole = ["model.sampling={top_k: 20, temperature: 0.6}", "model.template_args={enable_thinking: false}"]
        one_by_one = ["model.sampling.top_k=20", "model.sampling.temperature=0.6", "model.template_args={enable_thinking: false}"]
        made = [build(compose([*words, *more])).model().identity() for more in (whole, one_by_one, [])]
        assert made[0] == made[1]
        assert made[0]["sampling"] == {"temperature": 0.6, "top_k": 20} and made[0]["template_args"] == {"enable_thinking": False}
        assert "sampling" not in made[2] and "template_args" not in made[2]
