"""What the page says, in every language it speaks: `words.csv`, a row per word and a column per language.

A further language is a further column. `{n}`, `{all}`, `{done}`, `{letter}` and `{name}` are filled in and are in every column.
"""

from __future__ import annotations

import csv
import io
from importlib.resources import files


def _read() -> dict[str, dict[str, str]]:
    text = files("evalkit.rating").joinpath("words.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    codes = [code for code in rows[0] if code != "key"]
    return {code: {row["key"]: row[code] for row in rows} for code in codes}


WORDS = _read()


def language_of_page(wanted: str) -> str:
    """The language itself where the page speaks it, else English."""
    return wanted if wanted in WORDS else "en"
