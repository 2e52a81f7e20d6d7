"""How long a run still takes: from tokens, by kind of work, and from what an earlier run of the same model took here.

A token that is written takes many times as long as one that is read, so the speed of scoring says nothing of generating. And a task
that may write a thousand tokens and stops after fifty takes less than its tokens say, which the first minutes cannot know: short
answers are there first. An earlier run knows both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

WARM_S = 10.0  # of work of one kind, behind its first batch, before its speed is believed
SOON = 0.25  # of the work: then the first batch has to do
TRUST_S = 30.0  # of work, as much as an earlier run's speed weighs against this one's
STEADY = 0.15  # share of the whole time over which the told end moves to a new one
NAMES = {"loglikelihood": "scoring", "generate": "generating"}


class Piece(Protocol):
    """A request, as far as a bar is concerned."""

    @property
    def kind(self) -> str: ...

    @property
    def task(self) -> str: ...

    @property
    def cost(self) -> int:
        """Tokens it costs, roughly: what the estimate of the remaining time is based on."""
        ...


@dataclass(frozen=True)
class Earlier:
    """What an earlier run of the same model took on this machine: seconds per token of `Piece.cost`, by kind of work and task."""

    seconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def of(self, kind: str, task: str) -> float | None:
        """Of this task, else of the kind's tasks on average; None for a kind that it did not do."""
        known = self.seconds.get(kind) or {}
        return known[task] if task in known else math.fsum(known.values()) / len(known) if known else None


@dataclass
class _Kind:
    """One kind of work. `weight`s are seconds of the earlier run where there is one, else tokens."""

    total: float = 0.0
    finished: float = 0.0
    seconds: float = 0.0
    first: tuple[float, float] | None = None  # weight and seconds of the first batch, which waits for what is loaded and compiled
    known: bool = True
    end: float | None = None  # seconds that the whole kind takes, as it is told
    raw: float | None = None


@dataclass
class Pace:
    """Tokens and seconds by kind of work.

    Attributes:
        total, finished: tokens by kind.
        spent: per kind and task the tokens that are done and the seconds they took, from one batch to the next.
    """

    started: float
    total: dict[str, int] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)
    spent: dict[str, dict[str, tuple[int, float]]] = field(default_factory=dict)
    earlier: Earlier = field(default_factory=Earlier)
    last: float = 0.0
    _kinds: dict[str, _Kind] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Sequence[Piece], now: float, earlier: Earlier | None = None) -> Pace:
        pace = cls(now, last=now, earlier=earlier or Earlier())
        for item in items:
            pace.total[item.kind] = pace.total.get(item.kind, 0) + item.cost
            kind = pace._kinds.setdefault(item.kind, _Kind(known=pace.earlier.of(item.kind, item.task) is not None))
            kind.total += pace._weight(item)
        for kind in pace._kinds.values():
            kind.raw = kind.end = kind.total if kind.known else None
        return pace

    def _weight(self, item: Piece) -> float:
        rate = self.earlier.of(item.kind, item.task)
        return item.cost if rate is None else item.cost * rate

    def advance(self, items: Sequence[Piece], now: float) -> None:
        """These were finished at `now`, all of one batch."""
        name, took = items[0].kind, now - self.last
        kind, done = self._kinds.setdefault(name, _Kind()), sum(item.cost for item in items)
        weight = math.fsum(self._weight(item) for item in items)
        if kind.first is None:
            kind.first = weight, took
        self.finished[name] = self.finished.get(name, 0) + done
        kind.finished += weight
        kind.seconds += took
        self.last = now
        spent = self.spent.setdefault(name, {})
        for item in items:
            tokens, seconds = spent.get(item.task, (0, 0.0))
            spent[item.task] = tokens + item.cost, seconds + took * item.cost / max(1, done)
        self._steady(kind, took)

    def _steady(self, kind: _Kind, took: float) -> None:
        """The end that is told goes towards the one that the newest numbers give, slowly where much is behind and before it."""
        left = self._left(kind)
        if left is None:
            return
        kind.raw = kind.seconds + left
        if kind.end is None:
            kind.end = kind.raw
            return
        over = max(1e-6, min(STEADY * kind.raw, kind.seconds / 2, left / 2 + 1.0))
        kind.end += (1 - math.exp(-took / over)) * (kind.raw - kind.end)

    def _left(self, kind: _Kind) -> float | None:
        """Seconds until all of a kind is done, by the newest numbers alone; None while its speed is not known."""
        remaining = kind.total - kind.finished
        done, seconds = kind.finished, kind.seconds
        weight, took = kind.first or (0.0, 0.0)
        if kind.known:
            return remaining * (seconds - took + TRUST_S) / (done - weight + TRUST_S)
        if kind.seconds < WARM_S or (kind.seconds - took < WARM_S and done < SOON * kind.total):
            return None
        if done > 2 * weight:  # enough without the first batch
            done, seconds = done - weight, seconds - took
        return seconds * remaining / done if seconds > 0 and done else None

    def left(self, name: str) -> float | None:
        """Seconds until all of a kind is done; None while its speed is not known."""
        kind = self._kinds.get(name)
        if kind is None or self.total.get(name, 0) <= self.finished.get(name, 0):
            return 0.0
        return None if kind.end is None else max(1.0, kind.end - kind.seconds)

    def told(self) -> str:
        """`about 4 min left`, with what cannot be foretold yet named; empty while nothing can."""
        by_kind = {kind: self.left(kind) for kind in self.total}
        known = sum(seconds for seconds in by_kind.values() if seconds)
        unknown = [f"{self.total[kind]:,} tokens of {NAMES.get(kind, kind)}" for kind, seconds in by_kind.items() if seconds is None]
        if not unknown:
            return f"about {span(known)} left"
        return f"about {span(known)} left, then {' and '.join(unknown)}" if known else ""

    def rates(self) -> dict[str, dict[str, float]]:
        """What `Earlier` wants to know, of kinds that were done long enough to be believed."""
        return {
            kind: {task: seconds / tokens for task, (tokens, seconds) in tasks.items() if tokens and seconds > 0}
            for kind, tasks in self.spent.items()
            if math.fsum(seconds for _, seconds in tasks.values()) >= WARM_S / 2
        }

    @property
    def share(self) -> float:
        return sum(self.finished.values()) / max(1, sum(self.total.values()))


def span(seconds: float) -> str:
    """A time as people say it: `40 s`, `12 min`, `3 h 20 min`, `4 days`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 600) * 10, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours + (minutes >= 30 and hours >= 10)} h"
    return f"{round(seconds / 86400)} days"
