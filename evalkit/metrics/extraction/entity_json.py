"""Named entities that an answer writes as JSON, in the shapes models choose."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.metrics.extraction.marks import fenced
from evalkit.text import equivalent

_TYPE_KEYS = ("type", "label", "entity_type", "tag", "category", "class", "entity_group", "ner", "kind", "entity")
_TEXT_KEYS = ("text", "name", "value", "word", "mention", "span", "entity_text", "entity")
_BIO = re.compile(r"^[BILUES]-")
MAX_LENGTH = 50_000


def said_in_json(text: str, known: Mapping[str, str]) -> list[tuple[str, str]] | None:
    """(type as the row writes it, text) for all that an answer's JSON names, `known` being folded type -> type.

    An empty list says that there is no entity. None: the answer holds no JSON, or only such as names nothing of the row's types.
    """
    for part in (*fenced(text), text):
        values = _parsed(part)
        if values:
            found = [pair for value in values for pair in _walk(value, known)]
            if found or all(_empty(value, known) for value in values):
                return found
    return None


def _parsed(text: str) -> list[Any]:
    """The JSON (or Python literals) of a text: all of it, what is between the outermost brackets, or one per line."""
    text = text.strip()
    if len(text) > MAX_LENGTH or not any(sign in text for sign in "[{"):
        return []
    first = min(place for sign in "[{" if (place := text.find(sign)) >= 0)
    last = max(text.rfind("]"), text.rfind("}"))
    for part in (text, text[first : last + 1]):
        if (value := _literal(part)) is not None:
            return [value]
    lines = [_literal(line.strip().rstrip(",")) for line in text.splitlines() if line.strip()]
    return lines if lines and None not in lines else []


def _literal(text: str) -> Any:
    """A list or mapping; None for anything else."""
    for read in (json.loads, ast.literal_eval):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(value, (list, dict)):
            return value
    return None


def _kind(value: object, known: Mapping[str, str]) -> str | None:
    """The row's type that a text names."""
    if not isinstance(value, str):
        return None
    plain = " ".join(equivalent(_BIO.sub("", value.strip())).casefold().replace("_", " ").split())
    return known.get(plain)


def _walk(value: Any, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from _of_mapping({str(key): inner for key, inner in value.items()}, known)
    elif isinstance(value, (list, tuple)):
        texts = [inner for inner in value if isinstance(inner, str)]
        if len(value) == len(texts) == 2 and sum(_kind(text, known) is not None for text in texts) == 1:
            kind, text = sorted(texts, key=lambda text: _kind(text, known) is None)
            yield str(_kind(kind, known)), text
            return
        for inner in value:
            if isinstance(inner, str):
                kind, colon, text = inner.replace("\uff1a", ":").partition(":")
                if colon and (name := _kind(kind, known)):
                    yield name, text
            else:
                yield from _walk(inner, known)


def _of_mapping(row: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """`{type, text}`, `{PER: [...]}`, `{text: PER}`, or a mapping that holds such."""
    lower = {key.casefold(): inner for key, inner in row.items()}
    kind = next((name for key in _TYPE_KEYS if (name := _kind(lower.get(key), known))), None)
    text = next((lower[key] for key in _TEXT_KEYS if isinstance(lower.get(key), str) and _kind(lower[key], known) != kind), None)
    if kind and text is not None:
        yield kind, text
        return
    if kind and (lists := [inner for key, inner in lower.items() if isinstance(inner, (list, tuple)) and key not in _TYPE_KEYS]):
        yield from ((kind, said) for inner in lists for said in _texts(inner))
        return
    for key, inner in row.items():
        if name := _kind(key, known):
            yield from ((name, text) for text in _texts(inner))
        elif isinstance(inner, str) and (name := _kind(inner, known)):
            yield name, key
        elif not isinstance(inner, str):
            yield from _walk(inner, known)


def _texts(value: Any) -> Iterator[str]:
    """The texts under a type: one, several, or objects that hold one each."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def _empty(value: Any, known: Mapping[str, str]) -> bool:
    """Whether a value names nothing at all: no text in it but the names of types and of fields."""
    if isinstance(value, Mapping):
        return all(_empty(inner, known) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return all(_empty(inner, known) for inner in value)
    return value is None or (isinstance(value, str) and value.strip().casefold() in ("", "none"))
