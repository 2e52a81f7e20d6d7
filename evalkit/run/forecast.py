"""What a run will take, before it: documents, tokens, memory, time. Loads rows and a tokenizer, never weights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from evalkit.data import Source
from evalkit.errors import EvalkitError
from evalkit.models.base import Model, WorkItem, check_capabilities
from evalkit.models.batching import Header, plan, tree_size
from evalkit.pace import Earlier
from evalkit.run.prepare import prepare_all, refuse_cut
from evalkit.store.journal import NAME as JOURNAL
from evalkit.store.journal import read
from evalkit.store.layout import MANIFEST
from evalkit.task import Task

PACK = 1024  # tokens of a pass, for the plan; what is shared does not depend on it
BYTES = {"float64": 8.0, "float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
QUANTISED = {"bnb4": 0.5, "bnb8": 1.0, "int8": 1.0, "fp8": 1.0, "bitsandbytes": 0.5}  # bytes per weight of a layer
LEAST_SECONDS = 1.0  # a run that answered for less says nothing of speed


@dataclass(frozen=True)
class Work:
    """One task's work.

    Attributes:
        by_pairs: tokens read where every pair, and every sample's prompt, is read on its own.
        read: tokens read where what is shared is read once; None where tokens are known to the server alone.
        write: tokens it may write at most.
        longest: of one document, read and written.
        cost: what progress and speed are counted in: a document's context once, its continuations, and what it may write.
    """

    task: str
    documents: int
    requests: int
    by_pairs: int
    read: int | None
    write: int
    longest: int
    cost: int


@dataclass(frozen=True)
class Memory:
    """Attributes: weights: how many. bytes: of all of them, as they are loaded. kv: bytes of keys and values per token. devices: that
    share both out."""

    weights: int
    bytes: int
    dtype: str
    kv: int
    devices: int = 1


@dataclass(frozen=True)
class Speed:
    """Tokens of `Work.cost` per second, the run that says so, and what it took by kind of work."""

    tokens: float
    run: str
    earlier: Earlier = field(default_factory=Earlier)


def forecast(
    model: Model, tasks: Sequence[Task], source: Source, limit: int | None, chat: bool | None, missing: str = "refuse"
) -> tuple[list[Work], list[str]]:
    """The work of every task, in the order asked for, and the tasks whose rows are out of reach.

    Args:
        missing: what to do with the latter, as for a run: `refuse`, or `skip`.

    Raises:
        EvalkitError: as a run would, before anything is measured.
    """
    prepared, absent = prepare_all(tasks, source, limit, chat, model, missing)
    requests = [request for p in prepared for request in p.requests]
    check_capabilities(model, requests)
    items = model.encode(requests)
    refuse_cut(tasks, items)
    counts = {p.task.name: len(p.evidence.docs) for p in prepared}
    by_task = {name: list(mine) for name, mine in groupby(items, key=lambda item: item.task)}
    return [work_of(name, count, by_task.get(name, [])) for name, count in counts.items()], list(absent)


def work_of(task: str, documents: int, items: Sequence[WorkItem]) -> Work:
    distinct = list({item.key: item for item in items}.values())
    known = all(item.request is None for item in distinct)
    scored = [item for item in distinct if item.kind == "loglikelihood"]
    written = [item for item in distinct if item.kind == "generate"]
    pairs = sum(len(context) + len(target) for item in scored for context, target in item.pairs)
    return Work(
        task,
        documents,
        sum(max(1, len(item.pairs)) for item in distinct),
        pairs + sum(len(item.prompt_ids) for item in written),
        tokens_read(scored) + tokens_read(_prompts(written)) if known else None,
        sum(item.limit for item in written),
        max((_longest(item) for item in distinct), default=0),
        sum(item.cost for item in distinct),
    )


def _prompts(items: Sequence[WorkItem]) -> list[WorkItem]:
    """Distinct prompts as a tree of headers takes them: with a target that nobody reads."""
    return [replace(item, pairs=((item.prompt_ids, (0,)),)) for item in {item.prompt_ids: item for item in items}.values()]


def tokens_read(items: Sequence[WorkItem]) -> int:
    """Tokens the planner has read: headers once, and behind them the distinct positions of every item."""

    def walk(header: Header) -> Iterator[int]:
        yield len(header.ids)
        for pack in header.packs:
            yield from (tree_size(items[index], header.length) for index in pack)
        for child in header.children:
            yield from walk(child)

    return sum(walk(plan(items, PACK))) if items else 0


def _longest(item: WorkItem) -> int:
    if item.kind == "generate":
        return len(item.prompt_ids) + item.limit
    return max((len(context) + len(target) for context, target in item.pairs), default=0)


def memory_of(model: Any) -> Memory | None:
    """Of a model whose configuration can be read here; None for any other. Weights are counted, not made."""
    config = getattr(model, "config", None)
    if config is None:
        return None
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config, trust_remote_code=model.trust_remote_code)
    except (ValueError, RuntimeError, ImportError):
        return None
    weights = sum(parameter.numel() for parameter in empty.parameters())
    ends = {id(layer.weight): layer.weight.numel() for layer in (empty.get_input_embeddings(), empty.get_output_embeddings()) if layer}
    dtype = str(getattr(config, "dtype", None) or "float32").removeprefix("torch.") if model.dtype == "auto" else model.dtype
    per_weight = BYTES.get(dtype, 4.0)
    quantised = QUANTISED.get(str(model.identity().get("quantization")))
    inner = weights - sum(ends.values())
    size = weights * per_weight if quantised is None else sum(ends.values()) * per_weight + inner * quantised
    return Memory(weights, int(size), dtype, kv_bytes(config, per_weight), getattr(model, "devices", 1))


def kv_bytes(config: Any, per_value: float) -> int:
    """Bytes of keys and values per token."""
    text = config.get_text_config()
    heads = getattr(text, "num_attention_heads", None) or 1
    kv_heads = getattr(text, "num_key_value_heads", None) or heads
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    return int(2 * text.num_hidden_layers * kv_heads * width * per_value)


def last_speed(results: Path, model: Model) -> Speed | None:
    """How fast the newest run in `results` was that had this very model and the same hardware, and answered all by itself."""
    own = json.loads(json.dumps(model.identity(), default=str))
    for manifest in sorted(results.glob(f"*/{MANIFEST}"), key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            if (speed := _speed(manifest, own)) is not None:
                return speed
        except (OSError, ValueError, TypeError, AttributeError, EvalkitError):
            continue  # unfinished or damaged: it says nothing here
    return None


def speed_of(results_dir: str | None, model: Model) -> tuple[float | None, Earlier | None]:
    """Tokens per second of the newest run that says so, and what it took by kind of work: for the time told before and during a run."""
    found = last_speed(Path(results_dir or "."), model) if results_dir else None
    return (found.tokens, found.earlier) if found else (None, None)


def _speed(manifest: Path, own: Mapping[str, Any]) -> Speed | None:
    from evalkit.store.manifest import hardware

    told = json.loads(manifest.read_text(encoding="utf-8"))
    identity = json.loads((manifest.parent / "identity.json").read_text(encoding="utf-8"))
    here = hardware()
    same = all(told["hardware"].get(name) == here[name] for name in ("machine", "system", "cores"))
    counts, seconds = told["counts"], float(told["durations_s"]["answer"])
    if identity.get("model") != own or not same or counts["reused"] or not counts["measured"] or seconds < LEAST_SECONDS:
        return None
    answers, _ = read(manifest.parent / JOURNAL)
    return Speed(tokens_of(answers.values()) / seconds, str(manifest.parent), Earlier(told.get("seconds_per_token") or {}))


def tokens_of(answers: Iterable[Any]) -> int:
    """What answers took, in the unit of `WorkItem.cost`."""
    return sum(answer.context_tokens + answer.output_tokens for answer in answers)
