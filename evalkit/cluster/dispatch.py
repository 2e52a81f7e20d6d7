"""Which replica gets which chunk next, and what happens when one of them dies: pure bookkeeping, no Ray and no clock.

Longest chunks go first. A chunk whose replica died goes to another one; after `TRIES` deaths its documents are errors and
the run goes on. A chunk that ends in an exception is asked again in halves, down to the document that causes it. When
nothing is left to hand out, a chunk that takes much longer than it should is asked a second time, and whichever answer comes
first counts: both are the same bytes.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from evalkit.cluster.chunks import Chunk
from evalkit.models.base import WorkItem
from evalkit.types import Response

TRIES = 3  # replicas that may die over one chunk
SLOW = 2.0  # times the usual duration of a chunk of its cost: from then on it is asked twice
SHOWN = 120  # letters of a reason


@dataclass(eq=False, slots=True)
class Work:
    """A chunk, or a part of one that failed, on its way.

    Attributes:
        started: when it was last handed out, by the caller's clock.
        holders: replicas that have it.
        deaths: replicas that died over it.
    """

    items: tuple[WorkItem, ...]
    cost: int
    number: int
    left: set[str]
    started: float = 0.0
    holders: int = 0
    deaths: int = 0
    over: bool = False


@dataclass(slots=True)
class Counts:
    """What went wrong, for the manifest.

    Attributes:
        deaths: replicas that died, while they loaded and with nothing in hand too.
        repeated: answers given twice.
        asked_twice: slow chunks that a second replica was given.
    """

    deaths: int = 0
    repeated: int = 0
    asked_twice: int = 0


@dataclass(slots=True)
class Dispatch:
    """The state of all chunks; times are the caller's, in seconds."""

    counts: Counts = field(default_factory=Counts)
    _waiting: list[tuple[int, int, Work]] = field(default_factory=list)
    _running: list[Work] = field(default_factory=list)
    _rates: list[float] = field(default_factory=list)
    _order: int = 0

    @classmethod
    def of(cls, chunks: Iterable[Chunk], done: Collection[str]) -> Dispatch:
        """Chunks with something left to answer."""
        made = cls()
        for chunk in chunks:
            if left := {item.key for item in chunk.items} - set(done):
                made._add(Work(chunk.items, chunk.cost, chunk.number, left))
        return made

    @property
    def over(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not self._waiting and not self._running

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self, now: float) -> Work | None:
        """The next work for an idle replica; None when there is none for it, at least now."""
        if self._waiting:
            work = heapq.heappop(self._waiting)[2]
            self._running.append(work)
        else:
            slow = [work for work in self._running if work.holders == 1 and self._is_slow(work, now)]
            if not slow:
                return None
            work = max(slow, key=lambda work: len(work.left) / len(work.items) * work.cost)
            self.counts.asked_twice += 1
        work.started, work.holders = now, work.holders + 1
        return work

    def put_back(self, work: Work) -> None:
        """It could not be sent: it waits again, unless another replica has it."""
        work.holders -= 1
        if not work.holders:
            self._running.remove(work)
            self._add(work)
        else:
            self.counts.asked_twice -= 1

    def _is_slow(self, work: Work, now: float) -> bool:
        return bool(self._rates) and now - work.started > SLOW * work.cost * median(self._rates)

    def arrived(self, work: Work, responses: Sequence[Response]) -> list[Response]:
        """Those of the responses that are new."""
        fresh = [response for response in responses if response.key in work.left]
        self.counts.repeated += len(responses) - len(fresh)
        work.left.difference_update(response.key for response in fresh)
        return fresh

    def finished(self, work: Work, now: float) -> list[Response]:
        """A replica has answered it to its end; what it left out is an error."""
        if not work.over:
            self._rates.append((now - work.started) / max(1, work.cost))
        return self._close(work, "the replica gave no answer to it")

    def died(self, work: Work | None, reason: str) -> list[Response]:
        """The replica that had it, or that had nothing in hand (None), is gone; returns errors when too many died over it."""
        self.counts.deaths += 1
        if work is None:
            return []
        work.deaths += 1
        work.holders -= 1
        if work.over or work.holders:
            return []
        if work.deaths >= TRIES or not work.left:
            return self._close(work, f"{work.deaths} replicas died while they answered it, the last: {reason[:SHOWN]}")
        self._running.remove(work)
        self._add(work)
        return []

    def failed(self, work: Work, reason: str) -> list[Response]:
        """It ended in an exception: asked again in halves, or an error where it is one document already."""
        work.holders -= 1
        if work.over:
            return []
        if len(work.left) <= 1:
            return self._close(work, reason)
        self._close(work, "")
        left = [item for item in work.items if item.key in work.left]
        for part in (left[: len(left) // 2], left[len(left) // 2 :]):
            cost = max(1, work.cost * len(part) // len(work.items))
            self._add(Work(tuple(part), cost, work.number, {item.key for item in part}))
        return []

    def give_up(self, reason: str) -> list[Response]:
        """Errors for all that is left: no replica will answer it."""
        left = [*self._running, *(work for _, _, work in self._waiting)]
        self._waiting.clear()
        return [response for work in left for response in self._close(work, reason)]

    def _add(self, work: Work) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (-work.cost, self._order, work))

    def _close(self, work: Work, reason: str) -> list[Response]:
        if work.over:
            return []
        work.over = True
        if work in self._running:
            self._running.remove(work)
        return [Response(item.key, "error", error=reason) for item in work.items if reason and item.key in work.left]
