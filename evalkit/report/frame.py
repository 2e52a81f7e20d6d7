"""Every score as one pandas row, for notebooks and for the CSV export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.cards import Card, CardRow, CardTable
from evalkit.report.rows import names
from evalkit.results import RunResult, TaskResult
from evalkit.types import Summary

if TYPE_CHECKING:
    import pandas

COUNTS = ("truncated", "length", "thinking", "empty", "error")
COLUMNS = (
    *("model", "card", "table", "row", "form", "benchmark", "task", "version", "num_fewshot", "metric", "headline", "level", "group"),
    *("value", "stderr", "ci_low", "ci_high", "n", "n_not_measured", "n_invalid", "n_docs", "n_total", "coverage"),
    *COUNTS,
    *("signature", "source", "rows_sha256", "sample_rows", "complete"),
    *("card_metric", "card_num_fewshot", "card_notes"),
)


def to_frame(results: Sequence[RunResult], cards: Sequence[Card] = ()) -> pandas.DataFrame:
    """Scores in full precision, one row per model, row of a card, metric and level.

    A score that is in several rows (of several cards) is there once for each: take one `card`, or drop duplicates over
    model, task, metric, level and group, before you average. `card`, `table`, `row` and `form` are empty where no card has the task.
    `headline` is true of the metric that the row shows.

    `level` is `all` (the score itself), `macro` (unweighted mean over groups), `weighted` (over documents, when the score
    itself is the macro mean), `category`, `baseline` (an answer
    without a model) or `group`; these three are named in `group`, a group being a language or subject. n_docs, n_total,
    coverage and the answer counts belong to the whole benchmark and are given at level `all`. A `card: COLUMN` column
    holds the published number, on our scale of 0 to 1, next to the headline at level `all`; `card_notes` what the card prints
    with or instead of a number. Missing is None, never 0; so is `num_fewshot` where answers were made elsewhere.

    Raises:
        nothing; no runs give an empty frame with all columns.
    """
    import pandas

    columns, records = score_records(results, cards)
    # Objects, not floats: an integer column with a gap must not become 200.0, nor None become nan.
    return pandas.DataFrame([list(record.values()) for record in records], columns=columns, dtype=object)


def score_records(results: Sequence[RunResult], cards: Sequence[Card] = ()) -> tuple[list[str], list[dict[str, Any]]]:
    """(columns, rows) of `to_frame` as plain values; pandas is not needed."""
    printed = dict.fromkeys(column for card in cards for column in card.columns)
    columns = [*COLUMNS, *(f"card: {column}" for column in printed)]
    return columns, [{column: row.get(column) for column in columns} for row in _rows(results, cards)]


def _rows(results: Sequence[RunResult], cards: Sequence[Card]) -> Iterator[dict[str, Any]]:
    for model, run in zip(names(results), results, strict=True):
        for place, task in _places(run, cards):
            for metric in dict.fromkeys([task.headline, *task.summaries]):
                for row in _metric_rows(task, metric, place):
                    yield {"model": model, "complete": run.complete, **row}


Place = tuple[Card, CardTable, CardRow, str]


def _places(run: RunResult, cards: Sequence[Card]) -> Iterator[tuple[Place | None, TaskResult]]:
    """Every row of every card with what is in it, in the card's order; then the tasks that no card has."""
    for card in cards:
        for table in card.tables:
            for row in table.rows:
                for task in run.tasks.values():
                    if (form := row.form_of(task.task)) is not None:
                        yield (card, table, row, form), row.shown(task)
    for task in run.tasks.values():
        if not any(card.rows_of(task) for card in cards):
            yield None, task


def _metric_rows(task: TaskResult, metric: str, place: Place | None) -> Iterator[dict[str, Any]]:
    summary = task.summaries[metric]
    card, table, row, form = place or (None, None, None, "")
    headline = metric == task.headline
    common: dict[str, Any] = {
        "card": card.name if card else "",
        "table": table.key if table else "",
        "row": row.key if row else "",
        "form": form,
        "benchmark": row.label if row else task.task,
        "task": task.task,
        "version": task.version,
        "num_fewshot": task.shots,
        "metric": metric,
        "headline": headline,
        "signature": summary.signature,
        "source": task.source,
        "rows_sha256": task.rows_sha256,
        "sample_rows": task.sample_rows,
    }
    covered = (summary.n + summary.n_apart) / task.n_total if task.n_total else None
    whole = {"n_docs": task.n_docs, "n_total": task.n_total, "coverage": covered}
    counts = {name: task.counts.get(name, 0) for name in COUNTS}
    yield {**common, **_score(summary), "level": "all", **whole, **counts, **(_published(row) if row and headline else {})}
    if summary.weighted is not None:
        yield {**common, "level": "weighted", "value": summary.weighted}
    if summary.macro is not None:
        yield {**common, "level": "macro", "value": summary.macro}
    for name, part in task.categories.get(metric, {}).items():
        yield {**common, **_score(part), "level": "category", "group": name}
    for name, part in task.baselines.get(metric, {}).items():
        yield {**common, **_score(part), "level": "baseline", "group": name}
    for name, part in summary.groups.items():
        yield {**common, **_score(part), "level": "group", "group": name}


def _score(summary: Summary) -> dict[str, Any]:
    low, high = summary.ci or (None, None)
    return {
        "value": summary.value,
        "stderr": summary.stderr,
        "ci_low": low,
        "ci_high": high,
        "n": summary.n,
        "n_not_measured": summary.n_not_measured,
        "n_invalid": summary.n_invalid,
        "signature": summary.signature,
    }


def _published(row: CardRow) -> dict[str, Any]:
    notes = "; ".join(f"{cell.column}: {cell.note}" for cell in row.cells if cell.note)
    numbers = {f"card: {cell.column}": cell.value for cell in row.cells}
    return {"card_metric": row.about.printed_metric, "card_num_fewshot": row.about.shots, "card_notes": notes, **numbers}
