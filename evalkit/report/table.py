"""A table as data: what every output format draws, and nothing about how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Align = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        key: names the row; repeated whenever a narrow terminal folds the table.
        published: one of the card's own columns; these fold first.
        ours: holds a measured score.
    """

    title: str
    align: Align = "right"
    key: bool = False
    published: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """Text and the letters of its footnotes; `below` is a second line that must not be missed."""

    text: str
    marks: tuple[str, ...] = ()
    below: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Every row has one cell a column; `footnotes` are (letter, text); `compact` tables may be drawn in panels."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footnotes: tuple[tuple[str, str], ...] = ()
    compact: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.title!r}: a row of {len(row)} cells under {len(self.columns)} columns")


@dataclass(frozen=True, slots=True)
class Detail:
    """Lines for under the tables about one benchmark: source, protocol, assumptions."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says, in reading order.

    Attributes:
        warnings: what a reader must know before any number: unfinished runs, nothing measured.
        comparison: one table a table of the card that has a measured row, then the other tasks.
        leaderboard: ranks and averages of several runs; empty for one.
        lengths: scores by length and depth of long texts, run by run.
        measures: every metric, macro average and category of every benchmark; None when nothing was measured.
        breakdowns: one table a benchmark that has languages or subjects.
        legend: how to read the numbers.
    """

    title: str
    warnings: tuple[str, ...] = ()
    comparison: tuple[Table, ...] = ()
    leaderboard: tuple[Table, ...] = ()
    lengths: tuple[Table, ...] = ()
    measures: Table | None = None
    breakdowns: tuple[Table, ...] = ()
    details: tuple[Detail, ...] = ()
    legend: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        return (*self.comparison, *self.leaderboard, *self.lengths, *((self.measures,) if self.measures else ()), *self.breakdowns)


@dataclass
class Footnotes:
    """Hands out letters (a, b, … z, aa) in order of first use; equal texts share one."""

    texts: dict[str, str] = field(default_factory=dict)

    def mark(self, *texts: str) -> tuple[str, ...]:
        """The letters of these texts; empty texts get none."""
        for text in texts:
            if text and text not in self.texts:
                self.texts[text] = _letters(len(self.texts))
        return tuple(self.texts[text] for text in texts if text)

    def listed(self) -> tuple[tuple[str, str], ...]:
        return tuple((letter, text) for text, letter in self.texts.items())


def _letters(index: int) -> str:
    word = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        word = chr(ord("a") + digit) + word
    return word


def heading(text: str, width: int = 0) -> list[str]:
    """A column title in lines of at most max(8, `width`) letters where it can be broken: at spaces, after hyphens.

    `MN-12B-Instruct` -> `MN-12B-`, `Instruct`.
    """
    width = max(8, width)
    if len(text) <= width:
        return [text]
    lines: list[str] = []
    for word in text.split(" "):
        parts = [part + "-" for part in word.split("-")[:-1]] + [word.split("-")[-1]]
        for place, part in enumerate(parts):
            joined = f"{lines[-1]}{'' if place else ' '}{part}" if lines else part
            if lines and len(joined) <= width:
                lines[-1] = joined
            else:
                lines.append(part)
    return lines


def transpose_equal(texts: Sequence[str]) -> str:
    """One text when all agree, else all of them in order: `200 / 100`."""
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)
