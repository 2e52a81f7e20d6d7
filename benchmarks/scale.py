"""What it costs to split a run over replicas, and what is gained: chunks of real requests, and a simulation on 1 to 1,000 replicas.

    python benchmarks/scale.py --data DIR [--tasks mmlu,gsm8k] [--ray 4] [--markdown docs/scale.md]

Needs rows (`evalkit data pull`) and SmolLM2's tokenizer; loads no weights. Three tables:

- distinct tokens that are read when the requests are cut into chunks, and when their documents are dealt out evenly;
- the time of all tasks on 1 to 1,000 replicas, with `cluster/dispatch.py` itself on its own clock. A replica reads and writes
  at the rates below, which are what the arithmetic and the memory of one H100 allow a model of 12B parameters in bfloat16
  (assumed, not measured); a text is as long as a hash of its key says, up to its limit;
- with `--ray N`: processor time of the driver per chunk, on real Ray with N replicas that answer at once.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.cluster.chunks import CHUNK_TEXTS, CHUNK_TOKENS, Chunk, _placed, chunks_of
from evalkit.cluster.dispatch import Dispatch, Work
from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.errors import DataError
from evalkit.models.base import Model, WorkItem
from evalkit.models.fake import FakeModel
from evalkit.run.prepare import has_template, prepare
from evalkit.types import Response

READ = 24_750.0  # tokens per second: 60% of an H100's 990 TFLOP/s, at 24 GFLOP a token
STEP = 0.0072  # seconds to fetch 24 GB of weights at 3.35 TB/s, whatever number of texts is written
ROW = 0.00005  # seconds that each text adds to a step, at half of the peak
OVERHEAD = 0.02  # seconds between a chunk and the next: the way there and back
REPLICAS = (1, 2, 4, 8, 16, 64, 256, 1000)
START, END = "<!-- scale: made by benchmarks/scale.py -->", "<!-- /scale -->"


def encoded(tasks: Sequence[str], root: Path) -> dict[str, list[WorkItem]]:
    """Every request of every task, as SmolLM2's tokenizer reads it."""
    chosen = [f"task=[{','.join(tasks)}]"] if tasks else ["suite=krutrim2"]
    setup = build(compose([*chosen, "model=smollm2_135m", "data=local", f"data.root={root}"]))
    model = setup.model()
    found = {}
    for name, task in setup.tasks.items():
        try:
            requests = prepare(task, setup.source, None, None, has_template(model, task)).requests
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        found[name] = model.encode(requests)
    return found


def distinct(items: Sequence[WorkItem]) -> int:
    """Tokens to read when everything that neighbours share is read once."""
    return sum(sum(place.new for place in _placed([item for item in items if item.kind == kind])) for kind in ("loglikelihood", "generate"))


def splitting(found: dict[str, list[WorkItem]]) -> list[list[str]]:
    """Per task: whole, by chunks of several sizes, and dealt out evenly over replicas."""
    rows = []
    for name, items in found.items():
        whole = distinct(items)
        row = [name, f"{len(items):,}", f"{whole / 1e6:.2f}"]
        for factor in (0.25, 1, 4):
            chunks = chunks_of(items, int(CHUNK_TOKENS * factor), int(CHUNK_TEXTS * factor))
            row.append(f"{sum(distinct(chunk.items) for chunk in chunks) / whole - 1:+.1%} ({len(chunks)})")
        row += [f"{sum(distinct(items[i::n]) for i in range(n)) / whole - 1:+.1%}" for n in (2, 8, 64)]
        rows.append(row)
    return rows


def seconds(chunk: Chunk) -> float:
    """What one replica takes for a chunk."""
    if chunk.items[0].kind == "loglikelihood":
        return chunk.cost / READ
    lengths = sorted(int(item.key[:8], 16) % max(1, item.limit) + 1 for item in chunk.items)
    read = sum(len(item.prompt_ids) for item in chunk.items) / READ
    # At each step the texts that are not at their end yet.
    steps = sum(
        (length - before) * (STEP + ROW * (len(lengths) - i)) for i, (before, length) in enumerate(itertools.pairwise([0, *lengths]))
    )
    return read + steps


