"""Replicas on a real Ray that take as long for every chunk as a 12B model would: efficiency, and what the driver costs.

    python benchmarks/scale_measured.py --data DIR [--replicas 8 64] [--tasks mmlu,gsm8k]

The durations are those of `scale.py` (what the arithmetic and the memory of one H100 allow); a replica sleeps them, and answers in
four parts. Ray, the chunks, the dispatcher, what travels and the answers' way back are the real ones. Replicas are started before the
clock is: loading 12B weights takes what it takes, and here many processes share a few cores.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

sys.path[:0] = [str(Path(__file__).resolve().parent)]
from scale import encoded, seconds, table  # noqa: E402

from evalkit.cluster.chunks import Chunk, chunks_of  # noqa: E402
from evalkit.cluster.dispatch import Dispatch  # noqa: E402
from evalkit.cluster.model import RayCluster  # noqa: E402
from evalkit.cluster.pool import Pool  # noqa: E402
from evalkit.models.base import WorkItem  # noqa: E402
from evalkit.models.fake import FakeModel  # noqa: E402
from evalkit.types import Response  # noqa: E402

PARTS = 4  # batches in which a chunk's answers come
HEAD = ("replicas", "chunks", "answers", "seconds", "efficiency", "driver, % of a core per replica", "Ray's own processes, likewise")
HEAD = (*HEAD, "one replica's memory, MB", "driver grown, MB")


class Timed(FakeModel):
    """Takes for every chunk what its items say in place of their task."""

    def answer(self, items: Sequence[WorkItem], done: Any) -> Iterator[list[Response]]:
        size = -(-len(items) // PARTS)
        parts = [items[start : start + size] for start in range(0, len(items), size)]
        for part in parts:
            time.sleep(float(items[0].task) / len(parts))
            yield [self._one(item) for item in part]


def timed(chunk: Chunk) -> Chunk:
    took = f"{seconds(chunk):.4f}"
    return replace(chunk, items=tuple(replace(item, task=took) for item in chunk.items))


def start(pool: Pool, dispatch: Dispatch) -> None:
    """Until every replica is there."""
    while True:
        pool._fill(dispatch)
        loading = {id(m.waits_for): m for m in pool._members if not m.ready}
        if not loading:
            return
        for reference in pool._ray.wait([m.waits_for for m in loading.values()], num_returns=1, timeout=1.0)[0]:
            pool._listen(loading[id(reference)], dispatch)


def own_seconds(processes: Sequence[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            spent = process.cpu_times()
            total += spent.user + spent.system
    return total


def measured(chunks: Sequence[Chunk], replicas: int) -> list[str]:
    make: Any = Timed
    me, dispatch = psutil.Process(), Dispatch.of(chunks, ())
    with Pool(RayCluster(replicas=replicas), make, "fake-0") as pool:
        start(pool, dispatch)
        print(f"{replicas} replicas are there", file=sys.stderr, flush=True)
        rays = [p for p in me.children(recursive=True) if p.name() in ("raylet", "gcs_server")]
        memory = psutil.Process(pool._members[-1].about["process"]).memory_full_info().uss / 2**20
        before, rays_before, began, answered, first = own_seconds([me]), own_seconds(rays), time.monotonic(), 0, 0
        for batch in pool.run(dispatch, frozenset()):
            answered += len(batch)
            first = first or me.memory_info().rss
        took = time.monotonic() - began
        spent, rays_spent, grown = own_seconds([me]) - before, own_seconds(rays) - rays_before, me.memory_info().rss - first
    work = sum(float(chunk.items[0].task) for chunk in chunks)
    shares = [f"{100 * one / took / replicas:.2f}" for one in (spent, rays_spent)]
    if dispatch.counts.deaths:
        print(f"{dispatch.counts.deaths} replicas died meanwhile: too little memory here", file=sys.stderr)
    row = [f"{replicas}", f"{len(chunks)}", f"{answered:,}", f"{took:.1f}", f"{work / took / replicas:.1%}", *shares]
    return [*row, f"{memory:.0f}", f"{grown / 2**20:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--replicas", type=int, nargs="*", default=[8, 64])
    parser.add_argument("--tasks", default="", help="names with commas; default: the Krutrim-2 card's, as far as there are rows")
    args = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")])
    found = encoded([name for name in args.tasks.split(",") if name], args.data)
    chunks = [timed(chunk) for chunk in chunks_of([item for items in found.values() for item in items])]
    rows = []
    for replicas in args.replicas:
        rows.append(measured(chunks, replicas))
        print(table(HEAD, rows), flush=True)


if __name__ == "__main__":
    main()
