"""Which samples are on a page: the first of every task, the same for every run, until the page is full."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.report.page.blocks import SIZE, Blocks, Columns, labels, one_block
from evalkit.store import MergedRun, SavedRun, TaskColumns

ROUND = 20_000  # samples to add to a page before the next ones of the first task are looked at
LEAST = 20  # samples a block, however many tasks there are
TAG = len('<script type="text/plain" id="block-0123456789abcdef"></script>') + 1
LABEL = 4  # bytes per sample that a language or a group takes


@dataclass
class Listing:
    """The samples of one task of one run: all that there are, and the columns of those on the page."""

    run: int
    saved: SavedRun | MergedRun
    found: TaskColumns
    headline: str
    elsewhere: bool = False  # the answers were not made with the prompts that are in the samples
    columns: Columns = field(default_factory=Columns)

    @property
    def total(self) -> int:
        return len(self.found.docs)

    @property
    def kept(self) -> int:
        return len(self.columns.asked["doc"])

    def read(self, start: int, size: int, blocks: Blocks) -> Columns:
        """The columns of `size` more samples, whose blocks go into `blocks`."""
        part = list(self.saved.samples_at(self.found.offsets[start : start + size]))
        return one_block(part, self.headline, blocks)


def listings(runs: Sequence[SavedRun | MergedRun]) -> list[Listing]:
    """Every task of every run that has samples.

    Raises:
        DataError: a damaged `samples.jsonl`.
    """
    made = []
    for place, run in enumerate(runs):
        for task, found in run.columns.items() if run.has_samples else ():
            result = run.result.tasks.get(task)
            headline = result.headline if result else next(iter(found.metrics), "")
            made.append(Listing(place, run, found, headline, elsewhere=bool(result and result.answers_from)))
    return made


def fill(tasks: Sequence[Listing], blocks: Blocks, room: int) -> None:
    """Add blocks of every task in turn while they fit in `room` bytes; runs get the same block of a task or none of them does."""
    together: dict[str, list[Listing]] = {}
    for task in tasks:
        together.setdefault(task.found.task, []).append(task)
    size = _block_size(tasks)
    room -= _size(index([""] * (1 + max((task.run for task in tasks), default=0)), tasks))
    for start in range(0, max((task.total for task in tasks), default=0), size):
        for same in together.values():
            more = [task for task in same if start < task.total]
            new = Blocks(dict(blocks.texts))
            read = [task.read(start, size, new) for task in more]
            added = {name: text for name, text in new.texts.items() if name not in blocks.texts}
            room -= sum(len(text) + TAG for text in added.values())
            room -= sum(_columns_size(task, part) for task, part in zip(more, read, strict=True))
            if room < 0:
                return
            blocks.texts |= added
            for task, part in zip(more, read, strict=True):
                task.columns.extend(part)


def _block_size(tasks: Sequence[Listing]) -> int:
    return max(LEAST, min(SIZE, ROUND // max(1, len(tasks))))


def _columns_size(task: Listing, part: Columns) -> int:
    labelled = LABEL * len(part.asked["doc"]) * (any(task.found.languages) + any(task.found.groups))
    return _size(part.asked) + _size(part.answered) + labelled


def _size(value: Any) -> int:
    return len(inert(value).encode("utf-8", "backslashreplace"))


def index(titles: Sequence[str], tasks: Sequence[Listing]) -> dict[str, Any]:
    """What the page's script reads first; documents that several runs were asked are in it once."""
    shared: dict[str, int] = {}
    runs: list[dict[str, Any]] = [{"title": title, "tasks": {}} for title in titles]
    size = _block_size(tasks)
    for task in tasks:
        found, kept = task.found, task.kept
        asked = {**task.columns.asked, "language": labels(found.languages[:kept]), "group": labels(found.groups[:kept])}
        place = shared.setdefault(inert(asked), len(shared))
        about: dict[str, Any] = {"headline": task.headline, "total": task.total, "size": size, "shared": place}
        about |= {"elsewhere": True} if task.elsewhere else {}
        runs[task.run]["tasks"][found.task] = {**about, **task.columns.answered}
    return {"shared": [json.loads(text) for text in shared], "runs": runs}


def inert(value: Any) -> str:
    """JSON that cannot end the script element it is in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
