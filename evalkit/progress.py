"""How far a run is and how long it will take: bars for people, lines for logs.

The time that is left is told from tokens, by kind of work: a token that is written takes many times as long as one that is read, so
the speed of scoring says nothing of generating. Where a kind has not begun, its part is named and not guessed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Protocol

PATIENCE_S = 3.0
EVERY_S = 15.0
WARM_S = 10.0  # of work of one kind before its speed is believed
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


@dataclass
class Pace:
    """Tokens and seconds by kind of work.

    Attributes:
        total, finished: tokens by kind.
        seconds: spent on a kind: from one batch to the next, counted for the later one.
        first: tokens and seconds of a kind's first batch, which waits for what is loaded and compiled.
    """

    started: float
    total: dict[str, int] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    first: dict[str, tuple[int, float]] = field(default_factory=dict)
    last: float = 0.0

    @classmethod
    def of(cls, items: Sequence[Piece], now: float) -> Pace:
        pace = cls(now, last=now)
        for item in items:
            pace.total[item.kind] = pace.total.get(item.kind, 0) + item.cost
        return pace

    def advance(self, items: Sequence[Piece], now: float) -> None:
        """These were finished at `now`, all of one batch."""
        kind, cost, took = items[0].kind, sum(item.cost for item in items), now - self.last
        self.first.setdefault(kind, (cost, took))
        self.finished[kind] = self.finished.get(kind, 0) + cost
        self.seconds[kind] = self.seconds.get(kind, 0.0) + took
        self.last = now

    def left(self, kind: str) -> float | None:
        """Seconds until all of a kind is done; None while its speed is not known."""
        done, seconds = self.finished.get(kind, 0), self.seconds.get(kind, 0.0)
        remaining = self.total.get(kind, 0) - done
        if remaining <= 0:
            return 0.0
        cost, took = self.first.get(kind, (0, 0.0))
        if done > 2 * cost:  # enough without the first batch
            done, seconds = done - cost, seconds - took
        return None if seconds <= 0 or not done or self.seconds[kind] < WARM_S else seconds * remaining / done

    def told(self) -> str:
        """`about 4 min left`, with what cannot be foretold yet named; empty while nothing can."""
        by_kind = {kind: self.left(kind) for kind in self.total}
        known = sum(seconds for seconds in by_kind.values() if seconds)
        unknown = [f"{self.total[kind]:,} tokens of {NAMES.get(kind, kind)}" for kind, seconds in by_kind.items() if seconds is None]
        if not unknown:
            return f"about {span(known)} left"
        return f"about {span(known)} left, then {' and '.join(unknown)}" if known else ""

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


def opening(items: Sequence[Piece], done: int, speed: float | None) -> str:
    """What is about to be asked, in one line; with the time where a speed is known.

    Args:
        speed: tokens of `Piece.cost` per second of an earlier run of the same model here.
    """
    if not items:
        return f"all {done:,} answers are kept from before, so nothing is asked"
    cost = {kind: sum(item.cost for item in items if item.kind == kind) for kind in NAMES}
    work = " and ".join(
        f"{tokens:,} to {'score' if kind == 'loglikelihood' else 'read and write at most'}" for kind, tokens in cost.items() if tokens
    )
    reused = f", {done:,} already answered" if done else ""
    seconds = sum(cost.values()) / speed if speed else 0.0
    least = "at most about" if cost["generate"] else "about"
    return f"{_requests(len(items))} to answer{reused}; tokens: {work}" + (f"; {least} {span(seconds)}" if speed else "")


def _requests(n: int) -> str:
    return f"{n:,} request" if n == 1 else f"{n:,} requests"


class Lines:
    """One line to standard error every few seconds, for logs and pipes."""

    def __init__(self, speed: float | None = None) -> None:
        self.speed = speed
        self.pace = Pace(0.0)
        self.requests = self.answered = 0
        self.said = 0.0

    def start(self, items: Sequence[Piece], done: int) -> None:
        self.pace, self.requests = Pace.of(items, time.monotonic()), len(items)
        self.said = self.pace.started
        print(opening(items, done, self.speed), file=sys.stderr, flush=True)

    def advance(self, items: Sequence[Piece]) -> None:
        now = time.monotonic()
        self.pace.advance(items, now)
        self.answered += len(items)
        elapsed = now - self.pace.started
        if self.answered >= self.requests:
            print(f"{_requests(self.answered)} answered in {span(elapsed)}", file=sys.stderr, flush=True)
        elif now - self.said >= EVERY_S:
            self.said = now
            told = [
                f"{self.answered:,}/{self.requests:,} requests",
                f"{self.pace.share:.0%} of the tokens",
                f"{span(elapsed)} gone",
                self.pace.told(),
            ]
            print(", ".join(filter(None, told)), file=sys.stderr, flush=True)

    def stop(self) -> None:
        return None


class Bars:
    """A bar each for scoring and generating, with the time that is gone and left; needs a terminal or a notebook."""

    def __init__(self, speed: float | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[answered]:,}/{task.fields[requests]:,}"),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self.speed = speed
        self.rich = RichProgress(*columns, console=Console(stderr=not in_notebook()), transient=not in_notebook())
        self.ids: dict[str, Any] = {}
        self.answered: dict[str, int] = {}
        self.pace = Pace(0.0)

    def start(self, items: Sequence[Piece], done: int) -> None:
        self.pace = Pace.of(items, time.monotonic())
        self.rich.console.print(opening(items, done, self.speed), highlight=False)
        if items:
            self.rich.start()
        for kind, name in NAMES.items():
            mine = [item for item in items if item.kind == kind]
            if mine:
                self.answered[kind] = 0
                # Not started: the time that is gone is that of the kind, not of the wait for it.
                self.ids[kind] = self.rich.add_task(name, start=False, total=self.pace.total[kind], answered=0, requests=len(mine), left="")
        if self.ids:
            self.rich.start_task(next(iter(self.ids.values())))

    def advance(self, items: Sequence[Piece]) -> None:
        kind, now = items[0].kind, time.monotonic()
        self.pace.advance(items, now)
        self.answered[kind] += len(items)
        left = self.pace.left(kind)
        self.rich.start_task(self.ids[kind])
        self.rich.update(
            self.ids[kind],
            advance=sum(item.cost for item in items),
            answered=self.answered[kind],
            left="" if left is None else f"about {span(left)} left" if left else "",
        )

    def stop(self) -> None:
        self.rich.stop()


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel that can draw a bar (with ipywidgets)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell" and find_spec("ipywidgets") is not None


def default_progress(speed: float | None = None) -> Progress:
    """Bars on a terminal and in a notebook, lines elsewhere.

    Args:
        speed: tokens per second of an earlier run, for the time told at the start.
    """
    return Bars(speed) if sys.stderr.isatty() or in_notebook() else Lines(speed)


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
            print(f"{what}: {done} of {total}, about {span((now - started) * (total - done) / done)} left", file=sys.stderr, flush=True)
            next_word = now + EVERY_S

    try:
        yield advance
    finally:
        if bar.live.is_started:  # else stop() would print an empty line
            bar.stop()
