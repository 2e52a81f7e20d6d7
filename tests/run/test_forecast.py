"""What `evalkit plan` foretells is what a run then does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.models.base import WorkItem
from evalkit.models.hf import HFModel
from evalkit.models.vllm import VLLMModel
from evalkit.paths import tasks_dir
from evalkit.run.forecast import Memory, last_speed, memory_of, tokens_of, work_of

Tiny = Callable[..., Path]
HEAD = tuple(range(100))


def scored(name: str, *pairs: tuple[tuple[int, ...], tuple[int, ...]]) -> WorkItem:
    return WorkItem(name, "t", name, 0, "loglikelihood", pairs=pairs)


def test_what_is_shared_is_counted_once() -> None:
    items = [scored(str(n), ((*HEAD, n, 7), (1,)), ((*HEAD, n, 7), (2, 3))) for n in range(200, 210)]
    work = work_of("t", 10, items)
    assert (work.documents, work.requests, work.write) == (10, 20, 0)
    assert work.by_pairs == 10 * (103 + 104)
    # The header once, and of every item its own two tokens and the one token of a continuation that is an input.
    assert work.read == 100 + 10 * 3
    assert work.longest == 104 and work.cost == 10 * (102 + 3)


def test_equal_work_is_done_once() -> None:
    item = scored("a", (HEAD, (1, 2)))
    assert work_of("t", 2, [item, item]) == work_of("t", 2, [item])


def test_a_model_without_tokens_here_says_so() -> None:
    from evalkit.types import GenerateRequest, GenerationParams

    request = GenerateRequest("t", "d", "some words", GenerationParams(9))
    item = WorkItem("k", "t", "d", 0, "generate", params=request.params, request=request)
    work = work_of("t", 1, [item])
    assert work.read is None and work.write == 9


def test_memory_is_that_of_the_loaded_model(tiny: Tiny) -> None:
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(tiny())
    memory = memory_of(HFModel("tiny", path=str(tiny()), dtype="float32"))
    assert memory is not None
    assert memory == Memory(loaded.num_parameters(), 4 * loaded.num_parameters(), "float32", 2 * 2 * 2 * 8 * 4)
    half = memory_of(HFModel("tiny", path=str(tiny()), dtype="bfloat16"))
    assert half is not None and half.bytes == memory.bytes // 2 and half.kv == memory.kv // 2
    quarter = memory_of(HFModel("tiny", path=str(tiny()), dtype="float32", quantization="bnb8"))
    assert quarter is not None and memory.bytes // 4 < quarter.bytes < memory.bytes
    assert memory_of(object()) is None
    assert memory_of(VLLMModel("tiny", path=str(tiny()), tensor_parallel=2, pipeline_parallel=2)).devices == 4  # type: ignore[union-attr]


def test_a_plan_then_the_run_then_a_plan_with_its_speed(evalkit: Callable[..., Any], tiny: Tiny, tmp_path: Path) -> None:
    words = ["task=[hellaswag,gsm8k]", "data=samples", "model=hf", f"model.path={tiny(max_length=2048)}", f"results_dir={tmp_path}"]
    words += ["model.dtype=float32", "model.device=cpu", "tasks.gsm8k.prompt.params.max_new_tokens=8"]
    before = evalkit("plan", *words)
    assert before.code == 0 and "rate=TOKENS_PER_SECOND" in before.out and "gsm8k" in before.out
    assert not list(tmp_path.glob("*/manifest.json"))
    assert "about" in evalkit("plan", *words, "rate=100").out
    assert evalkit("run", *words).code == 0
    (manifest,) = tmp_path.glob("*/manifest.json")
    told = json.loads(manifest.read_text())
    told["durations_s"]["answer"] = 10.0
    manifest.write_text(json.dumps(told))
    after = evalkit("plan", *words).out
    assert f"tokens/s, as in {manifest.parent}" in after
    # A model with other settings is another model, and says nothing of this one.
    assert "rate=TOKENS_PER_SECOND" in evalkit("plan", *words, "model.max_length=512").out


def test_a_damaged_or_continued_run_says_nothing_of_speed(tmp_path: Path) -> None:
    class Known:
        def identity(self) -> dict[str, Any]:
            return {"back_end": "x"}

    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "manifest.json").write_text("{")
    assert last_speed(tmp_path, Known()) is None  # type: ignore[arg-type]
    assert last_speed(tmp_path / "nowhere", Known()) is None  # type: ignore[arg-type]


def test_tasks_without_rows_are_refused_or_named_as_by_a_run(evalkit: Callable[..., Any], tmp_path: Path) -> None:
    rows = tmp_path / "hellaswag"
    rows.mkdir()
    shutil.copy(tasks_dir() / "samples/hellaswag/validation.jsonl", rows)
    words = ["task=[hellaswag,winogrande]", "data=local", f"data.root={tmp_path}", "model=fake"]
    assert "winogrande" in evalkit("plan", *words).error
    said = evalkit("plan", *words, "missing=skip")
    assert said.code == 0 and "left out, as their rows are out of reach: winogrande" in said.out


@pytest.mark.parametrize("rate", ["0", "-3", "fast", "inf", "nan"])
def test_a_rate_that_is_none_is_refused(evalkit: Callable[..., Any], rate: str) -> None:
    said = evalkit("plan", "task=hellaswag", "data=samples", "model=fake", f"rate={rate}")
    assert said.code == 2 and f"rate='{rate}' is no number of tokens" in said.error


def test_the_unit_of_speed_is_the_one_of_work() -> None:
    from evalkit.types import Response

    item = scored("a", (HEAD, (1, 2)), (HEAD, (3,)))
    answer = Response("a", "ok", (0.0, 0.0), (True, True), context_tokens=100, output_tokens=3)
    assert tokens_of([answer]) == item.cost
