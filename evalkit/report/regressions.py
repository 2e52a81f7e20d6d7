"""A comparison of two runs as a report: the verdict per task, and the documents that changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from evalkit import numbers
from evalkit.compare import ALL_TASKS, CANNOT_COMPARE, REGRESSION, Comparison, Flip, TaskComparison
from evalkit.report.table import Cell, Column, Footnotes, Report, Table
from evalkit.store import SavedRun
from evalkit.types import SAMPLE_ROWS

_MEAN_POINTS, _TASK_POINTS = 0.01, 0.03
_TEXTS = ("Target", "Base said", "Candidate said")


def regressions(comparison: Comparison, base: SavedRun, candidate: SavedRun, shown: int) -> Report:
    """Verdict, table and the documents that changed most, as data; `shown` documents of each kind per task."""
    texts = base.has_samples and candidate.has_samples
    flips = tuple(table for row in comparison.tasks if shown and texts and (table := _flips(row, base, candidate, shown)))
    warnings = [] if comparison.rows else ["nothing to compare: the base has no task"]
    if samples := [name for name, task in base.result.tasks.items() if task.sample_rows and task.n_docs]:
        warnings.append(f"{SAMPLE_ROWS}: {', '.join(samples)}")
    if comparison.new_tasks:
        warnings.append(f"measured by the candidate alone, so not compared: {', '.join(comparison.new_tasks)}")
    return Report(
        title=f"{_verdict(comparison)} Base {base.path.name}, candidate {candidate.path.name}.",
        warnings=tuple(warnings),
        comparison=(_table(comparison),) if comparison.rows else (),
        breakdowns=flips,
        legend=_legend(comparison) if comparison.rows else (),
    )


def _verdict(comparison: Comparison) -> str:
    regressed = [row.task for row in comparison.rows if row.verdict == "regressed"]
    if comparison.exit_code == REGRESSION:
        return f"REGRESSION: {', '.join(regressed)}."
    if comparison.exit_code == CANNOT_COMPARE:
        return "CANNOT COMPARE everything."
    blind = [row for row in comparison.rows if _hidden(row, comparison.settings.threshold)]
    if not blind:
        return "No regression seen."
    worst = max(blind, key=lambda row: row.detectable or 0.0)
    more = len(blind) - 1
    rest = f"; the same is true of {more} more {'row' if more == 1 else 'rows'}" if more else ""
    return (
        f"No regression seen, but these documents could hardly have shown one: on {worst.task} a loss below "
        f"{numbers.score(worst.detectable)} would have gone unseen more often than once in five{rest}."
    )


def _hidden(row: TaskComparison, threshold: float) -> bool:
    """Whether a loss that people care about could well have gone unseen: one point of a mean, three of a task, of a scale to 1."""
    if row.detectable is None or row.verdict in ("regressed", "improved"):
        return False
    scale = max(1.0, abs(row.base or 0.0))
    return row.detectable > max(threshold, (_MEAN_POINTS if row.task == ALL_TASKS else _TASK_POINTS) * scale)


def _legend(comparison: Comparison) -> tuple[str, ...]:
    settings = comparison.settings
    return (
        "Difference: candidate minus base on the documents both measured, with its 95% interval.",
        f"p: paired test, two-sided, adjusted by Holm over every row; a verdict needs p <= {settings.alpha:g}"
        + (f" and more than {settings.threshold:g} of difference." if settings.threshold else "."),
        "Would show: the true difference that these documents would have revealed four times in five.",
    )


def _table(comparison: Comparison) -> Table:
    notes = Footnotes()
    titles = ("Metric", "n", "Base", "Candidate", "Difference", "p", "Would show", "Verdict")
    left = {"Metric", "Verdict"}
    columns = (Column("Task", "left", key=True), *(Column(t, "left" if t in left else "right", ours=t == "Difference") for t in titles))
    return Table("Verdict", columns, tuple(_row(row, notes) for row in comparison.rows), notes.listed(), name="compare")


def _row(row: TaskComparison, notes: Footnotes) -> tuple[Cell, ...]:
    def score(value: float | None) -> Cell:
        return Cell("" if value is None else numbers.score(value))

    change = "" if row.difference is None else f"{row.difference:+.3f}"
    if row.ci:
        change += f" [{row.ci[0]:+.3f}, {row.ci[1]:+.3f}]"
    flips = f"{len(row.worse):,} worse, {len(row.better):,} better; {row.test}" if row.test and (row.worse or row.better) else row.test
    return (
        Cell(row.task, notes.mark(*row.notes)),
        Cell(row.metric),
        Cell(numbers.count(row.n) if row.n else ""),
        score(row.base),
        score(row.candidate),
        Cell(change, notes.mark(flips)),
        Cell("" if row.adjusted is None else f"{row.adjusted:.3f}" if row.adjusted >= 0.001 else "<0.001"),
        score(row.detectable),
        Cell(row.verdict, notes.mark("" if row.verdict == "no difference seen" else row.reason)),
    )


def _flips(row: TaskComparison, base: SavedRun, candidate: SavedRun, shown: int) -> Table | None:
    """The documents that changed most: what was wanted, what each run answered."""
    if not row.worse and not row.better:
        return None
    columns = (Column("Document", "left", key=True), Column("Base"), Column("Candidate"), *(Column(t, "left") for t in _TEXTS))
    chosen = [*row.worse[:shown], *row.better[:shown]]
    rows = tuple(
        (Cell(f.doc), Cell(f"{f.base:.3g}"), Cell(f"{f.candidate:.3g}"), *map(Cell, _texts(f, row.metric, base, candidate))) for f in chosen
    )
    title = (
        f"{row.task}: {min(shown, len(row.worse))} of {len(row.worse):,} worse, {min(shown, len(row.better))} of {len(row.better):,} better"
    )
    return Table(title, columns, rows, name="flips")


def _texts(flip: Flip, metric: str, base: SavedRun, candidate: SavedRun) -> Sequence[str]:
    ours, theirs = base.sample_at(flip.base_offset), candidate.sample_at(flip.candidate_offset)
    return [_short(ours.get("target")), *(_short(sample["scores"].get(metric, {}).get("prediction")) for sample in (ours, theirs))]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:39]}…"
