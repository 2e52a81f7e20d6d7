"""A bar for metrics that take a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_S = 3.0
EVERY_S = 15.0


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
