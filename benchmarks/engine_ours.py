"""evalkit's half of `engine.py`: the engine on given texts, and the least time this machine could take for them."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from engine_work import Shape, distinct, flops

from evalkit.models.base import WorkItem
from evalkit.models.hf import HFModel
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Request, Response


def requests(asked: dict[str, Any]) -> list[Request]:
    params = GenerationParams(asked["new_tokens"] or 1, stop=tuple(asked["stops"]))
    return [
        GenerateRequest("work", str(n), doc["prompt"], params)
        if "prompt" in doc
        else LoglikelihoodRequest("work", str(n), tuple((context, continuation) for context, continuation in doc["pairs"]))
        for n, doc in enumerate(asked["docs"])
    ]


def shape_of(model: Any) -> Shape:
    config = model.config.get_text_config()
    head = model.get_output_embeddings().weight
    inner = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and m.weight is not head)
    width = config.num_attention_heads * (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    return Shape(inner, config.num_hidden_layers, width, head.numel())


def gemm_rate(model: Any, rows: int = 1024, repeat: int = 3) -> float:
    """Operations a second of one layer's own matrices on `rows` tokens, the best of a few passes over eight layers."""
    head = model.get_output_embeddings().weight
    linears = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.weight is not head][:56]
    inputs = {m.in_features: torch.randn(rows, m.in_features, dtype=model.dtype) for m in linears}
    best = float("inf")
    with torch.inference_mode():
        for _ in range(repeat):
            started = time.perf_counter()
            for m in linears:
                torch.nn.functional.linear(inputs[m.in_features], m.weight)
            best = min(best, time.perf_counter() - started)
    return 2.0 * rows * sum(m.weight.numel() for m in linears) / best


def least(shape: Shape, items: Sequence[WorkItem], answers: Sequence[Response]) -> float:
    """Operations of the distinct tokens alone."""
    if items[0].kind == "generate":
        tokens, reach = distinct(item.prompt_ids for item in items)
        written = sum(answer.output_tokens - 1 for answer in answers)
        own = sum(
            (len(item.prompt_ids) * 2 + answer.output_tokens) * (answer.output_tokens - 1) // 2
            for item, answer in zip(items, answers, strict=True)
        )
        return flops(shape, tokens + written, reach + own, sum(answer.output_tokens for answer in answers))
    tokens, reach = distinct((context + target)[:-1] for item in items for context, target in item.pairs)
    asked = {(context + target)[: len(context) + i] for item in items for context, target in item.pairs for i in range(len(target))}
    return flops(shape, tokens, reach, len(asked))


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(asked["threads"])
    model = HFModel("bench", path=asked["model"], dtype=asked["dtype"], device="cpu")
    weights = model._runtime.model
    model.encode(requests({**asked, "docs": asked["docs"][:1]}))  # loads the tokenizer and hashes the weights
    rate = gemm_rate(weights)
    started = time.perf_counter()
    items = model.encode(requests(asked))
    encoded = time.perf_counter() - started
    found = {answer.key: answer for batch in model.answer(items, set()) for answer in batch}
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = max(rate, gemm_rate(weights))
    ordered = [found[item.key] for item in items]
    report = {
        "seconds": seconds,
        "encode_s": encoded,
        "peak_rss_mb": peak,
        "limit_s": least(shape_of(weights), items, ordered) / rate,
        "gflops": rate / 1e9,
        "path": model.describe()["scoring_path"],
        "output_tokens": sum(answer.output_tokens for answer in ordered),
        "answers": [answer.text if answer.text is not None else list(answer.loglikelihoods or ()) for answer in ordered],
    }
    Path(sys.argv[2]).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
