"""The vocabulary in blocks against the vocabulary as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
)

from evalkit.models.hf import lm_head
from evalkit.models.hf.lm_head import Projection

WORDS = 101  # of the vocabulary; no multiple of the block
SMALL = {"vocab_size": WORDS, "hidden_size": 16, "num_hidden_layers": 1, "intermediate_size": 8}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1}


def llama() -> Any:
    return LlamaForCausalLM(LlamaConfig(**SMALL, **HEADS, tie_word_embeddings=True))


def gemma2() -> Any:
    return Gemma2ForCausalLM(Gemma2Config(**SMALL, **HEADS, head_dim=8, final_logit_softcapping=2.0))


def granite() -> Any:
    return GraniteForCausalLM(GraniteConfig(**SMALL, **HEADS, logits_scaling=3.0))


def phi() -> Any:
    model = PhiForCausalLM(PhiConfig(**SMALL, **HEADS))
    torch.nn.init.normal_(model.lm_head.bias)
    return model


MODELS: list[Callable[[], Any]] = [llama, gemma2, granite, phi]  # tied, soft-capped, scaled, with a bias


@pytest.fixture(autouse=True, params=[0, 100], ids=["wide", "tall"])
def small_blocks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Blocks of few words and rows, multiplied from either side."""
    monkeypatch.setattr(lm_head, "FEW_ROWS", request.param)
    monkeypatch.setattr(lm_head, "WORDS", 16)
    monkeypatch.setattr(lm_head, "ROWS", 7)


def made(build: Callable[[], Any], dtype: torch.dtype) -> tuple[Any, Projection, torch.Tensor]:
    torch.manual_seed(3)
    model = build().eval().to(dtype)
    torch.nn.init.normal_(model.get_output_embeddings().weight, std=0.7)
    return model, Projection(model), torch.randn(20, 16, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("build", MODELS)
@torch.inference_mode()
def test_blocks_say_what_the_whole_vocabulary_says(build: Callable[[], Any], dtype: torch.dtype) -> None:
    _, mine, hidden = made(build, dtype)
    assert mine.exact
    whole = mine.logits(hidden)
    expected = whole.double().log_softmax(1)
    asks = [(position, token) for position in (0, 3, 4, 19, 11) for token in (0, 15, 16, 50, 100)]
    asks += [(position, int(whole[position].argmax())) for position in range(20)]
    before = hidden.clone()
    logprobs, greedy = mine.read(hidden, asks)
    within = 1e-12 if dtype == torch.float64 else 2e-6
    assert [abs(value - float(expected[ask])) <= within for value, ask in zip(logprobs, asks, strict=True)] == [True] * len(asks)
    assert greedy == [int(whole[position].argmax()) == token for position, token in asks]
    assert mine.best(hidden).tolist() == whole.argmax(1).tolist()
    assert torch.equal(hidden, before)


@pytest.mark.parametrize("twins", [(5, 9), (5, 16), (20, 100), (3, 17, 99)])
@torch.inference_mode()
def test_of_equally_likely_words_the_first_is_the_best(twins: tuple[int, ...]) -> None:
    model, mine, hidden = made(llama, torch.float32)
    weight = model.get_output_embeddings().weight
    hidden = (4 * hidden).round()  # whole numbers: sums are exact, so blocks of any width add up alike
    weight[list(twins)] = 10 * hidden[0]
    logprobs, greedy = mine.read(hidden[:1], [(0, token) for token in twins])
    assert greedy == [True] + [False] * (len(twins) - 1)
    assert len(set(logprobs)) == 1
    assert mine.best(hidden[:1]).tolist() == [twins[0]]


@torch.inference_mode()
def test_words_ruled_out_have_no_probability_and_take_none() -> None:
    model, mine, hidden = made(phi, torch.float32)
    model.lm_head.bias[:40] = -torch.inf  # the first blocks hold nothing at all
    expected = mine.logits(hidden).double().log_softmax(1)
    logprobs, greedy = mine.read(hidden, [(2, 7), (2, 60)])
    assert logprobs[0] == -torch.inf and not greedy[0]
    assert abs(logprobs[1] - float(expected[2, 60])) <= 2e-6


@torch.inference_mode()
def test_a_head_that_is_no_plain_matrix_is_taken_as_a_whole() -> None:
    class Louder(torch.nn.Linear):
        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return 3 * super().forward(given)

    torch.manual_seed(3)
    model = llama().eval()
    head = Louder(16, WORDS, bias=False)
    model.set_output_embeddings(head)
    mine = Projection(model)
    hidden = torch.randn(4, 16)
    logprobs, _ = mine.read(hidden, [(1, 30)])
    assert abs(logprobs[0] - float((3 * hidden[1] @ head.weight.T).double().log_softmax(0)[30])) <= 2e-6
