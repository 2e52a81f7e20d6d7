"""Several runs of one model, as of a suite split over jobs, read as one run."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

from evalkit.files import read_object
from evalkit.results import RunResult
from evalkit.store.columns import TaskColumns
from evalkit.store.layout import IDENTITY, REBUILD, SCORES
from evalkit.store.saved_run import SavedRun

# Settings of a model in the configuration of a run of earlier versions, which has no identity.json: names and speed.
_NOT_IDENTITY = frozenset(
    {"name", "card_name", "description", "device", "batch_tokens", "traffic", "api_key_env", "price", "max_cost", "batch_size", "delay"}
)


@dataclass(frozen=True)
class MergedRun:
    """Runs of one model, no two of which give the same task; has what `SavedRun` has.

    Attributes:
        parts: (run, the tasks that are taken from it).
    """

    parts: tuple[tuple[SavedRun, tuple[str, ...]], ...]

    @property
    def path(self) -> Path:
        """The first run's folder."""
        return self.parts[0][0].path

    @property
    def config(self) -> Mapping[str, Any]:
        """The first run's configuration, with the tasks of all."""
        first = self.parts[0][0].config
        tasks = {name: node for run, names in self.parts for name, node in (run.config.get("tasks") or {}).items() if name in names}
        card = next((card for run, _ in self.parts if (card := run.config.get("card"))), None)
        return {**first, "tasks": tasks, **({"card": card} if card else {})}

    @cached_property
    def result(self) -> RunResult:
        """The tasks of all runs; complete when every run is."""
        runs = [run.result for run, _ in self.parts]
        tasks = {name: run.result.tasks[name] for run, names in self.parts for name in names}
        manifest = {**runs[0].manifest, "config": self.config}
        return replace(runs[0], tasks=tasks, complete=all(run.complete for run in runs), manifest=manifest, path=None)

    @property
    def has_samples(self) -> bool:
        return any(run.has_samples for run, _ in self.parts)

    @cached_property
    def _starts(self) -> list[int]:
        """Where each run's samples begin when the files are thought of as one behind the other."""
        sizes = [run.samples_size for run, _ in self.parts]
        return [0, *accumulate(sizes)][: len(sizes)]

    @cached_property
    def columns(self) -> Mapping[str, TaskColumns]:
        """The numbers of every sample by task; offsets are for this object's `samples_at`."""
        return {
            name: replace(run.columns[name], offsets=run.columns[name].offsets + start)
            for (run, names), start in zip(self.parts, self._starts, strict=True)
            for name in names
            if name in run.columns
        }

    def samples(self, task: str | None = None) -> Iterator[dict[str, Any]]:
        """Whole lines of `samples.jsonl`, one document at a time; of one task when it is named."""
        for run, names in self.parts:
            if task is None or task in names:
                yield from (sample for sample in run.samples(task) if sample.get("task") in names)

    def sample_at(self, offset: int) -> dict[str, Any]:
        """The whole line of one document (`TaskColumns.offsets`)."""
        return next(self.samples_at([offset]))

    def samples_at(self, offsets: Iterable[int]) -> Iterator[dict[str, Any]]:
        """The whole lines of documents, in the order given."""
        for at, near in groupby(map(int, offsets), lambda offset: bisect_right(self._starts, offset) - 1):
            yield from self.parts[at][0].samples_at(offset - self._starts[at] for offset in near)


@dataclass(frozen=True)
class Merged:
    """Columns of a report, and what a reader has to be told of how they came to be."""

    runs: tuple[SavedRun | MergedRun, ...]
    warnings: tuple[str, ...] = field(default=())


def merge(runs: Sequence[SavedRun], newest: bool = False) -> Merged:
    """One column for each model: runs of the same model (name and settings) are merged where their tasks do not overlap.

    Where two of them measured a task, they stay separate with a warning, or the newer one's scores (by the time of `scores.json`)
    are used with `newest`. A run without a saved configuration is merged with no other.
    """
    groups: dict[object, list[SavedRun]] = {}
    for i, run in enumerate(runs):
        known = _identity(run)
        groups.setdefault((run.result.model, known) if known else i, []).append(run)
    made: list[SavedRun | MergedRun] = []
    warnings: list[str] = []
    for group in groups.values():
        twice = _twice(group)
        if twice and not newest:
            made += group
            warnings += [
                f"{group[0].result.model}: {tasks} in {folders}, so the runs stay in their own columns; "
                "newest=true makes one column and uses the newer"
                for tasks, folders in _said(twice)
            ]
            continue
        owners = {task: max(both, key=_time) for task, both in twice.items()}
        for run in group:  # a run that had no rows of a task leaves it to one that had
            for task in run.result.tasks:
                owners.setdefault(task, next((other for other in group if _measured(other, task)), run))
        warnings += [
            f"{group[0].result.model}: {tasks} in {folders}; the scores shown are from {owner}, the newer"
            for owner in dict.fromkeys(owners[task].path for task in twice)
            for tasks, folders in _said({task: both for task, both in twice.items() if owners[task].path == owner})
        ]
        parts = [(run, tuple(name for name in run.result.tasks if owners.get(name, run) is run)) for run in group]
        made.append(MergedRun(tuple(parts)) if len(group) > 1 else group[0])
    order = {id(run): i for i, run in enumerate(runs)}
    return Merged(tuple(sorted(made, key=lambda run: order[id(run if isinstance(run, SavedRun) else run.parts[0][0])])), tuple(warnings))


def _identity(run: SavedRun) -> str:
    """What a run says of the model itself; empty for a run without a configuration, which may be of any model."""
    held = read_object(run.path / IDENTITY, REBUILD).get("model") or run.config.get("model")
    if not isinstance(held, Mapping):
        return ""
    known = {key: value for key, value in held.items() if key not in _NOT_IDENTITY}
    return json.dumps(known, sort_keys=True, default=str) if known else ""


def _twice(group: Sequence[SavedRun]) -> dict[str, list[SavedRun]]:
    """Tasks that more than one run measured; one without rows measured nothing."""
    by_task: dict[str, list[SavedRun]] = {}
    for run in group:
        for task in run.result.tasks:
            if _measured(run, task):
                by_task.setdefault(task, []).append(run)
    return {task: both for task, both in by_task.items() if len(both) > 1}


def _time(run: SavedRun) -> float:
    file = run.path / SCORES
    return file.stat().st_mtime if file.is_file() else 0.0


def _measured(run: SavedRun, task: str) -> bool:
    return task in run.result.tasks and run.result.tasks[task].n_docs > 0


def _said(twice: Mapping[str, Sequence[SavedRun]]) -> Iterator[tuple[str, str]]:
    """(`a, b were measured`, the folders) for each set of folders that measured the same tasks."""
    by_folders: dict[str, list[str]] = {}
    for task, runs in twice.items():
        by_folders.setdefault(" and ".join(str(run.path) for run in runs), []).append(task)
    for folders, tasks in by_folders.items():
        yield f"{', '.join(tasks)} {'was' if len(tasks) == 1 else 'were'} measured", folders
