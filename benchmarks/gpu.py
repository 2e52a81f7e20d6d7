"""The engine on a GPU with random weights: tokens a second, share of the card's peak, memory, beside the peer's path.

    python benchmarks/gpu.py [--data DIR] [--tiny] [--device cpu] [--peak 989] [--json FILE]

The model has the shape of Mistral NeMo 12B (`--tiny`: of nothing, to try the script anywhere). Nothing is downloaded. Token
lengths come from the rows under `--data`, four bytes a token, else from typical ones; ids are random, prefixes shared as in
the benchmarks. The peer's path is what lm-evaluation-harness's Hugging Face back end does: right-padded batches of whole
sequences with logits at every position, and left-padded static batches for text.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from evalkit.models.base import WorkItem
from evalkit.models.hf.generation import Generator, tokens_in
from evalkit.models.hf.scoring import Scorer
from evalkit.types import GenerationParams, Response

NEMO = {"hidden_size": 5120, "intermediate_size": 14336, "num_hidden_layers": 40, "num_attention_heads": 32, "num_key_value_heads": 8}
NEMO |= {"head_dim": 128, "vocab_size": 131072, "max_position_embeddings": 8192}
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2}
TINY |= {"head_dim": 16, "vocab_size": 512, "max_position_embeddings": 8192}
TYPICAL = {"hellaswag": [(50, [28] * 4)], "mmlu": [(95, [1] * 4)], "gsm8k": [(65, [])]}  # (own context, continuations)
SHARED = {"hellaswag": 0, "mmlu": 600, "gsm8k": 800}


@dataclass(frozen=True)
class Shape:
    """What a model computes for a token: multiplications outside embeddings, layers, query width, vocabulary × width."""

    weights: int
    layers: int
    width: int
    projection: int


def distinct(sequences: Iterable[Sequence[int]]) -> tuple[int, int]:
    """Distinct prefix positions of token sequences, and the sum of their positions counted from 1."""
    tokens = reach = 0
    before: Sequence[int] = ()
    for ids in sorted(set(map(tuple, sequences))):
        shared = next((i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), min(len(before), len(ids)))
        tokens += len(ids) - shared
        reach += (len(ids) * (len(ids) + 1) - shared * (shared + 1)) // 2
        before = ids
    return tokens, reach


def flops(shape: Shape, tokens: int, reach: int, asked: int) -> float:
    """Floating-point operations of the least work: every distinct token once, vocabulary only where asked."""
    return 2.0 * shape.weights * tokens + 4.0 * shape.layers * shape.width * reach + 2.0 * shape.projection * asked


def shape_of(model: Any) -> Shape:
    config = model.config.get_text_config()
    head = model.get_output_embeddings().weight
    inner = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and m.weight is not head)
    width = config.num_attention_heads * (getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    return Shape(inner, config.num_hidden_layers, width, head.numel())


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


def texts(data: Path, kind: str, count: int) -> list[tuple[str, list[str]]]:
    """A document's own text and its continuations, for their lengths alone."""
    file = {"hellaswag": "hellaswag/validation.jsonl", "mmlu": "mmlu/test.jsonl", "gsm8k": "gsm8k/test.jsonl"}[kind]
    with (data / file).open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    if kind == "hellaswag":
        return [(row["ctx"], row["endings"]) for row in rows]
    if kind == "mmlu":
        return [(row["question"] + "".join(f"A. {choice}\n" for choice in row["choices"]), list(["A", "B", "C", "D"])) for row in rows]
    return [(row["question"], []) for row in rows]


class Ids:
    """Random ids stand for text; a stop never comes, so both sides write as much."""

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        return " ".join(map(str, ids))


