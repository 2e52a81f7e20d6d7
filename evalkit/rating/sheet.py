"""The maker's key, `key.json`: which model wrote what, and who rates what. No rater gets any of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import string
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from evalkit.errors import ConfigError, DataError
from evalkit.files import dump, read_text, write_atomic

KEY, PAGES, RATINGS = "key.json", "pages", "ratings"
FORMAT = "evalkit-sheet/1"
LETTERS = string.ascii_uppercase
SCALE = (1, 5)


class Turn(msgspec.Struct, frozen=True):
    """One turn of a prompt."""

    role: str
    content: str


class SheetItem(msgspec.Struct, frozen=True):
    """One prompt and its answers, one per model in the sheet's order; texts as the models wrote them, but for masked names."""

    task: str
    doc: str
    language: str
    category: str
    turns: tuple[Turn, ...]
    answers: tuple[str, ...]
    reference: str | None = None


class Slot(msgspec.Struct, frozen=True):
    """One prompt on one rater's page.

    Attributes:
        id: what the page calls it; says nothing of prompt or models.
        item: place of the prompt in the sheet.
        order: which model is under A, B, …
        text: fingerprint of all that the page shows of it.
    """

    id: str
    item: int
    order: tuple[int, ...]
    repeat: bool = False
    calibration: bool = False
    text: str = ""


class Rater(msgspec.Struct, frozen=True):
    """A rater: languages read (empty for all), language of the page, and the token of the rater's address when it is served."""

    id: str
    languages: tuple[str, ...]
    page: str
    token: str
    signature: str
    slots: tuple[Slot, ...]


class Sheet(msgspec.Struct, frozen=True, dict=True):
    """Everything that was made, as `key.json` holds it."""

    format: str
    id: str
    secret: str
    seed: int
    per_prompt: int
    models: tuple[str, ...]
    runs: tuple[str, ...]
    items: tuple[SheetItem, ...]
    raters: tuple[Rater, ...]

    @cached_property
    def by_rater(self) -> Mapping[str, Rater]:
        return {rater.id: rater for rater in self.raters}

    @cached_property
    def letters(self) -> frozenset[str]:
        """Every letter of every prompt and answer."""
        texts = [text for item in self.items for text in (*item.answers, *(turn.content for turn in item.turns))]
        return frozenset[str]().union(*texts)

    @cached_property
    def languages(self) -> frozenset[str]:
        """Of the prompts, and those that raters read."""
        return frozenset(item.language for item in self.items).union(*(rater.languages for rater in self.raters))

    @property
    def rows_sha256(self) -> str:
        """Of the prompts alone."""
        prompts = [[item.task, item.doc, [[turn.role, turn.content] for turn in item.turns]] for item in self.items]
        return hashlib.sha256(json.dumps(prompts, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()

    def save(self, folder: Path) -> Path:
        """Write the key, readable by its owner alone.

        Raises:
            FileError: it cannot be written.
        """
        path = folder / KEY
        write_atomic(path, dump(msgspec.to_builtins(self)), "out=DIR")
        os.chmod(path, 0o600)
        return path


def signed(secret: str, *parts: object, digits: int = 16) -> str:
    """A keyed hash of these parts (HMAC, RFC 2104, SHA-256), cut to so many hexadecimal digits."""
    text = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return hmac.new(bytes.fromhex(secret), text, hashlib.sha256).hexdigest()[:digits]


def read_sheet(folder: Path) -> Sheet:
    """The key in a folder.

    Raises:
        ConfigError: there is none.
        DataError: it is damaged, or of another version.
    """
    path = folder / KEY if folder.name != KEY else folder
    if not path.is_file():
        raise ConfigError(f"{folder} is no folder of a sheet (no {KEY}); evalkit rate make … out=DIR makes one")
    text = read_text(path, "restore the file: without it no rating can be told to a model")
    try:
        sheet = msgspec.json.decode(text, type=Sheet)
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} is damaged ({error}); restore the file: without it no rating can be told to a model") from error
    if sheet.format != FORMAT:
        raise DataError(f"{path} is a key of format {sheet.format!r}, not {FORMAT}; read it with the version that wrote it")
    return sheet


def find_sheet(places: Sequence[Path]) -> Path:
    """The first of these folders, or of the two folders above it, that holds a key.

    Raises:
        ConfigError: none does; says how to name it.
    """
    for place in places:
        for folder in (place, place.parent, place.parent.parent):
            if (folder / KEY).is_file():
                return folder
    raise ConfigError(f"no {KEY} near {places[0] if places else '.'}; sheet=DIR names the folder that evalkit rate make wrote")


def letters(count: int) -> Sequence[str]:
    """A, B, C, …"""
    return LETTERS[:count]


def as_plain(value: Any) -> Any:
    """Plain JSON values of a struct."""
    return msgspec.to_builtins(value)
