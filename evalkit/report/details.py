"""Below the comparison: every measure, languages and subjects one by one, and where the rows came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evalkit import numbers
from evalkit.report.rows import Entry, Key, Section, distinct
from evalkit.report.sample_rows import marked, told
from evalkit.report.table import Cell, Column, Detail, Footnotes, Table, transpose_equal
from evalkit.results import TaskResult
from evalkit.types import Summary

_COMPACT_FROM = 20
ALL, SEVERAL = "All rows", "Several rows"  # above lines that more than one row would repeat

Pick = Callable[[TaskResult], Summary | None]


def measures(entries: Sequence[Entry], titles: Sequence[str]) -> Table:
    """Every metric of every benchmark with its interval, then its macro average and categories."""
    columns = (Column("Benchmark", "left", key=True), Column("Measure", "left", key=True), Column("n"))
    rows: list[tuple[Cell, ...]] = []
    notes, below = Footnotes(), marked(entries)
    for entry in entries:
        label = Cell(entry.label, below=below if entry.sample_rows else "")
        for measure, cells in _measures(entry, notes):
            rows.append((label, Cell(measure), *cells))
            label = Cell("")
    ours = (Column(title, ours=True) for title in titles)
    return Table(told("Every measure", entries), (*columns, *ours), tuple(rows), notes.listed(), name="measures")


def _measures(entry: Entry, notes: Footnotes) -> list[tuple[str, list[Cell]]]:
    lines: list[tuple[str, list[Cell]]] = []
    for metric in _metrics(entry):
        lines.append((metric, _cells(entry, lambda r, m=metric: r.summaries.get(m), notes)))  # type: ignore[misc]
        macros = [_macro(result, metric) for result in entry.results]
        over = next((len(r.summaries[metric].groups) for _, r in entry.measured if metric in r.summaries and r.summaries[metric].groups), 0)
        kind = "languages" if _by_language(entry, metric) else "groups"
        if any(weighted := [_weighted(result, metric) for result in entry.results]):
            lines[-1] = (f"{metric}, macro over {over} {kind}", lines[-1][1])
            lines.append((f"{metric}, weighted by size", [Cell(""), *(Cell(text) for text in weighted)]))
        elif any(macros):
            lines.append((f"{metric}, macro over {over} {kind}", [Cell(""), *(Cell(text) for text in macros)]))
        for category in dict.fromkeys(name for _, r in entry.measured for name in r.categories.get(metric, {})):
            cells = _cells(entry, lambda r, m=metric, c=category: r.categories.get(m, {}).get(c), notes)  # type: ignore[misc]
            lines.append((f"{metric}, {category}", cells))
        for name in dict.fromkeys(name for _, r in entry.measured for name in r.baselines.get(metric, {})):
            cells = _cells(entry, lambda r, m=metric, b=name: r.baselines.get(m, {}).get(b), notes)  # type: ignore[misc]
            lines.append((f"{metric}, no model: {name}", cells))
    return lines


def _metrics(entry: Entry) -> list[str]:
    """Headline first, then the others in the task's order."""
    return list(dict.fromkeys([entry.first.headline, *(name for _, result in entry.measured for name in result.summaries)]))


def _macro(result: TaskResult | None, metric: str) -> str:
    summary = result.summaries.get(metric) if result else None
    return numbers.score(summary.macro) if summary and summary.macro is not None else ""


def _weighted(result: TaskResult | None, metric: str) -> str:
    summary = result.summaries.get(metric) if result else None
    return numbers.score(summary.weighted) if summary and summary.weighted is not None else ""


def _by_language(entry: Entry, metric: str) -> bool:
    """Languages are keyed by ISO 639 codes (2 or 3 letters), subjects by words."""
    return all(len(name) <= 3 and name.isalpha() and name.islower() for name in _group_names(entry, metric))


def _group_names(entry: Entry, metric: str) -> list[str]:
    return list(dict.fromkeys(name for _, r in entry.measured if metric in r.summaries for name in r.summaries[metric].groups))


def _cells(entry: Entry, pick: Pick, notes: Footnotes) -> list[Cell]:
    """n, then a score for each run; what could not be scored or extracted becomes a footnote."""
    found = [None if result is None else pick(result) for result in entry.results]
    counts = [numbers.count(summary.n) for summary in found if summary is not None]
    return [Cell(transpose_equal(counts) if counts else ""), *(_scored(summary, notes) for summary in found)]


def _scored(summary: Summary | None, notes: Footnotes) -> Cell:
    remarks = []
    if summary and summary.n_invalid:
        remarks.append(f"{numbers.count(summary.n_invalid)} of {numbers.count(summary.n)} invalid, counted as wrong")
    if summary and summary.n_apart:
        remarks.append(f"{numbers.plural(summary.n_apart, 'document')} set aside, which this measure is not about")
    if summary and summary.n_not_measured:
        remarks.append(f"{numbers.count(summary.n_not_measured)} not measured, left out")
    if summary and summary.note:
        remarks.append(summary.note)
    if summary and summary.no_interval:
        remarks.append(summary.no_interval)
    return Cell(numbers.measured(summary), notes.mark("; ".join(remarks)))