def lengths(kind: str, data: str | None, count: int) -> list[tuple[int, list[int]]]:
    """Tokens of each document's own context and of its continuations."""
    if data is None:
        return TYPICAL[kind] * count
    found = texts(Path(data), kind, count)
    return [(max(4, len(own.encode()) // 4), [max(1, len(end.encode()) // 4) for end in ends]) for own, ends in found]


def items_of(kind: str, data: str | None, count: int, vocabulary: int, new_tokens: int) -> list[WorkItem]:
    """Random ids in the benchmark's shape; MMLU's documents share a header by subject."""
    rng = random.Random(0)

    def some(size: int) -> tuple[int, ...]:
        return tuple(rng.randrange(3, vocabulary) for _ in range(size))

    items: list[WorkItem] = []
    header: tuple[int, ...] = ()
    for number, (own, ends) in enumerate(lengths(kind, data, count)):
        if number % (40 if kind == "mmlu" else count) == 0:
            header = some(SHARED[kind])
        context = (*header, *some(own))
        if kind == "gsm8k":
            params = GenerationParams(new_tokens)
            items.append(WorkItem(str(number), kind, str(number), 0, "generate", prompt_ids=context, params=params))
        else:
            pairs = tuple((context, some(size)) for size in ends)
            items.append(WorkItem(str(number), kind, str(number), 0, "loglikelihood", pairs=pairs))
    return items


def build(shape: dict[str, int], dtype: torch.dtype, device: str) -> Any:
    from transformers import AutoModelForCausalLM, MistralConfig

    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(MistralConfig(**shape, sliding_window=None), dtype=dtype)
    torch.set_default_dtype(torch.float32)
    return model.eval()


def score(scorer: Scorer, items: Sequence[WorkItem]) -> Iterator[Response]:
    kept: dict[int, Any] = {}
    for header, above, batch in scorer.packs(items, set()):
        yield from scorer.score(header, above, batch, kept)


def peer_score(model: Any, items: Sequence[WorkItem], batch: int) -> Iterator[tuple[str, int, float]]:
    """Every pair as a row of its own, longest first, log-softmax over all positions."""
    rows = [(item.key, n, context, target) for item in items for n, (context, target) in enumerate(item.pairs)]
    rows.sort(key=lambda row: -len(row[2]) - len(row[3]))
    for place in range(0, len(rows), batch):
        part = rows[place : place + batch]
        longest = max(len(c) + len(t) - 1 for _, _, c, t in part)
        ids = torch.zeros((len(part), longest), dtype=torch.long)
        for i, (_, _, context, target) in enumerate(part):
            ids[i, : len(context) + len(target) - 1] = torch.tensor((*context, *target[:-1]))
        with torch.inference_mode():
            logprobs = model(ids.to(model.device), use_cache=False).logits.float().log_softmax(-1)
            for i, (key, n, context, target) in enumerate(part):
                span = range(len(context) - 1, len(context) + len(target) - 1)
                yield key, n, float(logprobs[i, list(span), list(target)].sum())


def peer_generate(model: Any, items: Sequence[WorkItem], batch: int, new_tokens: int) -> int:
    order = sorted(items, key=lambda item: -len(item.prompt_ids))
    written = 0
    for place in range(0, len(order), batch):
        part = order[place : place + batch]
        longest = len(part[0].prompt_ids)
        ids = torch.zeros((len(part), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, item in enumerate(part):
            ids[i, longest - len(item.prompt_ids) :] = torch.tensor(item.prompt_ids)
            mask[i, longest - len(item.prompt_ids) :] = 1
        with torch.inference_mode():
            settings = {"max_new_tokens": new_tokens, "min_new_tokens": new_tokens, "do_sample": False, "pad_token_id": 0}
            out = model.generate(ids.to(model.device), attention_mask=mask.to(model.device), **settings)
        written += out[:, longest:].numel()
    return written


def timed(work: Callable[[], Any], device: str) -> tuple[Any, float, float]:
    """The result, its seconds and its peak memory in MB (of the process on a CPU)."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    result = work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        return result, time.perf_counter() - started, torch.cuda.max_memory_allocated() / 2**20
    return result, time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def gemm_rate(width: int, dtype: torch.dtype, device: str) -> float:
    """Operations a second of one large square product."""
    a = torch.randn(width, width, dtype=dtype, device=device)
    best = min(timed(lambda: [a @ a for _ in range(5)], device)[1] for _ in range(3))
    return 10.0 * width**3 / best


def measure(kind: str, model: Any, args: argparse.Namespace, rate: float) -> dict[str, Any]:
    """One row: our path, the peer's, and the share of the peak that the distinct tokens' operations make."""
    items = items_of(kind, args.data, args.docs, model.config.vocab_size, args.new_tokens)
    scorer = Scorer(model, 0, args.batch_tokens)
    if kind == "gsm8k":
        room = tokens_in(model, args.kv_gb << 30)
        writer = Generator(scorer.forward, Ids(), frozenset(), room=room, budget=args.batch_tokens, most=args.rows)
        answers, ours, memory = timed(lambda: [r for batch in writer.run(items) for r in batch], args.device)
        _, theirs, peer_memory = timed(lambda: peer_generate(model, items, args.peer_batch, args.new_tokens), args.device)
        worst = None
    else:
        answers, ours, memory = timed(lambda: list(score(scorer, items)), args.device)
        found, theirs, peer_memory = timed(lambda: list(peer_score(model, items, args.peer_batch)), args.device)
        by_key = {answer.key: answer.loglikelihoods or () for answer in answers}
        worst = max(abs(by_key[key][n] - value) for key, n, value in found)
    by_key_all = {answer.key: answer for answer in answers}
    work = least(shape_of(model), items, [by_key_all[item.key] for item in items])
    tokens = sum(r.output_tokens for r in answers) + sum(len(i.prompt_ids) or sum(len(c) + len(t) for c, t in i.pairs) for i in items)
    row = {"work": kind, "docs": len(items), "path": scorer.path, "evalkit_s": ours, "peer_s": theirs, "ratio_peer": theirs / ours}
    row |= {"requested_tokens_per_s": tokens / ours, "tflops": work / ours / 1e12, "share_of_gemm": work / ours / rate}
    row |= {"share_of_peak": work / ours / (args.peak * 1e12) if args.peak else None}
    return row | {"peak_mb": memory, "peer_peak_mb": peer_memory, "max_abs_diff": worst}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of rows, for their lengths: DIR/<task>/<split>.jsonl")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--tiny", action="store_true", help="a model of no size, to try the script")
    parser.add_argument("--docs", type=int, default=240)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--batch-tokens", type=int, default=16384)
    parser.add_argument("--rows", type=int, default=256, help="texts written at once")
    parser.add_argument("--kv-gb", type=int, default=16)
    parser.add_argument("--peer-batch", type=int, default=16)
    parser.add_argument("--peak", type=float, help="the card's dense bf16 peak in TFLOP/s, from its data sheet")
    parser.add_argument("--json")
    args = parser.parse_args(argv)
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise SystemExit("no CUDA device here; --device cpu --tiny tries the script without one")
    dtype = getattr(torch, args.dtype)
    model = build(TINY if args.tiny else NEMO, dtype, args.device)
    rate = gemm_rate(512 if args.tiny else 8192, dtype, args.device)
    name = torch.cuda.get_device_name() if args.device.startswith("cuda") else "cpu"
    report: dict[str, Any] = {"device": name, "dtype": args.dtype, "tiny": args.tiny, "gemm_tflops": rate / 1e12, "rows": []}
    for kind in SHARED:
        report["rows"].append(measure(kind, model, args, rate))
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in report["rows"][-1].items()}, flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
