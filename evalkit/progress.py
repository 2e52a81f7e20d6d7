"""How far a run is and how long it will take: bars for people, lines for logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

PATIENCE_S = 3.0
EVERY_S = 15.0
NAMES = {"loglikelihood": "scoring", "generate": "generating"}


class Piece(Protocol):
    """A request, as far as a bar is concerned."""

    @property
    def kind(self) -> str: ...

    @property
    def cost(self) -> int:
        """Tokens it costs, roughly: what the estimate of the remaining time is based on."""
        ...


class Progress(Protocol):
    """Told what there is to do and what has been done."""

    def start(self, items: Sequence[Piece], done: int) -> None: ...

    def advance(self, items: Sequence[Piece]) -> None: ...

    def stop(self) -> None: ...


class Silent:
    """No output; for notebooks that want none and for tests."""

    def start(self, items: Sequence[Piece], done: int) -> None:
        return None

    def advance(self, items: Sequence[Piece]) -> None:
        return None

    def stop(self) -> None:
        return None


def _cost(items: Sequence[Piece]) -> int:
    return sum(item.cost for item in items)


class Lines:
    """One line to standard error every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self.total = self.finished = self.requests = self.answered = 0
        self.started = self.said = 0.0

    def start(self, items: Sequence[Piece], done: int) -> None:
        self.total, self.requests = _cost(items), len(items)
        self.started = self.said = time.monotonic()
        reused = f", {done} already answered" if done else ""
        print(f"{self.requests} requests to answer{reused}", file=sys.stderr, flush=True)

    def advance(self, items: Sequence[Piece]) -> None:
        self.finished += _cost(items)
        self.answered += len(items)
        now = time.monotonic()
        if now - self.said < EVERY_S and self.answered < self.requests:
            return
        self.said = now
        left = (now - self.started) * (self.total - self.finished) / max(self.finished, 1)
        share = self.finished / max(self.total, 1)
        print(f"{self.answered}/{self.requests} requests, {share:.0%} of the work, about {left:.0f} s left", file=sys.stderr, flush=True)

    def stop(self) -> None:
        return None


class Bars:
    """A bar each for scoring and generating, with rate and estimate; needs a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[answered]}/{task.fields[requests]}"),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self.rich = RichProgress(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=120)
        self.ids: dict[str, Any] = {}
        self.answered: dict[str, int] = {}

    def start(self, items: Sequence[Piece], done: int) -> None:
        self.rich.start()
        for kind, name in NAMES.items():
            mine = [item for item in items if item.kind == kind]
            if mine:
                self.answered[kind] = 0
                self.ids[kind] = self.rich.add_task(name, total=_cost(mine), answered=0, requests=len(mine))

    def advance(self, items: Sequence[Piece]) -> None:
        kind = items[0].kind
        self.answered[kind] += len(items)
        self.rich.update(self.ids[kind], advance=_cost(items), answered=self.answered[kind])

    def stop(self) -> None:
        self.rich.stop()


def default_progress() -> Progress:
    """Bars on a terminal, lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()


@contextmanager
def waiting(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives `advance(n)`. Work that takes longer than PATIENCE_S gets a bar with an estimate; off a terminal, lines."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=total)
    started = time.monotonic()
    next_word = started + PATIENCE_S
    done = 0

    def advance(n: int) -> None:
        nonlocal done, next_word
        done += n
        bar.update(task, completed=done)
        now = time.monotonic()
        if now < next_word or done >= total:
            return
        if sys.stderr.isatty():
            bar.start()
            next_word = float("inf")  # the bar draws itself from here on
        else:
            print(f"{what}: {done} of {total}, about {(now - started) * (total - done) / done:.0f} s left", file=sys.stderr, flush=True)
            next_word = now + EVERY_S

    try:
        yield advance
    finally:
        if bar.live.is_started:  # else stop() would print an empty line
            bar.stop()
