"""Measured against printed: reproduced, within noise, differs, not comparable, not measured; each with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from evalkit import numbers
from evalkit.report.published import CardRow, CardTable, PublishedCell
from evalkit.results import TaskResult

Word = Literal["reproduced", "within noise", "differs", "not comparable", "not measured"]
TOP = 3


@dataclass(frozen=True, slots=True)
class RowProtocol:
    """What is known of how a row was measured; see results/published/krutrim2.yaml."""

    metrics: tuple[str, ...] = ()
    not_comparable: str = ""
    caveat: str = ""


@dataclass(frozen=True, slots=True)
class CardProtocol:
    """`third_party`: table key -> (columns, reason). Empty for a card nothing is written about."""

    subject: str = ""
    third_party: Mapping[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    rows: Mapping[str, RowProtocol] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A word, why, and measured minus printed (None where one of the two is missing)."""

    word: Word
    reason: str
    difference: float | None = None


def judge(result: TaskResult | None, table: CardTable, row: CardRow, cell: PublishedCell, protocol: CardProtocol) -> Verdict:
    """Hold one measured score against one printed cell.

    *Reproduced*: the whole benchmark was measured and the score rounds to the printed digits. *Within noise*: the measured
    95% interval reaches the printed number, give or take its rounding. *Differs*: it does not. Nothing is called so when the
    two were made in different ways, or nobody knows how the printed one was made.
    """
    if result is None:
        return Verdict("not measured", "not part of this run")
    score = result.score
    if score.value is None:
        return Verdict("not measured", "no document could be scored")
    if cell.value is None:
        return Verdict("not comparable", f"the card prints no number here ({cell.note})")
    difference = score.value - cell.value
    if why := _incomparable(result, table, row, cell, protocol):
        return Verdict("not comparable", "; ".join(why), difference)
    half = 0.5 * 10.0 ** -len((cell.score or "").partition(".")[2]) + 1e-9
    about = protocol.rows.get(row.task, RowProtocol()).caveat
    ending = f"; {about}" if about else ""
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


def _incomparable(result: TaskResult, table: CardTable, row: CardRow, cell: PublishedCell, protocol: CardProtocol) -> list[str]:
    known = protocol.rows.get(row.task, RowProtocol())
    columns, third_party = protocol.third_party.get(table.key, ((), ""))
    why = [known.not_comparable]
    if cell.model in columns:
        why.append(third_party)
    if cell.note:
        why.append(f"the card's number was made otherwise: {cell.note}")
    elif row.num_fewshot is not None and row.num_fewshot != result.num_fewshot:
        why.append(f"measured {result.num_fewshot}-shot, the card says {row.num_fewshot}-shot")
    if known.metrics and result.headline not in known.metrics:
        why.append(f"measured {result.headline}, the card's number is {' or '.join(known.metrics)}")
    if result.sample_rows:
        why.append("measured on sample rows, not the benchmark")
    return [text for text in why if text]


def standings(table: CardTable, model: str, measured: Mapping[str, float] | None = None) -> str:
    """`BharatBench, as printed: Krutrim-2-12B is among the top 3 on 5 of 7 rows`, counted, not typed.

    Ties share a rank: a model's rank is one more than the number of columns above it. Rows without a number for the model do
    not count. `measured` (by task) takes the model's place on those rows alone, rounded as the card rounds.
    """
    ranks = [rank for row in table.rows if (rank := _rank(row, model, measured)) is not None]
    best = sum(rank <= TOP for rank in ranks)
    how = "as printed" if measured is None else "with the measured scores in its column"
    return f"{table.title}, {how}: {model} is among the top {TOP} on {best} of {numbers.plural(len(ranks), 'row')}."


def _rank(row: CardRow, model: str, measured: Mapping[str, float] | None) -> int | None:
    own = next((cell for cell in row.cells if cell.model == model), None)
    if own is None or own.value is None or (measured is not None and row.task not in measured):
        return None
    decimals = len((own.score or "").partition(".")[2])
    value = own.value if measured is None else round(measured[row.task], decimals)
    return 1 + sum(cell.value > value for cell in row.cells if cell.model != model and cell.value is not None)


def statements(tables: Sequence[CardTable], measured: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """The card's "top 3" counts for every column that was measured (scores by task), as printed and as measured."""
    lines = []
    for table in tables:
        for model, scores in measured.items():
            if model in table.models:
                lines += [standings(table, model), standings(table, model, scores)]
    return tuple(lines)
