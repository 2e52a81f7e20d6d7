"""From runs and a card to the report: per benchmark shots, metric, n, measured, coverage, then the card's columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from evalkit import numbers
from evalkit.cards import Card, CardRow, CardTable, PublishedCell, judge
from evalkit.cards.verdicts import statements
from evalkit.compare.pairs import contradicted
from evalkit.report.details import breakdowns, details, measures
from evalkit.report.leaderboard import LEGEND, leaderboard
from evalkit.report.lengths import length_lines, length_tables
from evalkit.report.rows import Entry, Section, distinct, names, sections
from evalkit.report.sample_rows import marked, told
from evalkit.report.table import Cell, Column, Footnotes, Report, Table, transpose_equal
from evalkit.results import RunResult, TaskResult
from evalkit.store import MergedRun, SavedRun
from evalkit.types import SAMPLE_ROWS

_NAMED = 3  # runs that a title names
_REMARKS = {
    "invalid": "{} invalid (nothing could be extracted; counted as wrong)",
    "truncated": "{} cut on the left (longer than the model reads)",
    "length": "{} stopped at the token limit",
    "thinking": "{} never ended the thought, so there is no answer (model.thinking_tokens gives it more room)",
    "empty": "{} empty",
    "refused": "{} refused by the model",
    "filtered": "{} stopped by a content filter",
    "disputed": "{} with disputed programs (counted as not passed)",
}
UNKNOWN = "?"  # shots of answers that were made elsewhere


def build(
    runs: Sequence[RunResult], cards: Sequence[Card] = (), saved: Sequence[SavedRun | MergedRun] = (), told: Sequence[str] = ()
) -> Report:
    """The whole report as data. Deterministic: equal runs and cards give an equal report.

    Scores of different task versions, shots, metrics, signatures, or sample rows against real rows
    never share a row; the second row's footnote names the difference.

    Args:
        cards: whose published scores are next to the measured ones; none gives a plain table.
        saved: the same runs with their samples, in the same order, for a leaderboard with paired tests.
        told: further warnings, as of how runs were put together.
    """
    found = sections(runs, cards)
    entries = distinct(found, lambda entry: entry.measurement)
    titles = names(runs)
    legend = (*length_lines(runs, titles, cards), *_legend(found, cards, runs), *_statements(found, runs), *_numbered(saved, titles))
    beside = f", with the {' and the '.join(card.heading for card in cards)}" if cards else ""
    return Report(
        title=f"{_all_of(titles)}{beside}",
        warnings=(*told, *_warnings(runs, titles), *_contradictions(saved, titles)),
        comparison=tuple(_comparison(section, runs, titles) for section in found),
        leaderboard=leaderboard(found, saved, titles),
        lengths=length_tables(runs, titles),
        measures=measures(entries, titles) if entries else None,
        breakdowns=breakdowns(entries, titles),
        details=details(found, titles),
        legend=(*legend, *(LEGEND if len(saved) > 1 else ())) if entries else (),
    )


def _all_of(titles: Sequence[str]) -> str:
    """`a, b`; with many runs their number, which fits a heading."""
    return ", ".join(titles) or "No run" if len(titles) <= _NAMED else f"{len(titles)} runs"


def _numbered(saved: Sequence[SavedRun | MergedRun], titles: Sequence[str]) -> Iterator[str]:
    """Which folders are behind titles that differ by their number alone."""
    for title, run in zip(titles, saved, strict=bool(saved)):
        if re.search(r" #\d+$", title):
            parts = run.parts if isinstance(run, MergedRun) else ((run, ()),)
            yield f"{title}: {', '.join(part.path.name for part, _ in parts)}"


def _warnings(runs: Sequence[RunResult], titles: Sequence[str]) -> tuple[str, ...]:
    lines = [] if runs else ["no runs to report; give the folder of a run"]
    for title, run in zip(titles, runs, strict=True):
        if not run.tasks:
            lines.append(f"{title}: no benchmark was measured")
        if not run.complete:
            short = [f"{name} {task.score.n:,} of {task.n_docs:,}" for name, task in run.tasks.items() if task.score.n < task.n_docs]
            missing = f" Measured so far: {', '.join(short)}." if short else ""
            lines.append(f"{title}: unfinished run, scores are of the documents answered so far.{missing} Repeat its command to finish it")
    return (*lines, *_sample_rows(runs, titles))


def _sample_rows(runs: Sequence[RunResult], titles: Sequence[str]) -> Iterator[str]:
    """Which tasks ran on sample rows; runs that had the same ones share a line."""
    who: dict[str, list[str]] = {}
    for title, run in zip(titles, runs, strict=True):
        if samples := [name for name, task in run.tasks.items() if task.sample_rows]:
            which = f"all {len(samples)} tasks" if len(samples) == len(run.tasks) > _NAMED else ", ".join(samples)
            who.setdefault(which, []).append(title)
    for which, mine in who.items():
        everybody = f"all {len(mine)} runs" if len(mine) == len(runs) > 1 else ", ".join(mine)
        yield f"{everybody}: {SAMPLE_ROWS}: {which}"


def _contradictions(saved: Sequence[SavedRun | MergedRun], titles: Sequence[str]) -> Iterator[str]:
    """Headlines that are not what their own samples say."""
    for title, run in zip(titles, saved, strict=bool(saved)):
        for name, task in run.result.tasks.items():
            mean = contradicted(run.columns.get(name), task.score)
            if mean is not None:
                yield (
                    f"{title}: {name} has {task.headline} {numbers.score(task.score.value)} of {numbers.count(task.score.n)} documents in "
                    f"scores.json, but its samples give {numbers.score(mean)}; `evalkit score` on its folder makes them agree"
                )


def _legend(found: Sequence[Section], cards: Sequence[Card], runs: Sequence[RunResult]) -> tuple[str, ...]:
    lines = ["score [low, high]: 95% interval; it need not be symmetric about the score."]
    lines.append("n: documents measured. Coverage: n / documents in the benchmark's evaluation split.")
    if any(card.columns_of(run) for card in cards for run in runs):
        lines.append(
            "Verdict: reproduced (all documents, rounds to the printed digits), within noise (the 95% interval reaches the printed "
            "number), differs, not comparable (made in another or an unknown way), not measured. It judges the metric that the row prints."
        )
    for card in cards:
        if any(section.card is card for section in found):
            scale = "0-1" if card.about.scale == 1 else f"out of {card.about.scale:g}"
            lines.append(
                f"Columns of other models: the {card.heading}, {card.about.source}; digits as printed ({scale}). "
                "'-' and TBD are the card's own."
            )
    return tuple(lines)


def _columns_of(section: Section, runs: Sequence[RunResult]) -> dict[str, list[int]]:
    """The table's columns that runs fill, with those runs."""
    if section.card is None or section.table is None:
        return {}
    fills = [section.card.columns_of(run) for run in runs]
    return {column: mine for column in section.table.columns if (mine := [i for i, filled in enumerate(fills) if column in filled])}