def simulated(chunks: Sequence[Chunk], durations: dict[int, float], replicas: int) -> float:
    """Seconds until everything is answered; the dispatcher is the real one."""
    state = Dispatch.of(chunks, ())
    free: list[tuple[float, int]] = [(0.0, i) for i in range(replicas)]
    heapq.heapify(free)
    busy: list[tuple[float, int, Work, int]] = []
    order, now, end = itertools.count(), 0.0, 0.0
    while not state.over:
        idle = []
        while free and free[0][0] <= now:
            when, replica = heapq.heappop(free)
            if (work := state.take(now)) is None:
                idle.append((when, replica))
                continue
            heapq.heappush(busy, (now + OVERHEAD + durations[work.number], next(order), work, replica))
        now, _, work, replica = heapq.heappop(busy)
        state.arrived(work, [Response(item.key, "ok") for item in work.items])
        state.finished(work, now)
        end = max(end, now)
        for when, waiting in idle:
            heapq.heappush(free, (when, waiting))
        heapq.heappush(free, (now, replica))
    return end


def scaling(found: dict[str, list[WorkItem]]) -> list[list[str]]:
    chunks = chunks_of([item for items in found.values() for item in items])
    durations = {chunk.number: seconds(chunk) for chunk in chunks}
    work = sum(durations.values())
    rows = []
    for n in REPLICAS:
        took = simulated(chunks, durations, n)
        rows.append([f"{n:,}", f"{took:,.0f}", f"{work / took:.1f}", f"{work / took / n:.1%}", f"{max(durations.values()):.1f}"])
    return rows


class Instant(FakeModel):
    """Answers at once, a chunk in four batches: all that is left is the driver's own work."""

    def answer(self, items: Sequence[WorkItem], done: Any) -> Iterator[list[Response]]:
        for start in range(0, len(items), max(1, len(items) // 4)):
            yield [self._one(item) for item in items[start : start + max(1, len(items) // 4)]]


def driver(found: dict[str, list[WorkItem]], replicas: int) -> list[str]:
    """Processor seconds of the driver per chunk, and memory it grew by."""
    import resource

    from evalkit.cluster.model import RayCluster

    make: Any = Instant
    model: Model = RayCluster(replicas=replicas).model(make, "instant", {})
    items = [item for items in found.values() for item in items]
    model.encode([])
    count = len(chunks_of(items))
    before = resource.getrusage(resource.RUSAGE_SELF)
    start, answered, first = time.monotonic(), 0, 0
    for batch in model.answer(items, set()):
        answered += len(batch)
        first = first or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    grown = (after.ru_maxrss - first) / 1024
    return [str(replicas), f"{count}", f"{answered:,}", f"{time.monotonic() - start:.1f}", f"{1000 * used / count:.0f}", f"{grown:.0f}"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", default="", help="names with commas; default: the Krutrim-2 card's, as far as there are rows")
    parser.add_argument("--ray", type=int, default=0)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    found = encoded([name for name in given.tasks.split(",") if name], given.data)
    heads = [
        "task",
        "requests",
        "whole, million tokens",
        "chunks of 8 thousand",
        "**of 32 thousand**",
        "of 128 thousand",
        "dealt over 2",
        "over 8",
        "over 64",
    ]
    parts = [
        "Distinct tokens to read, against the whole task planned at once; in brackets the number of chunks. On the right: documents dealt\n"
        "out evenly to 2, 8 or 64 replicas, each of which plans its own.\n",
        table(heads, splitting(found)),
    ]
    chunks = chunks_of([item for items in found.values() for item in items])
    work = sum(seconds(chunk) for chunk in chunks)
    parts += [
        f"\nAll {len(found)} tasks, {sum(map(len, found.values())):,} requests in {len(chunks)} chunks, {work:,.0f} s of one replica:\n",
        table(["replicas", "seconds", "times faster than one", "efficiency", "longest chunk, s"], scaling(found)),
    ]
    if given.ray:
        heads = ["replicas", "chunks", "answers", "seconds", "driver, ms of processor per chunk", "memory grown, MB"]
        typical = 1000 * work / len(chunks)
        parts += ["\nThe driver alone, on real Ray with replicas that answer at once:\n", table(heads, [driver(found, given.ray)])]
        parts += [f"\nA chunk takes a replica {typical:,.0f} ms on average."]
    text = "\n".join(parts)
    print(text)
    if given.markdown:
        page = given.markdown.read_text(encoding="utf-8")
        before, _, rest = page.partition(START)
        given.markdown.write_text(f"{before}{START}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
