"""Runs made of numbers alone, for simulations with the real code: `run_of(name, {task: Made(values)})`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evalkit import stats
from evalkit.results import RunResult, TaskResult
from evalkit.store import MetricColumn, Ratings, SavedRun, TaskColumns
from evalkit.types import Summary


@dataclass(frozen=True)
class Made:
    """One task's documents: a value each; for a corpus score their statistics; labels where there are any."""

    values: NDArray[np.float64]
    docs: Sequence[str] | None = None
    rows: str = ""
    clusters: Sequence[str] | None = None
    stats: NDArray[np.float64] | None = None
    corpus: str = ""
    languages: Sequence[str] | None = None
    ratings: Ratings | None = None  # whose means the values are
    macro: bool = False  # the score is the unweighted mean over its languages


def run_of(name: str, tasks: Mapping[str, Made]) -> SavedRun:
    """A finished run with these answers; tasks with equal `rows` read the same rows."""
    results, columns = {}, {}
    for task, made in tasks.items():
        n = len(made.values)
        docs = tuple(made.docs) if made.docs is not None else _docs(n)
        value = float(np.nanmean(made.values))
        if made.stats is not None:
            value = stats.Corpora.of(made.stats, made.corpus, made.languages, made.clusters).value
        weighted = None
        if made.macro:
            at = np.array(made.languages)
            weighted, value = value, float(np.mean([made.values[at == name].mean() for name in sorted(set(at.tolist()))]))
        score = Summary("acc", value, None, None, int((~np.isnan(made.values)).sum()), corpus=made.corpus, weighted=weighted)
        rows = made.rows or task
        results[task] = TaskResult(task, "acc", 0, 1, {"acc": score}, n, n, source=rows, rows_sha256=rows)
        none = (None,) * n
        columns[task] = TaskColumns(
            task=task,
            docs=docs,
            languages=tuple(made.languages) if made.languages is not None else none,
            groups=none,
            clusters=tuple(made.clusters) if made.clusters is not None else none,
            offsets=np.zeros(n, dtype=np.int64),
            asked=np.zeros(n, dtype=np.int64),
            tokens=np.zeros(n, dtype=np.int64),
            confidence=np.full(n, np.nan),
            confident_right=np.zeros(n, dtype=bool),
            metrics={"acc": MetricColumn(made.values, np.zeros(n, dtype=bool), made.stats, made.ratings)},
        )
    return SavedRun(Path(name), RunResult(name, results), has_samples=False, kept=columns)


@cache
def _docs(n: int) -> tuple[str, ...]:
    return tuple(f"test/{i}" for i in range(n))


def answers(rng: np.random.Generator, n: int, p: float) -> NDArray[np.float64]:
    """Right (1) or wrong (0)."""
    return (rng.random(n) < p).astype(float)


def changed(rng: np.random.Generator, values: NDArray[np.float64], lose: float, win: float) -> NDArray[np.float64]:
    """Right answers lost and wrong ones won with these probabilities, as a fine-tune does."""
    draws = rng.random(len(values))
    return np.where(values == 1, (draws >= lose).astype(float), (draws < win).astype(float))
