"""What a run comes to: scores per task, free of timings, so that equal answers give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.types import LengthScore, Summary


@dataclass(frozen=True)
class TaskResult:
    """One task's scores and everything a reader needs to judge them.

    Attributes:
        headline: name of the metric printed first; a key of `summaries`.
        n_docs: documents asked for (after `limit`).
        n_total: documents of the whole evaluated split; coverage is (measured or set aside) / n_total.
        counts: documents per remark: truncated, length, thinking, empty, flat, refused, filtered, invalid, error (a request
            that failed), unanswered.
        categories: metric name -> category name -> its summary (MMLU's four).
        source: where the rows came from, as printed under the table.
        sample_rows: True when the rows are shipped samples, not the benchmark.
        notes: lines for under the table (protocol choices, assumptions, warnings).
        baselines: metric name -> baseline name -> what answers without a model score on the same documents.
        answers_from: the file that answers made elsewhere were read from; empty for a run's own. How they were asked for is
            not known, shots included.
        by_length: the headline by length of the document and by place in it, for documents of an asked length.
        languages_missing: languages of the benchmark that were not measured; they count in `n_total` with the mean size of the
            others where their own is not known.
        measured_by: the program whose scores these are where it is another than evalkit; empty for ours.
    """

    task: str
    headline: str
    num_fewshot: int
    version: int
    summaries: Mapping[str, Summary]
    n_docs: int
    n_total: int
    counts: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[str, Mapping[str, Summary]] = field(default_factory=dict)
    source: str = ""
    rows_sha256: str = ""
    sample_rows: bool = False
    notes: tuple[str, ...] = ()
    baselines: Mapping[str, Mapping[str, Summary]] = field(default_factory=dict)
    measured_by: str = ""
    answers_from: str = ""
    languages_missing: tuple[str, ...] = ()
    by_length: tuple[LengthScore, ...] = ()

    @property
    def shots(self) -> int | None:
        """Shots in the prompts; None where nobody knows."""
        return None if self.answers_from else self.num_fewshot

    @property
    def score(self) -> Summary:
        return self.summaries[self.headline]

    @property
    def coverage(self) -> float:
        """Share of the loaded split that was measured, in [0, 1]."""
        return (self.score.n + self.score.n_apart) / self.n_total if self.n_total else 0.0


@dataclass(frozen=True)
class RunResult:
    """A finished (or saved) run: what `evaluate` returns and what reports read.

    Attributes:
        model: the name printed in tables.
        tasks: by task name, in the order asked for.
        complete: False when some documents have no answer yet.
        manifest: what produced it; not part of `scores.json`.
        path: the run directory, None for a run kept in memory.
    """

    model: str
    tasks: Mapping[str, TaskResult]
    complete: bool = True
    manifest: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