def _comparison(section: Section, runs: Sequence[RunResult], titles: Sequence[str]) -> Table:
    """Measured scores before the card's columns; a model that has a column is in it, in the card's whole layout."""
    notes = Footnotes()
    filled = _columns_of(section, runs)
    free = [i for i in range(len(runs)) if not any(i in filling for filling in filled.values())]
    heads = [title if run.complete else f"{title} (unfinished)" for title, run in zip(titles, runs, strict=True)]
    columns = [Column("Benchmark", "left", key=True), Column("Shots"), Column("Metric", "left"), Column("n")]
    columns += [Column(heads[i], ours=True) for i in free]
    columns.append(Column("Coverage"))
    for model in section.table.columns if section.table else ():
        columns.append(Column(f"{model}, printed" if model in filled else model, published=model not in filled))
        for i in filled.get(model, ()):
            measured = "measured" if len(filled[model]) == 1 and runs[i].complete else f"{heads[i]}, measured"
            columns += [Column(measured, ours=True), Column("Difference"), Column("Verdict", "left")]
    entries = _every_row(section, len(runs)) if filled else section.entries
    below = marked(entries)
    lines = [_row(entry, section.table, notes, free, filled, below) for entry in entries]
    return Table(told(section.title, entries), tuple(columns), tuple(lines), notes.listed(), name="comparison")


def _every_row(section: Section, runs: int) -> list[Entry]:
    """The card's whole table: its rows in order, those that nobody measured too."""
    entries: list[Entry] = []
    for row in section.table.rows if section.table else ():
        mine = [entry for entry in section.entries if entry.row is row]
        entries += mine or [Entry(row.label, row, (None,) * runs)]
    return entries


def _row(
    entry: Entry, table: CardTable | None, notes: Footnotes, free: Sequence[int], filled: Mapping[str, list[int]], below: str
) -> tuple[Cell, ...]:
    cells = [*_about(entry, notes, below), *(_measured(entry.results[i], notes) for i in free)]
    cells.append(Cell(transpose_equal([numbers.coverage(result.coverage) for _, result in entry.measured] or [""])))
    if not table or not entry.row:
        return tuple(cells)
    for cell in entry.row.cells:
        cells.append(_published(cell, notes))
        for i in filled.get(cell.column, ()):
            result = entry.results[i]
            verdict = judge(result, table, entry.row, cell)
            change = "" if verdict.difference is None else f"{verdict.difference:+.3f}"
            cells += [_measured(result, notes), Cell(change), Cell(verdict.word, notes.mark(verdict.reason))]
    return tuple(cells)


