"""A sheet from gathered answers, and a page for every rater."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from evalkit.errors import ConfigError
from evalkit.files import json_lines, write_atomic
from evalkit.identity import short_hash
from evalkit.languages import LANGUAGES
from evalkit.rating import names
from evalkit.rating.assign import Place, Plan, assign
from evalkit.rating.gather import Gathered, Item
from evalkit.rating.markup import tidy
from evalkit.rating.page import page_of, shown_text
from evalkit.rating.sheet import FORMAT, KEY, LETTERS, PAGES, RATINGS, Rater, Sheet, SheetItem, Slot, Turn, signed
from evalkit.rating.words import language_of_page

NamedAnswers = Literal["refuse", "mask", "keep"]
_ID = re.compile(r"[\w][\w.-]{0,39}")
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Made:
    """What was written: the sheet, the pages by rater, the answers that name a model, and raters for whom no prompt was left."""

    sheet: Sheet
    pages: Mapping[str, Path]
    named: tuple[names.Named, ...]
    idle: tuple[str, ...] = ()


def read_raters(words: str) -> dict[str, tuple[str, ...]]:
    """Raters by id with the languages they read: of a number (they read all), or of a file.

    A file has lines of JSON, {"id": "asha", "languages": ["hi", "en"]}; the first language is that of the page.

    Raises:
        ConfigError: neither a number nor a file, or a line that is no rater.
    """
    if words.isdigit():
        count = int(words)
        if not 1 <= count <= 9999:
            raise ConfigError(f"raters={words} is no number of people; give 1 or more, or a file")
        return {f"rater-{number:0{max(2, len(words))}d}": () for number in range(1, count + 1)}
    path = Path(words)
    if not path.is_file():
        raise ConfigError(f'raters={words} is neither a number nor a file; its lines are like {{"id": "asha", "languages": ["hi"]}}')
    found: dict[str, tuple[str, ...]] = {}
    for number, row in json_lines(path):
        at = f"{path}:{number}"
        if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("languages"), list):
            raise ConfigError(f'{at}: no rater; write {{"id": "asha", "languages": ["hi", "en"]}}')
        if not _ID.fullmatch(row["id"]):
            raise ConfigError(f"{at}: id {row['id']!r} does not fit into a file name; use up to 40 letters, digits, dots and hyphens")
        if row["id"].casefold() in {name.casefold() for name in found}:
            raise ConfigError(f"{at}: the rater {row['id']!r} is listed twice; give everybody their own id")
        if unknown := [code for code in row["languages"] if code not in LANGUAGES]:
            raise ConfigError(f"{at}: {unknown[0]!r} is no known language code; known: {', '.join(LANGUAGES)}")
        found[row["id"]] = tuple(row["languages"])
    if not found:
        raise ConfigError(f"{path} names no rater")
    return found


def make(
    gathered: Gathered,
    raters: Mapping[str, Sequence[str]],
    plan: Plan,
    folder: Path,
    *,
    runs: Sequence[str] = (),
    named: NamedAnswers = "refuse",
    page_language: str = "",
) -> Made:
    """Write the key and a page for every rater.

    Args:
        named: what becomes of answers that name a model: `refuse` to write anything, `mask` the name, `keep` it.
        page_language: of every page; empty for each rater's first language.

    Raises:
        ConfigError: too few raters of a language; an answer names a model; the folder holds another sheet.
        FileError: a file cannot be written.
    """
    check_free(folder)
    if len(gathered.models) > len(LETTERS):
        raise ConfigError(f"{len(gathered.models)} models are more than a rater can hold against each other; give {len(LETTERS)} at most")
    if clash := sorted(set(raters) & set(gathered.models)):
        raise ConfigError(f"{clash[0]!r} is the id of a rater and the name of a model; rename the rater")
    items, found = _checked(gathered, named)
    secret = secrets.token_hex(32)
    content = [plan.seed, gathered.models, [(item.doc, item.answers) for item in items]]
    sheet_id = short_hash([content, secret])
    dealt = assign([(item.language, item.category) for item in items], raters, len(gathered.models), plan)
    kept = tuple(_sheet_item(item) for item in items)
    sheet = Sheet(
        format=FORMAT,
        id=sheet_id,
        secret=secret,
        seed=plan.seed,
        per_prompt=plan.per_prompt,
        models=gathered.models,
        runs=tuple(runs),
        items=kept,
        raters=tuple(
            _rater(name, tuple(reads), dealt[name], kept, secret, page_language or language_of(reads, kept, dealt[name]))
            for name, reads in raters.items()
            if dealt[name]
        ),
    )
    pages = {rater.id: folder / PAGES / f"{rater.id}.html" for rater in sheet.raters}
    for rater in sheet.raters:
        write_atomic(pages[rater.id], page_of(sheet, rater), "out=DIR")
    sheet.save(folder)  # last: a folder with a key is whole
    return Made(sheet, pages, found, tuple(name for name in raters if not dealt[name]))


def language_of(reads: Sequence[str], items: Sequence[SheetItem], places: Sequence[Place]) -> str:
    """What a rater's page speaks: the rater's first language, else that of the rater's prompts where they share one, else English."""
    mine = {items[place.item].language for place in places}
    return language_of_page(reads[0] if reads else mine.pop() if len(mine) == 1 else "en")


def check_free(folder: Path) -> None:
    """Raises ConfigError where the folder holds a sheet."""
    if (folder / KEY).exists():
        rated = any((folder / RATINGS).glob("*")) if (folder / RATINGS).is_dir() else False
        more = ", with ratings that belong to it" if rated else ""
        raise ConfigError(f"{folder} holds a sheet already{more}; choose another out=DIR, or remove the folder")


def _checked(gathered: Gathered, named: NamedAnswers) -> tuple[list[Item], tuple[names.Named, ...]]:
    """The items as raters may see them, and which answers name a model."""
    finder = names.pattern(names.words_of(gathered.models))
    items, found = [], []
    for place, item in enumerate(gathered.items):
        asked = "\n".join(turn.content for turn in item.turns)
        answers = [tidy(answer) for answer in item.answers]
        for model, answer in enumerate(answers):
            if words := names.naming(answer, asked, finder):
                found.append(names.Named(place, model, words))
                answers[model] = names.masked(answer, asked, finder) if named == "mask" else answer
        items.append(replace(item, answers=tuple(answers)))
    if found and named == "refuse":
        listed = "; ".join(
            f"{gathered.models[one.model]} on {gathered.items[one.item].doc}: {', '.join(one.words)}" for one in found[:SHOWN]
        )
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ConfigError(
            f"{len(found)} answers name a model or its maker, which tells raters whose they are ({listed}{more}); "
            "named=mask puts […] in the place of the name, named=keep sends them as they are"
        )
    return items, tuple(found)


def _sheet_item(item: Item) -> SheetItem:
    turns = tuple(Turn(turn.role, tidy(turn.content)) for turn in item.turns)
    return SheetItem(item.task, item.doc, item.language, item.category, turns, item.answers, item.reference)


def _rater(name: str, reads: tuple[str, ...], places: Sequence[Place], items: Sequence[SheetItem], secret: str, page: str) -> Rater:
    slots = tuple(
        Slot(
            id="q" + signed(secret, "slot", name, number),
            item=place.item,
            order=place.order,
            repeat=place.repeat,
            calibration=place.calibration,
            text=shown_text(items[place.item], place.order),
        )
        for number, place in enumerate(places)
    )
    token = signed(secret, "token", name, digits=32)
    signature = signed(secret, "page", name, json.dumps([slot.id for slot in slots]), digits=32)
    return Rater(name, reads, page, token, signature, slots)
