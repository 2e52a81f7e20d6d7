"""Measured against printed: reproduced, within noise, differs, not comparable, not measured; each with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from evalkit import numbers
from evalkit.cards.card import CardRow, CardTable, PublishedCell
from evalkit.results import TaskResult

Word = Literal["reproduced", "within noise", "differs", "not comparable", "not measured"]
TOP = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """A word, why, and measured minus printed on our scale (None where one of the two is missing)."""

    word: Word
    reason: str
    difference: float | None = None


def judge(result: TaskResult | None, table: CardTable, row: CardRow, cell: PublishedCell) -> Verdict:
    """Hold one measured score, of the row's metric, against one printed cell.

    *Reproduced*: the whole benchmark was measured and the score rounds to the printed digits. *Within noise*: the measured
    95% interval reaches the printed number, give or take its rounding. *Differs*: it does not. Nothing is called so when the
    two were made in different ways, or nobody knows how the printed one was made.
    """
    if result is None:
        return Verdict("not measured", row.about.not_comparable if row.task is None else "not part of this run")
    result = row.shown(result)
    score = result.score
    if score.value is None:
        return Verdict("not measured", score.note or "no document could be scored")
    if cell.value is None:
        return Verdict("not comparable", f"the card prints no number here ({cell.note})")
    difference = score.value - cell.value
    if why := list(_incomparable(result, table, row, cell)):
        # Two numbers of different metrics have no difference.
        other = row.about.metric and result.headline != row.about.metric
        return Verdict("not comparable", "; ".join(why), None if other else difference)
    half = cell.rounding + 1e-9
    ending = f"; {row.about.caveat}" if row.about.caveat else ""
    if result.coverage == 1 and abs(difference) <= half:
        return Verdict("reproduced", f"rounds to the printed {cell.score}{ending}", difference)
    if score.ci is None:
        return Verdict("not comparable", score.no_interval or "the score has no interval", difference)
    low, high = score.ci
    part = "" if result.coverage == 1 else f", of {numbers.coverage(result.coverage)} of the documents,"
    within = low - half <= cell.value <= high + half
    said = "reaches" if within else "does not reach"
    reason = f"the interval{part} {said} the printed {cell.score}{ending}"
    return Verdict("within noise" if within else "differs", reason, difference)


def _incomparable(result: TaskResult, table: CardTable, row: CardRow, cell: PublishedCell) -> Iterator[str]:
    if row.about.not_comparable:
        yield row.about.not_comparable
    if table.third_party and cell.column in table.third_party.columns:
        yield table.third_party.reason
    if cell.note:
        yield f"the card's number was made otherwise: {cell.note}"
    elif row.about.shots is not None and result.shots not in (None, row.about.shots):
        yield f"measured {result.shots}-shot, the card says {row.about.shots}-shot"
    if row.about.metric and result.headline != row.about.metric:
        yield f"measured {result.headline}; the card's number is {row.about.metric}, which {result.task} does not have"
    if result.answers_from:
        yield f"how the answers of {result.answers_from} were asked for (prompt, shots, template, sampling) is not known"
    if result.languages_missing:
        yield _some_languages(result)
    if result.sample_rows:
        yield "measured on sample rows, not the benchmark"


def _some_languages(result: TaskResult) -> str:
    missing = result.languages_missing
    listed = f": without {', '.join(missing)}" if len(missing) <= 3 else ""
    return f"{len(missing)} of the benchmark's languages were not measured{listed}"


def standings(table: CardTable, column: str, measured: Mapping[str, float] | None = None) -> str:
    """`BharatBench, as printed: Krutrim-2-12B is among the top 3 on 5 of 7 rows`, counted, not typed.

    Ties share a rank: a column's rank is one more than the number of columns above it. Rows without a number for the column do
    not count. `measured` (by the row's key) takes the column's place on those rows alone, rounded as the card rounds.
    """
    ranks = [rank for row in table.rows if (rank := _rank(row, column, measured)) is not None]
    best = sum(rank <= TOP for rank in ranks)
    how = "as printed" if measured is None else "with the measured scores in its column"
    return f"{table.title}, {how}: {column} is among the top {TOP} on {best} of {numbers.plural(len(ranks), 'row')}."


def _rank(row: CardRow, column: str, measured: Mapping[str, float] | None) -> int | None:
    own = next((cell for cell in row.cells if cell.column == column), None)
    if own is None or own.value is None or (measured is not None and row.key not in measured):
        return None
    value = own.value if measured is None else round(measured[row.key] * own.scale, own.decimals) / own.scale
    return 1 + sum(cell.value > value for cell in row.cells if cell.column != column and cell.value is not None)


def statements(table: CardTable, measured: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """A table's "top 3" counts for every column that was measured (scores by the row's key), as printed and as measured.

    A table of three columns has nothing to count.
    """
    for column, scores in measured.items():
        if column in table.columns and len(table.columns) > TOP:
            yield from (standings(table, column), standings(table, column, scores))
