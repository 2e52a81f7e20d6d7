"""How far a run is and how long it will take: bars for people, lines for logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

from evalkit.models.base import WorkItem
from evalkit.types import GenerateRequest, Prompt, Request

EVERY_S = 15.0
NAMES = {"loglikelihood": "scoring", "generate": "generating"}


class Progress(Protocol):
    """Told what there is to do and what has been done."""

    def start(self, items: Sequence[WorkItem], done: int) -> None: ...

    def advance(self, items: Sequence[WorkItem]) -> None: ...

    def stop(self) -> None: ...


class Silent:
    """No output; for notebooks that want none and for tests."""

    def start(self, items: Sequence[WorkItem], done: int) -> None:
        return None

    def advance(self, items: Sequence[WorkItem]) -> None:
        return None

    def stop(self) -> None:
        return None


def work(item: WorkItem) -> int:
    """Tokens a request costs, roughly: what the estimate of the remaining time is based on."""
    if item.request is not None:
        return _characters(item.request) // 4 + (item.params.max_new_tokens if item.params else 1)
    if item.kind == "generate":
        return len(item.prompt_ids) + (item.params.max_new_tokens if item.params else 0)
    # The pairs of an item mostly share their context, which is then read once.
    return max(len(context) for context, _ in item.pairs) + sum(len(target) for _, target in item.pairs)


def _characters(request: Request) -> int:
    def of(prompt: Prompt) -> int:
        return len(prompt) if isinstance(prompt, str) else sum(len(turn.content) for turn in prompt)

    if isinstance(request, GenerateRequest):
        return of(request.prompt)
    return sum(of(context) + len(continuation) for context, continuation in request.pairs)


class Lines:
    """One line to standard error every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self.total = self.finished = self.requests = self.answered = 0
        self.started = self.said = 0.0

    def start(self, items: Sequence[WorkItem], done: int) -> None:
        self.total, self.requests = sum(map(work, items)), len(items)
        self.started = self.said = time.monotonic()
        reused = f", {done} already answered" if done else ""
        print(f"{self.requests} requests to answer{reused}", file=sys.stderr, flush=True)

    def advance(self, items: Sequence[WorkItem]) -> None:
        self.finished += sum(map(work, items))
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

    def start(self, items: Sequence[WorkItem], done: int) -> None:
        self.rich.start()
        for kind, name in NAMES.items():
            mine = [item for item in items if item.kind == kind]
            if mine:
                self.answered[kind] = 0
                self.ids[kind] = self.rich.add_task(name, total=sum(map(work, mine)), answered=0, requests=len(mine))

    def advance(self, items: Sequence[WorkItem]) -> None:
        kind = items[0].kind
        self.answered[kind] += len(items)
        self.rich.update(self.ids[kind], advance=sum(map(work, items)), answered=self.answered[kind])

    def stop(self) -> None:
        self.rich.stop()


def default_progress() -> Progress:
    """Bars on a terminal, lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()
