"""Which label of a closed set an answer gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from evalkit.metrics.extraction.marks import ANSWER, COLONS, LABEL, bare, bare_sentence, fenced
from evalkit.text import SENTENCE_ENDS, normal_label

# `The label is X`, `Sentiment = X`.
_IS = re.compile(rf"\b(?:{LABEL}|{ANSWER})\b[*_\s]*(?:is|=|->|\u2192)\s*(.+)", re.IGNORECASE)
# What may follow a label: an explanation behind a full stop, comma, dash, bracket.
_FIRST = re.compile(rf"(.+?)\s*(?:[.,;({COLONS}{SENTENCE_ENDS}]|\s[-\u2013\u2014]\s|\n|$)")


def label(text: str, labels: Sequence[str]) -> str | None:
    """The label that an answer gives, as the set writes it; None where it gives none, or more than one.

    Both sides are compared as `normal_label` makes them. An answer may quote or mark the label, call it a label, put it in
    JSON, or explain it afterwards. A label somewhere in a sentence is no answer.
    """
    known = _known(labels)
    for reading in _readings(text):
        if (found := known.get(normal_label(reading))) is not None:
            return found
    return _explained(text, known)


def _known(labels: Sequence[str]) -> dict[str, str]:
    """Normal form -> label; forms without quotes and brackets as well, where they are no other label's."""
    known = {normal_label(text): text for text in labels}
    for text in labels:
        known.setdefault(normal_label(bare_sentence(text)), text)
    known.pop("", None)
    return known


def _readings(text: str) -> Iterator[str]:
    """What the answer as a whole may say, the most literal first."""
    yield text
    yield bare_sentence(text)
    for part in (*fenced(text), text):
        yield from _json(part)
    lines = [line for line in text.splitlines() if bare(line) and not line.strip().startswith("```")]
    for line in dict.fromkeys([*lines[:1], *lines[-1:]]):
        yield bare_sentence(line)
        for colon in COLONS:
            if colon in line:
                yield bare_sentence(line.rpartition(colon)[2])
        if found := _IS.search(line):
            yield bare_sentence(found[1])


def _explained(text: str, known: dict[str, str]) -> str | None:
    """A label that opens the answer and is explained behind it; None where the explanation's first line names another."""
    line = next((line for line in text.splitlines() if bare(line)), "")
    for start in (line, *(line.partition(colon)[2] for colon in COLONS if colon in line)):
        if (opening := _FIRST.match(bare(start))) and (found := known.get(normal_label(bare_sentence(opening[1])))) is not None:
            rest = normal_label(bare(start)[opening.end(1) :])
            others = [form for form, name in known.items() if name != found and form in rest]
            return None if others else found
    return None


def _json(text: str) -> Iterator[str]:
    """Texts of a JSON object, list or string."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    values = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else [found]
    if len(texts := [value for value in values if isinstance(value, str)]) == 1:
        yield texts[0]
    elif isinstance(found, dict):
        yield from (value for key, value in found.items() if isinstance(value, str) and re.fullmatch(rf"{LABEL}|{ANSWER}", key, re.I))
