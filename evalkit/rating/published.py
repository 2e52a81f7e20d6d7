"""Ratings that a card prints: `ratings.csv` in the card's folder, `by,name,column,score,note`.

`by` is category or language, `name` the category or the language's code, `column` the card's column. A score that was read off a
picture is a range, `3.6-3.9`; `note` says so in words.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from evalkit.cards import Card
from evalkit.errors import DataError
from evalkit.files import read_text
from evalkit.rating.saved import By
from evalkit.rating.sheet import SCALE

FILE = "ratings.csv"
COLUMNS = ["by", "name", "column", "score", "note"]
_SCORE = re.compile(r"(\d+(?:\.\d+)?)(?:\s*[-–]\s*(\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True)
class PublishedRating:
    """One printed mean rating; `low` and `high` are equal for a printed number, and differ for one read off a picture."""

    by: By
    name: str
    column: str
    low: float
    high: float
    note: str = ""

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def read_off(self) -> bool:
        """A range, because nobody printed the number."""
        return self.low != self.high


def published_ratings(card: Card) -> list[PublishedRating]:
    """What a card prints of people's ratings; empty for a card without the file.

    Raises:
        DataError: a wrong header or line; `file:line`.
    """
    if card.folder is None or not (card.folder / FILE).is_file():
        return []
    return read_published(card.folder / FILE)


def read_published(path: Path) -> list[PublishedRating]:
    """As `published_ratings`, of a file."""
    reader = csv.reader(io.StringIO(read_text(path, "give a UTF-8 CSV file"), newline=""))
    if next(reader, []) != COLUMNS:
        raise DataError(f"{path}:1: the columns are not {','.join(COLUMNS)}; write them in this order")
    found = []
    for fields in reader:
        if not fields:
            continue
        at = f"{path}:{reader.line_num}"
        if len(fields) != len(COLUMNS):
            raise DataError(f"{at}: {len(fields)} fields, not {len(COLUMNS)}; quote a value that holds a comma")
        by, name, column, score, note = (field.strip() for field in fields)
        match = _SCORE.fullmatch(score)
        if by not in ("category", "language") or not name or not column:
            raise DataError(f"{at}: by={by!r}, name={name!r}, column={column!r}; by is category or language, and none is empty")
        if match is None:
            raise DataError(f"{at}: score={score!r} is neither a number nor a range such as 3.6-3.9")
        low = float(match[1])
        high = float(match[2] or match[1])
        if not SCALE[0] <= low <= high <= SCALE[1]:
            raise DataError(f"{at}: score={score!r} is not on the scale of {SCALE[0]} to {SCALE[1]}")
        found.append(PublishedRating("category" if by == "category" else "language", name, column, low, high, note))
    return found
