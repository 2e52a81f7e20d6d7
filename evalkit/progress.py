"""How far a run is and how long it will take (`evalkit.pace`): bars for people, lines for logs.

Where a kind of work has not begun and no earlier run tells of it, its part is named and not guessed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol

from evalkit.pace import NAMES, Earlier, Pace, Piece, span

PATIENCE_S = 3.0
EVERY_S = 15.0


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


def opening(items: Sequence[Piece], done: int, speed: float | None, earlier: Earlier | None = None) -> str:
    """What is about to be asked, in one line; with the time where a speed is known.

    Args:
        speed: tokens of `Piece.cost` per second of an earlier run of the same model here.
        earlier: what that run took by kind of work; told instead where it knows every kind that is asked for.
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
    rates = [earlier.of(item.kind, item.task) if earlier else None for item in items]
    if all(rate is not None for rate in rates):
        least, seconds = "about", sum(item.cost * (rate or 0.0) for item, rate in zip(items, rates, strict=True))
    return f"{_requests(len(items))} to answer{reused}; tokens: {work}" + (f"; {least} {span(seconds)}" if seconds else "")


def _requests(n: int) -> str:
    return f"{n:,} request" if n == 1 else f"{n:,} requests"


class Lines:
    """One line to standard error every few seconds, for logs and pipes."""

    def __init__(self, speed: float | None = None, earlier: Earlier | None = None) -> None:
        self.speed, self.earlier = speed, earlier
        self.pace = Pace(0.0)
        self.requests = self.answered = 0
        self.said = 0.0

    def start(self, items: Sequence[Piece], done: int) -> None:
        self.pace, self.requests = Pace.of(items, time.monotonic(), self.earlier), len(items)
        self.said = self.pace.started
        print(opening(items, done, self.speed, self.earlier), file=sys.stderr, flush=True)

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

    def __init__(self, speed: float | None = None, earlier: Earlier | None = None) -> None:
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
        self.speed, self.earlier = speed, earlier
        self.rich = RichProgress(*columns, console=Console(stderr=not in_notebook()), transient=not in_notebook())
        self.ids: dict[str, Any] = {}
        self.answered: dict[str, int] = {}
        self.pace = Pace(0.0)

    def start(self, items: Sequence[Piece], done: int) -> None:
        self.pace = Pace.of(items, time.monotonic(), self.earlier)
        self.rich.console.print(opening(items, done, self.speed, self.earlier), highlight=False)
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


def default_progress(speed: float | None = None, earlier: Earlier | None = None) -> Progress:
    """Bars on a terminal and in a notebook, lines elsewhere.

    Args:
        speed: tokens per second of an earlier run, for the time told at the start.
        earlier: what it took by kind of work, for the time told from then on.
    """
    return Bars(speed, earlier) if sys.stderr.isatty() or in_notebook() else Lines(speed, earlier)


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
