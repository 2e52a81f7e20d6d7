"""Ratings from wherever they lie: files of pages, a server's journals, a judge's file, or another tool's export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.errors import DataError, did_you_mean
from evalkit.rating.journal import read_journal
from evalkit.rating.judge import JUDGES, read_judge
from evalkit.rating.other_tools import read_csv, read_json
from evalkit.rating.ratings import Rating, ratings_of, read_file
from evalkit.rating.sheet import KEY, RATINGS, Sheet


def read_ratings(paths: Sequence[Path], sheet: Sheet) -> list[Rating]:
    """All ratings of files and folders; a folder stands for the files in it, a sheet's for its `ratings/` and `judges/`.

    Raises:
        DataError: a file cannot be read or is not of this sheet, or one rater's ratings come from two files.
    """
    found: list[Rating] = []
    seen: dict[str, Path] = {}
    for path in _files(paths):
        mine = _read(path, sheet)
        for rater in dict.fromkeys(one.rater for one in mine):
            if rater in seen:
                raise DataError(f"{path}: the ratings of {rater} are in {seen[rater]} too; give one of the two, the newer")
            seen[rater] = path
        found += mine
    return found


def _read(path: Path, sheet: Sheet) -> list[Rating]:
    if path.suffix == ".jsonl":
        return _journal(path, sheet)
    if path.suffix == ".csv":
        return read_csv(path, sheet)
    if (given := read_json(path, sheet)) is not None:
        return given
    if (judged := read_judge(path, sheet)) is not None:
        return judged
    rater, records = read_file(path, sheet)
    return list(ratings_of(rater, records))


def _journal(path: Path, sheet: Sheet) -> list[Rating]:
    """What `evalkit rate serve` kept of one rater; a torn last line is one that the page was never told was kept."""
    rater = sheet.by_rater.get(path.stem)
    if rater is None:
        raise DataError(f"{path}: the sheet has no rater {path.stem!r}{did_you_mean(path.stem, sheet.by_rater)}")
    entries, _ = read_journal(path, rater)
    return list(ratings_of(rater, {slot: entry.record for slot, entry in entries.items()}))


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        places = [place for place in (path / RATINGS, path / JUDGES) if place.is_dir()] or [path]
        inside = sorted(
            file
            for place in places
            for file in place.iterdir()
            if file.is_file() and file.suffix in (".json", ".jsonl", ".csv") and file.name != KEY
        )
        if not inside:
            raise DataError(f"{path} holds no file of ratings; give the files that raters sent back")
        found += inside
    return found
