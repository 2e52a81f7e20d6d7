"""From runs and a card to the report: per benchmark shots, metric, n, measured, coverage, then the card's columns."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.report import numbers
from evalkit.report.details import breakdowns, details, measures
from evalkit.report.published import Card, CardTable, PublishedCell
from evalkit.report.rows import Entry, Section, names, sections
from evalkit.report.table import Cell, Column, Footnotes, Report, Table, transpose_equal
from evalkit.results import RunResult, TaskResult
from evalkit.saved import SAMPLE_ROWS

_REMARKS = {
    "invalid": "{} invalid (nothing could be extracted; counted as wrong)",
    "truncated": "{} cut on the left (longer than the model reads)",
    "length": "{} stopped at the token limit",
    "empty": "{} empty",
    "refused": "{} refused by the model",
    "filtered": "{} stopped by a content filter",
}


def build(runs: Sequence[RunResult], card: Card) -> Report:
    """The whole report as data. Deterministic: equal runs and card give an equal report.

    Scores of different task versions, shots, metrics, signatures, or sample rows against real rows
    never share a row; the second row's footnote names the difference.
    """
    found = sections(runs, card)
    entries = [entry for section in found for entry in section.entries]
    titles = names(runs)
    return Report(
        title=f"{', '.join(titles) or 'No run'} beside the {card.title}",
        warnings=_warnings(runs, titles),
        comparison=tuple(_comparison(section, runs, titles) for section in found),
        measures=measures(entries, titles) if entries else None,
        breakdowns=breakdowns(entries, titles),
        details=details(entries, titles),
        legend=_legend(entries, card) if entries else (),
    )


def _warnings(runs: Sequence[RunResult], titles: Sequence[str]) -> tuple[str, ...]:
    lines = [] if runs else ["no runs to report; give the folder of a run"]
    for title, run in zip(titles, runs, strict=True):
        if not run.tasks:
            lines.append(f"{title}: no benchmark was measured")
        if not run.complete:
            short = [f"{name} {task.score.n:,} of {task.n_docs:,}" for name, task in run.tasks.items() if task.score.n < task.n_docs]
            missing = f" Measured so far: {', '.join(short)}." if short else ""
            lines.append(f"{title}: unfinished run, scores are of the documents answered so far.{missing} Repeat its command to finish it")
        samples = [name for name, task in run.tasks.items() if task.sample_rows]
        if samples:
            lines.append(f"{title}: {SAMPLE_ROWS}: {', '.join(samples)}")
    return tuple(lines)


def _legend(entries: Sequence[Entry], card: Card) -> tuple[str, ...]:
    lines = ["score [low, high]: 95% interval; it need not be symmetric about the score."]
    lines.append("n: documents measured. Coverage: n / documents in the benchmark's evaluation split.")
    if any(entry.row for entry in entries):
        lines.append(f"The other models' columns are the {card.title}'s, digits as printed (0-1); '-' and TBD are the card's own.")
    return tuple(lines)


def _comparison(section: Section, runs: Sequence[RunResult], titles: Sequence[str]) -> Table:
    notes = Footnotes()
    columns = [Column("Benchmark", "left", key=True), Column("Shots"), Column("Metric", "left"), Column("n")]
    columns += [Column(title if run.complete else f"{title} (unfinished)", ours=True) for title, run in zip(titles, runs, strict=True)]
    columns += [Column("Coverage"), *(Column(model, published=True) for model in (section.table.models if section.table else ()))]
    rows = tuple(_row(entry, section.table, notes) for entry in section.entries)
    return Table(section.title, tuple(columns), rows, notes.listed(), name="comparison")


def _row(entry: Entry, table: CardTable | None, notes: Footnotes) -> tuple[Cell, ...]:
    first, results = entry.first, [result for _, result in entry.measured]
    shots = entry.row.num_fewshot if entry.row else first.num_fewshot
    stated = "states no shots" if shots is None else f"says {numbers.plural(shots, 'shot')}"
    label = Cell(entry.label, notes.mark(entry.differs, _other_rows(results)), SAMPLE_ROWS if first.sample_rows else "")
    cells = [label, Cell(str(first.num_fewshot), notes.mark("" if shots == first.num_fewshot else f"the card {stated}"))]
    cells += [Cell(first.headline), Cell(transpose_equal([numbers.count(result.score.n) for result in results]))]
    cells += [_measured(result, notes) for result in entry.results]
    cells.append(Cell(transpose_equal([numbers.coverage(result.coverage) for result in results])))
    if table and entry.row:
        cells += [_published(cell, notes) for cell in entry.row.cells]
    return tuple(cells)


def _other_rows(results: Sequence[TaskResult]) -> str:
    hashes = list(dict.fromkeys(result.rows_sha256[:12] for result in results if result.rows_sha256))
    return f"the runs read different rows (sha256 {', '.join(hashes)})" if len(hashes) > 1 else ""


def _published(cell: PublishedCell, notes: Footnotes) -> Cell:
    return Cell(cell.text, notes.mark(f"the card's note: {cell.note}" if cell.score is not None and cell.note else ""))


def _measured(result: TaskResult | None, notes: Footnotes) -> Cell:
    if result is None:
        return Cell(numbers.NOT_RUN)
    return Cell(numbers.measured(result.score), notes.mark(remarks(result)))


def remarks(result: TaskResult) -> str:
    """What a reader must know about the answers behind one score; empty when there is nothing to say."""
    counts = dict(result.counts)
    failed = max(counts.pop("error", 0), result.score.n_not_measured)
    counts["invalid"] = max(counts.get("invalid", 0), result.score.n_invalid)
    order = [*_REMARKS, *sorted(name for name in counts if name not in _REMARKS)]
    parts = [_REMARKS.get(name, f"{{}} {name}").format(numbers.count(counts[name])) for name in order if counts.get(name)]
    if failed:
        parts.append(f"{numbers.count(failed)} not measured (no answer; left out of the score)")
    if result.score.value is not None and result.score.ci is None:
        parts.append("no interval: too few documents")
    said = f"{'; '.join(parts)}" if parts else ""
    return f"of {numbers.plural(result.n_docs, 'document')}: {said}" if said else ""