def breakdowns(entries: Sequence[Entry], titles: Sequence[str]) -> tuple[Table, ...]:
    """A table a benchmark with languages or subjects: one metric a run, or every metric when there is one run.

    The metric is the headline, or the first that has groups where the headline has none (IFEval's kinds of instructions).
    """
    heads = ((entry, next((m for m in _metrics(entry) if _group_names(entry, m)), None)) for entry in entries)
    return tuple(_breakdown(entry, head, titles) for entry, head in heads if head)


def _breakdown(entry: Entry, head: str, titles: Sequence[str]) -> Table:
    groups = _group_names(entry, head)
    kind = "Language" if _by_language(entry, head) else "Group"
    secondary = [m for m in _metrics(entry) if m != head and len(titles) == 1 and entry.first.summaries[m].groups]
    # Two intervals next to each other for 57 subjects help nobody: in a long table the headline is alone.
    shown = [head, *(secondary if len(groups) < _COMPACT_FROM else [])]
    columns = [Column(kind, "left", key=True), Column("n")]
    columns += [Column(metric, ours=True) for metric in shown] if len(titles) == 1 else [Column(title, ours=True) for title in titles]
    rows = []
    notes = Footnotes()
    for group in groups:
        cells = _cells(entry, lambda r, g=group: r.summaries[head].groups.get(g) if head in r.summaries else None, notes)  # type: ignore[misc]
        extra = [_scored(entry.first.summaries[m].groups.get(group), notes) for m in shown[1:]]
        rows.append((Cell(group), *cells, *extra))
    return Table(
        told(f"{entry.label}: {head} by {kind.lower()}", [entry]),
        tuple(columns),
        tuple(rows),
        notes.listed(),
        compact=len(groups) >= _COMPACT_FROM,
        name="breakdown",
    )


def details(found: Sequence[Section], titles: Sequence[str]) -> tuple[Detail, ...]:
    """Source, protocol and notes of every task, with what each card says of its rows; what differs between runs is said run by run.

    A line that several tasks share is there once, in front of them, with the tasks that it is about.
    """
    rows: dict[Key, list[tuple[Section, Entry]]] = {}
    for section in found:
        for entry in section.entries:
            rows.setdefault(entry.measurement, []).append((section, entry))
    entries = distinct(found, lambda entry: entry.measurement)
    alone = [Detail(entry.label, _lines(entry, rows[entry.measurement], titles)) for entry in entries]
    labels_of: dict[str, list[str]] = {}
    for detail in alone:
        for line in detail.lines:
            labels_of.setdefault(line, []).append(detail.label)
    several = {line: labels for line, labels in labels_of.items() if len(labels) > 1}
    if not several:
        return tuple(alone)
    every = [detail.label for detail in alone]
    of_all = tuple(line for line, labels in several.items() if len(labels) == len(every))
    of_some = tuple(f"{line}{_which(labels, every)}" for line, labels in several.items() if len(labels) < len(every))
    shared = [Detail(title, lines) for title, lines in ((ALL, of_all), (SEVERAL, of_some)) if lines]
    left = (Detail(detail.label, tuple(line for line in detail.lines if line not in several)) for detail in alone)
    return (*shared, *left)


def _which(labels: Sequence[str], every: Sequence[str]) -> str:
    """Of which rows a line is; those that it is not about, where they are fewer."""
    others = [label for label in every if label not in labels]
    return f" (all but {', '.join(others)})" if len(others) < len(labels) else f" ({', '.join(labels)})"


def _lines(entry: Entry, rows: Sequence[tuple[Section, Entry]], titles: Sequence[str]) -> tuple[str, ...]:
    first = entry.first
    protocol = f"task {first.task} v{first.version}, {first.headline}"
    printed = entry.row.about.printed_metric if entry.row else ""
    if printed and printed != first.headline:
        protocol += f" for the card's {printed}"
    if first.score.signature:
        protocol += f" ({first.score.signature})"
    sources = _said(entry, titles, lambda result: (result.source,))
    cards = [f"{section.card.title}: {note}" for section, place in rows if section.card and place.row for note in place.row.about.notes]
    return (protocol, *(f"rows: {line}" for line in sources), *_said(entry, titles, lambda result: result.notes), *dict.fromkeys(cards))


def _said(entry: Entry, titles: Sequence[str], lines: Callable[[TaskResult], Sequence[str]]) -> list[str]:
    by_line: dict[str, list[str]] = {}
    for i, result in entry.measured:
        for line in lines(result):
            if line:
                by_line.setdefault(line, []).append(titles[i])
    everyone = len(entry.measured)
    return [line if len(who) == everyone else f"{line} ({', '.join(who)})" for line, who in by_line.items()]
