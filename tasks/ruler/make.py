"""RULER's documents, as rows: `generate` makes them, `to_doc` turns a row into a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.types import Doc

from .counting import CommonWords, FrequentWords
from .haystacks import NO_TEXT, haystack
from .item import Count, Family, Item, close
from .needles import Needles
from .tracking import Tracking
from .wording import wording

FITS = ("published", "close")
NEEDLES = ("haystack", "key", "value", "keys", "values", "queries")


def generate(options: Mapping[str, Any], length: int, documents: int, language: str | None, count: Count) -> list[dict[str, Any]]:
    """The rows of one task, length and language.

    Args:
        options: `family` (`needles`, `tracking`, `common_words`, `frequent_words`); `fit`: `published` makes what
            lm-evaluation-harness 0.4.13 makes, `close` fills the length as far as it goes; `text`: a file or folder with
            running text, None for ours; the settings of `Needles`.
        length: tokens of prompt and answer.
        count: tokens of a text.

    Raises:
        ValueError: an option does not fit, or no text of this length can be made.
    """
    fit, code = options.get("fit") or "published", language or "en"
    if fit not in FITS:
        raise ValueError(f"data.options.fit={fit!r} is unknown; use {' or '.join(FITS)}")
    if fit == "published" and code != "en":
        raise ValueError(f"there is no published generator for language {code!r}; set data.options.fit=close")
    made = family(options, length, code, fit)
    name = f"{options.get('name', options['family'])}/{code}/{length}"
    items = made.published(length, documents, count) if fit == "published" else close(made, length, documents, count, name)
    prefix = f"{language}/" if language else ""
    notes = [note for note in (_note(made), _short(items, length)) if note]
    return [{**_row(item, length, f"{prefix}{length}/{index}"), "notes": notes} for index, item in enumerate(items)]


def family(options: Mapping[str, Any], length: int, code: str, fit: str) -> Family:
    """The family that the options name.

    Raises:
        ValueError: there is none of this name, or not in this language.
    """
    kind = options.get("family")
    if kind == "needles":
        told = {name: options[name] for name in NEEDLES if name in options}
        text = haystack(code, options.get("text")) if told.get("haystack") == "essay" else NO_TEXT
        return Needles(wording(code), text, distinct=fit == "close", **told)
    if kind not in ("tracking", "common_words", "frequent_words"):
        raise ValueError(f"data.options.family={kind!r} is unknown; use needles, tracking, common_words or frequent_words")
    if code != "en":
        raise ValueError(f"{kind} is there in English alone, not in language {code!r}")
    return Tracking() if kind == "tracking" else CommonWords(length) if kind == "common_words" else FrequentWords(length)


def _row(item: Item, length: int, name: str) -> dict[str, Any]:
    places = [item.input.find(output) for output in item.outputs]
    depths = [round(100 * place / len(item.input)) for place in places if place >= 0]
    return {
        "id": name,
        "input": item.input,
        "outputs": list(item.outputs),
        "prefix": item.prefix,
        "length": length,
        "depths": depths,
    }


def _note(made: Family) -> str:
    if isinstance(made, Needles) and made.haystack == "essay" and made.text.own:
        return (
            f"the haystack is a text of this package of {len(made.text.listed):,} words, told again until the length is reached "
            "(haystack=FILE takes another)"
        )
    return ""


def _short(items: Sequence[Item], length: int) -> str:
    """The published code goes on by large steps: its texts may end well below the length."""
    longest = max((item.length for item in items), default=0)
    if not longest or longest >= 0.9 * length:
        return ""
    return f"texts asked for at {length:,} tokens have {longest:,} at most, as the published generator makes them (fit: close fills them)"


def to_doc(row: Mapping[str, Any]) -> Doc:
    """One document; its group is the length."""
    fields = {name: row[name] for name in ("input", "prefix", "length", "depths")}
    return Doc(id=str(row["id"]), fields=fields, target=tuple(row["outputs"]), group=str(row["length"]))
