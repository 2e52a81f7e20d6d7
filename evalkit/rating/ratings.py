"""What comes back: a rater's file, checked word by word against the sheet, as plain ratings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from evalkit.errors import DataError, did_you_mean
from evalkit.files import read_text
from evalkit.rating.markup import fingerprint
from evalkit.rating.sheet import LETTERS, SCALE, Rater, Sheet, Slot

FORMAT = "evalkit-rating/1"
CANNOT = "cannot"
Given = Annotated[int, msgspec.Meta(ge=SCALE[0], le=SCALE[1])] | Literal["cannot"]


@dataclass(frozen=True, slots=True)
class Rating:
    """One answer, rated by one rater.

    Attributes:
        rater: a person's id, or a judge's name.
        item, model: places in the sheet.
        value: 1 to 5; None: cannot judge.
        repeat: the rater had rated this prompt before; such ratings tell how steady a rater is, and no model's score.
        letter: what the answer was called on the page.
        judge: a language model gave it, not a person.
    """

    rater: str
    item: int
    model: int
    value: int | None
    comment: str = ""
    repeat: bool = False
    calibration: bool = False
    letter: str = ""
    seconds: int = 0
    judge: bool = False


class Record(msgspec.Struct, frozen=True):
    """One prompt of a rater's file: points by letter, comments by letter, seconds, when (ms since 1970), what was shown."""

    answers: dict[str, Given]
    comments: dict[str, str] = {}
    seconds: int = 0
    at: int = 0
    text: str = ""


class RaterFile(msgspec.Struct, frozen=True):
    """A file as a page saves it."""

    format: str
    sheet: str
    rater: str
    signature: str
    slots: dict[str, msgspec.Raw]
    check: str = ""


def read_files(paths: Sequence[Path], sheet: Sheet) -> list[Rating]:
    """All ratings of files that pages saved.

    Raises:
        DataError: a file is damaged, of another sheet, edited, holds an impossible rating, or a rater comes twice.
    """
    found: list[Rating] = []
    seen: dict[str, Path] = {}
    for path in paths:
        rater, records = read_file(path, sheet)
        if rater.id in seen:
            raise DataError(f"{path}: the ratings of {rater.id} are in {seen[rater.id]} too; give the newer of the two alone")
        seen[rater.id] = path
        found += ratings_of(rater, records)
    return found


def read_file(path: Path, sheet: Sheet) -> tuple[Rater, dict[str, Record]]:
    """A rater's file, checked: the rater and the records by slot.

    Raises:
        DataError: as `read_files` says; names the file and what is wrong.
    """
    text = read_text(path, "ask the rater to send the file again")
    try:
        raw = json.loads(text)
        read = msgspec.convert({**raw, "slots": {name: msgspec.Raw(b"") for name in raw["slots"]}}, RaterFile)
    except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError, RecursionError) as error:
        raise DataError(f"{path} is no file of ratings ({error}); give what the page's button saves") from error
    if read.format != FORMAT:
        raise DataError(f"{path} is of format {read.format!r}, not {FORMAT}; give what the page's button saves")
    if read.sheet != sheet.id:
        raise DataError(f"{path} belongs to the sheet {read.sheet}, not to {sheet.id}; sheet=DIR names the folder of its own")
    rater = sheet.by_rater.get(read.rater)
    if rater is None:
        raise DataError(f"{path}: the sheet has no rater {read.rater!r}{did_you_mean(read.rater, sheet.by_rater)}")
    if read.signature != rater.signature:
        raise DataError(f"{path}: the signature is not that of the page of {rater.id}; the file was made by another page, or edited")
    if read.check != fingerprint(json.dumps(raw["slots"], ensure_ascii=False, separators=(",", ":"))):
        raise DataError(f"{path} was edited after the page saved it (its check sum does not match); ask {rater.id} to save it again")
    return rater, {name: read_record(str(path), name, one, rater) for name, one in raw["slots"].items()}


def read_record(where: str, name: str, raw: Any, rater: Rater) -> Record:
    """One prompt's ratings, checked against what the page showed.

    Args:
        name: of the prompt on the rater's page.

    Raises:
        DataError: begins with `where` and the name.
    """
    where = f"{where}: {name}"
    slot = slot_of(rater, name)
    if slot is None:
        raise DataError(f"{where}: the page of {rater.id} has no such prompt")
    try:
        record = msgspec.convert(raw, Record)
    except msgspec.ValidationError as error:
        raise DataError(f"{where}: a rating is a whole number from {SCALE[0]} to {SCALE[1]}, or {CANNOT!r} ({error})") from error
    letters = LETTERS[: len(slot.order)]
    if odd := [letter for letter in (*record.answers, *record.comments) if letter not in letters or len(letter) != 1]:
        raise DataError(f"{where}: there is no answer {odd[0]!r}; the answers are {', '.join(letters)}")
    if record.text != slot.text:
        raise DataError(
            f"{where}: {rater.id} was shown another text than the sheet has (a browser's translation, or an edited page); "
            "ask for these ratings again"
        )
    return record


def slot_of(rater: Rater, name: str) -> Slot | None:
    """The rater's slot of that name."""
    return next((slot for slot in rater.slots if slot.id == name), None)


def ratings_of(rater: Rater, records: Mapping[str, Record]) -> Iterator[Rating]:
    """Ratings of one rater, in the order of the page."""
    for slot in rater.slots:
        record = records.get(slot.id)
        if record is None:
            continue
        for place, model in enumerate(slot.order):
            letter = LETTERS[place]
            if letter not in record.answers:
                continue
            given = record.answers[letter]
            yield Rating(
                rater=rater.id,
                item=slot.item,
                model=model,
                value=None if given == CANNOT else int(given),
                comment=record.comments.get(letter, ""),
                repeat=slot.repeat,
                calibration=slot.calibration,
                letter=letter,
                seconds=record.seconds,
            )
