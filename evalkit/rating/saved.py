"""Ratings in run folders, read back for charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from evalkit.errors import DataError
from evalkit.files import numbered_jsonl
from evalkit.rating.collect import RATED
from evalkit.rating.means import Estimate, two_way
from evalkit.rating.sheet import SCALE

By = Literal["category", "language"]


class Rated(msgspec.Struct, frozen=True):
    """One line of `ratings.jsonl`."""

    sheet: str
    rater: str
    doc: str
    category: str
    language: str
    value: int | None = None
    repeat: bool = False
    judge: bool = False


def read_rated(folder: Path) -> list[Rated]:
    """People's ratings in a run folder, without repeats; empty where nobody rated the run.

    Raises:
        DataError: a damaged line.
    """
    path = folder / RATED
    if not path.is_file():
        return []
    found = []
    for number, row in numbered_jsonl(path):
        try:
            found.append(msgspec.convert(row, Rated))
        except msgspec.ValidationError as error:
            raise DataError(f"{path}:{number} is no rating ({error}); collect the ratings again") from error
    return [one for one in found if one.value is not None and not one.repeat and not one.judge]


def means_by(rated: Sequence[Rated], by: By) -> dict[str, Estimate]:
    """Mean rating, 1 to 5, of every category or language, with the two-way interval."""
    return {name: mean_of([one for one in rated if getattr(one, by) == name]) for name in kinds([rated], by)}


def kinds(many: Iterable[Sequence[Rated]], by: By) -> list[str]:
    """Every category or language, in order of first appearance."""
    return list(dict.fromkeys(getattr(one, by) for rated in many for one in rated))


def mean_of(rated: Sequence[Rated]) -> Estimate:
    """Mean rating, 1 to 5."""
    bounds: tuple[float, float] = SCALE
    return two_way(
        [float(one.value or 0) for one in rated],
        [(one.sheet, one.category, one.doc) for one in rated],
        [(one.sheet, one.rater) for one in rated],
        [one.language for one in rated],
        bounds,
    )


Means = Mapping[str, Estimate]
