"""RULER's documents, as rows: `generate` makes them, `to_doc` turns a row into a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.types import Doc

from .conversation import Conversation
from .counting import CommonWords, FrequentWords, native_common_words
from .haystacks import NO_TEXT, haystack
from .item import Count, Family, Item, close
from .needles import Needles
from .questions import Questions, passages
from .tracking import NativeTracking, Tracking
from .wording import wording

FITS = ("published", "close")
NEEDLES = ("haystack", "key", "value", "keys", "values", "queries", "questions")
FAMILIES = ("needles", "tracking", "common_words", "frequent_words", "questions", "conversation")
Rows = Sequence[Mapping[str, Any]]


def generate(
    options: Mapping[str, Any], length: int, documents: int, language: str | None, count: Count, rows: Rows = ()
) -> list[dict[str, Any]]:
    """The rows of one task, length and language.

    Args:
        options: `family`: one of FAMILIES. `fit`: `published` makes what lm-evaluation-harness 0.4.13 makes, `close` fills the
            length as far as it goes. `text`: a file or folder with running text, None for ours. `needle_language`,
            `haystack_language`: where they are another than the document's. The settings of `Needles`.
        length: tokens of prompt and answer.
        count: tokens of a text.
        rows: of the data set that `questions` are asked from.

    Raises:
        ValueError: an option does not fit, or no text of this length can be made.
    """
    fit, code = options.get("fit") or "published", language or "en"
    if fit not in FITS:
        raise ValueError(f"data.options.fit={fit!r} is unknown; use {' or '.join(FITS)}")
    if fit == "published" and code != "en":
        raise ValueError(f"there is no published generator for language {code!r}; set data.options.fit=close")
    made = family(options, length, code, fit, count, rows)
    if isinstance(made, Questions) and fit == "close":
        made = made.that_fit(length, documents, count)
        documents = min(documents, len(made.found.questions))
    name = f"{options.get('name', options['family'])}/{code}/{length}"
    items = made.published(length, documents, count) if fit == "published" else close(made, length, documents, count, name)
    prefix = f"{language}/" if language else ""
    notes = [note for note in (_note(made), _short(items, length)) if note]
    return [{**_row(item, length, f"{prefix}{length}/{index}"), "language": code, "notes": notes} for index, item in enumerate(items)]


def family(options: Mapping[str, Any], length: int, code: str, fit: str, count: Count, rows: Rows = ()) -> Family:
    """The family that the options name, in a language.

    Raises:
        ValueError: there is none of this name, or not in this language.
    """
    kind = options.get("family")
    if kind == "needles":
        return _needles(options, code, fit)
    if kind == "tracking":
        return Tracking() if code == "en" else NativeTracking(code)
    if kind == "common_words":
        return CommonWords(length) if code == "en" else native_common_words(code, length, count)
    if kind == "frequent_words":
        return FrequentWords(length, code, tokens=50 if code == "en" else 128)
    if kind == "conversation":
        return Conversation(wording(code), haystack(code, options.get("text")))
    if kind == "questions":
        return Questions(code, passages(rows), tokens=32 if code == "en" else 128)
    raise ValueError(f"data.options.family={kind!r} is unknown; use {', '.join(FAMILIES)}")


def _needles(options: Mapping[str, Any], code: str, fit: str) -> Needles:
    told = {name: options[name] for name in NEEDLES if name in options}
    needle, around = options.get("needle_language") or code, options.get("haystack_language") or code
    text = haystack(around, options.get("text")) if told.get("haystack") == "essay" else NO_TEXT
    lines = None if around == needle else wording(around)
    return Needles(wording(needle), text, distinct=fit == "close", lines=lines, **told)


def _row(item: Item, length: int, name: str) -> dict[str, Any]:
    asked = {"turns": [{"role": role, "content": text} for role, text in item.turns]} if item.turns else {"input": item.input}
    return {
        "id": name,
        **asked,
        "outputs": list(item.outputs),
        "prefix": item.prefix,
        "length": length,
        "depths": [round(100 * place / len(item.input)) for place in item.places],
    }


def _note(made: Family) -> str:
    prose = isinstance(made, Conversation) or (isinstance(made, Needles) and made.haystack == "essay")
    if prose and isinstance(made, Conversation | Needles) and made.text.own:
        return "the haystack is a short text of this package, told again until the length is reached (haystack=FILE takes another)"
    return ""


def _short(items: Sequence[Item], length: int) -> str:
    """The published code goes on by large steps: its texts may end well below the length."""
    longest = max((item.length for item in items), default=0)
    if not longest or longest >= 0.9 * length:
        return ""
    return f"texts asked for at {length:,} tokens have {longest:,} at most, as the published generator makes them (fit: close fills them)"


def to_doc(row: Mapping[str, Any]) -> Doc:
    """One document; its group is the length."""
    fields = {name: row[name] for name in ("input", "turns", "prefix", "length", "depths") if name in row}
    language = row.get("language")
    return Doc(id=str(row["id"]), fields=fields, target=tuple(row["outputs"]), language=language, group=str(row["length"]))
