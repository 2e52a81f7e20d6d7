"""A language model as one more rater: it reads what people read, and its points never enter their means."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from evalkit.errors import DataError, ModelError
from evalkit.files import dump, read_text, write_atomic
from evalkit.models.base import Model, check_capabilities
from evalkit.progress import Progress, Silent
from evalkit.rating.ratings import Rating
from evalkit.rating.sheet import Sheet, SheetItem
from evalkit.rating.words import WORDS
from evalkit.store.journal import Journal
from evalkit.types import GenerateRequest, GenerationParams, Message, Response

FORMAT = "evalkit-judge/1"
JUDGES = "judges"
PARAMS = GenerationParams(max_new_tokens=16)
# A number of 1 to 5 that is alone: "4", "Rating: 4", "**4**"; not the 4 of 14 or of 3.4.
_POINTS = re.compile(r"(?<![\d.,])([1-5])(?!\d|[.,]\d)")
# The scale itself, which a judge may repeat: "from 1 to 5", "1-5", "4/5", "4 out of 5".
_SCALE_SAID = re.compile(r"\b1\s*(?:to|[-–])\s*5\b|(?:/|\bout of)\s*5\b", re.IGNORECASE)
_LABEL = r"\W*(?:(?:my|your|the|final|overall)\s+)*(?:rating|score|points|answer)?\W*(?:is|of)?\W*"
_FIRST = re.compile(_LABEL + r"(?=[1-5](?!\d|[.,]\d))", re.IGNORECASE)
_EN = WORDS["en"]
_SCALE = "\n".join(f"{n}: {_EN[f'guide_{n}']}" for n in (5, 4, 3, 2, 1))
TEMPLATE = """\
You rate an answer that somebody gave to the request below. {look}

{scale}

### Request
{asked}

### Answer
{answer}

### Your rating
Write a single number from 1 to 5 and nothing else."""


class Judged(msgspec.Struct, frozen=True):
    """One answer's rating; `value` is None where no number could be read from what the judge said."""

    item: int
    model: int
    value: int | None
    said: str = ""


class JudgeFile(msgspec.Struct, frozen=True):
    """What a judge's file holds."""

    format: str
    sheet: str
    judge: str
    ratings: tuple[Judged, ...]


def judge_prompt(item: SheetItem, answer: str) -> str:
    """What the judge is asked about one answer: the request, the answer, the scale that people see; no name of a model."""
    turns = item.turns
    asked = turns[0].content if len(turns) == 1 else "\n\n".join(f"[{turn.role}]\n{turn.content}" for turn in turns)
    return TEMPLATE.format(look=_EN["guide_look"], scale=_SCALE, asked=asked, answer=answer or _EN["empty"])


def judge(sheet: Sheet, model: Model, name: str, folder: Path, progress: Progress | None = None) -> tuple[Path, list[Rating]]:
    """Ask a model to rate every answer of a sheet; what it has said already is not asked again.

    Args:
        name: what the judge is called.
        folder: of the sheet; the file is `judges/NAME.json` in it.

    Returns:
        The file, and the ratings.

    Raises:
        ModelError: the model cannot generate, or not one of its answers could be read.
        JournalError: its answers cannot be kept.
    """
    progress = progress or Silent()
    asked = [(i, m) for i, item in enumerate(sheet.items) for m in range(len(item.answers))]
    requests = [_request(sheet.items[i], i, m, model.capabilities.chat) for i, m in asked]
    check_capabilities(model, requests)
    items = model.encode(requests)
    with Journal(folder / JUDGES / name) as journal:
        left = {item.key: item for item in items if item.key not in journal.answers}
        if left:
            progress.start(list(left.values()), len(items) - len(left))
            try:
                for batch in model.answer(items, set(journal.answers)):
                    journal.append(batch)
                    progress.advance([item for one in batch if (item := left.pop(one.key, None))])
            finally:
                progress.stop()
        said = [journal.answers.get(item.key) for item in items]
    judged = [Judged(i, m, points(one), _text(one)) for (i, m), one in zip(asked, said, strict=True)]
    if all(one.value is None for one in judged):
        first = next((one.said for one in judged if one.said), "nothing")
        raise ModelError(f"no rating could be read from what {name} said (first: {first!r:.80}); choose a model that follows instructions")
    path = folder / JUDGES / f"{name}.json"
    write_atomic(path, dump(msgspec.to_builtins(JudgeFile(FORMAT, sheet.id, name, tuple(judged)))), "sheet=DIR")
    return path, _ratings(name, judged)


def points(response: Response | None) -> int | None:
    """The number that the judge gave: the first thing it says, or the only number it says; None where neither can be read."""
    text = _SCALE_SAID.sub(" ", _text(response))
    if (start := _FIRST.match(text)) and (first := _POINTS.match(text, start.end())):
        return int(first[1])
    said = set(_POINTS.findall(text))
    return int(said.pop()) if len(said) == 1 else None


def read_judge(path: Path, sheet: Sheet) -> list[Rating] | None:
    """The ratings of a judge's file; None for any other file.

    Raises:
        DataError: a judge's file that is damaged, or of another sheet.
    """
    text = read_text(path, "give a file of ratings")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        return None
    try:
        read = msgspec.convert(raw, JudgeFile)
    except msgspec.ValidationError as error:
        raise DataError(f"{path} is damaged ({error}); run evalkit rate judge again") from error
    if read.sheet != sheet.id:
        raise DataError(f"{path} belongs to the sheet {read.sheet}, not to {sheet.id}; sheet=DIR names the folder of its own")
    for one in read.ratings:
        fits = 0 <= one.item < len(sheet.items) and 0 <= one.model < len(sheet.models) and (one.value is None or 1 <= one.value <= 5)
        if not fits:
            raise DataError(
                f"{path}: {one.value} for answer {one.item}/{one.model} is no rating of this sheet; run evalkit rate judge again"
            )
    if read.judge in sheet.by_rater:
        raise DataError(f"{path}: the judge {read.judge!r} has the name of a person; name=NAME gives it another")
    return _ratings(read.judge, read.ratings)


def _ratings(name: str, judged: Sequence[Judged]) -> list[Rating]:
    return [Rating(name, one.item, one.model, one.value, judge=True) for one in judged if one.value is not None]


def _text(response: Response | None) -> str:
    return (response.text or "").strip() if response is not None else ""


def _request(item: SheetItem, place: int, model: int, chat: bool) -> GenerateRequest:
    text = judge_prompt(item, item.answers[model])
    prompt: str | tuple[Message, ...] = (Message("user", text),) if chat else f"{text}\nRating:"
    return GenerateRequest("judge", f"{place}/{model}", prompt, PARAMS)