def _about(entry: Entry, notes: Footnotes, below: str) -> list[Cell]:
    """Benchmark, shots, metric, n; what the card says where nothing was measured.

    Args:
        below: what is under the name of a row of sample rows.
    """
    if not entry.measured:
        row = entry.row
        shots = "" if row is None or row.about.shots is None else str(row.about.shots)
        return [Cell(entry.label), Cell(shots), Cell(row.about.printed_metric if row else ""), Cell("")]
    first, results = entry.first, [result for _, result in entry.measured]
    shots_said = entry.row.about.shots if entry.row else first.shots
    stated = "states no shots" if shots_said is None else f"says {numbers.plural(shots_said, 'shot')}"
    return [
        Cell(entry.label, notes.mark(entry.differs, _other_rows(results)), below if first.sample_rows else ""),
        Cell(UNKNOWN if first.shots is None else str(first.shots), notes.mark("" if shots_said == first.shots else f"the card {stated}")),
        Cell(first.headline),
        Cell(transpose_equal([numbers.count(result.score.n) for result in results])),
    ]


def _statements(found: Sequence[Section], runs: Sequence[RunResult]) -> Iterator[str]:
    """How often a measured column is among the best of its table, as printed and as measured."""
    for section in found:
        if section.table is None:
            continue
        measured: dict[str, dict[str, float]] = {}
        for column, filling in _columns_of(section, runs).items():
            for entry, result in ((entry, entry.results[i]) for entry in section.entries for i in filling):
                if entry.row and result and result.score.value is not None and _counts(entry.row, result):
                    measured.setdefault(column, {})[entry.row.key] = result.score.value
        yield from statements(section.table, measured)


def _counts(row: CardRow, result: TaskResult) -> bool:
    """A score of the benchmark, in the metric that the row prints."""
    return not result.sample_rows and not result.languages_missing and row.about.metric in ("", result.headline)


def _other_rows(results: Sequence[TaskResult]) -> str:
    hashes = list(dict.fromkeys(result.rows_sha256[:12] for result in results if result.rows_sha256))
    return f"the runs read different rows (sha256 {', '.join(hashes)})" if len(hashes) > 1 else ""


def _published(cell: PublishedCell, notes: Footnotes) -> Cell:
    return Cell(cell.text, notes.mark(f"the card's note: {cell.note}" if cell.score is not None and cell.note else ""))


def _measured(result: TaskResult | None, notes: Footnotes) -> Cell:
    if result is None:
        return Cell(numbers.NOT_RUN)
    return Cell(numbers.measured(result.score), notes.mark(remarks(result), by_others(result)))


def by_others(result: TaskResult) -> str:
    """What is not known of a score whose answers, or which itself, another program made; empty for a run of ours."""
    if result.answers_from:
        return f"answers read from {result.answers_from}: how they were asked for (prompt, shots, template, sampling) is not known"
    if not result.measured_by:
        return ""
    return (
        f"measured by {result.measured_by}: task, metric and shots are the row's by name; prompts, rows and the way of counting are "
        "that program's, and were not compared"
    )


def remarks(result: TaskResult) -> str:
    """What a reader must know about the answers behind one score; empty when there is nothing to say."""
    counts = dict(result.counts)
    reasons = _not_measured(result, counts)
    counts["invalid"] = max(counts.get("invalid", 0), result.score.n_invalid)
    order = [*_REMARKS, *sorted(name for name in counts if name not in _REMARKS)]
    parts = [_REMARKS.get(name, f"{{}} {name}").format(numbers.count(counts[name])) for name in order if counts.get(name)]
    if result.score.n_not_measured:
        parts.append(f"{numbers.count(result.score.n_not_measured)} not measured ({', '.join((*reasons, 'left out of the score'))})")
    if result.score.note:
        parts.append(result.score.note)
    if result.score.value is not None and result.score.ci is None:
        parts.append(result.score.no_interval or "no interval")
    said = f"{'; '.join(parts)}" if parts else ""
    if not result.n_docs:
        return said  # no rows at all, and the note says so
    return f"of {numbers.plural(result.n_docs, 'document')}: {said}" if said else ""


def _not_measured(result: TaskResult, counts: dict[str, int]) -> list[str]:
    """Why documents have no score, as far as their answers say; takes these reasons out of `counts`. Others are in the score's note."""
    found = {name: count for name in ("error", "unanswered", "flat") if (count := counts.pop(name, 0))}
    words = {
        "error": "failed",
        "unanswered": f"without an answer in {result.answers_from}" if result.answers_from else "without an answer",
        "flat": "log-likelihoods all equal or -inf, so nothing was chosen",
    }
    alone = list(found.values()) == [result.score.n_not_measured]
    return [words[name] if alone else f"{numbers.count(count)} {words[name]}" for name, count in found.items()]
