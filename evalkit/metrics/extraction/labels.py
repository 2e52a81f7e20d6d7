"""Which label of a closed set an answer gives."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence

from evalkit.metrics.extraction.marks import ANSWER, COLONS, LABEL, bare, bare_sentence, colons, ended, fenced
from evalkit.metrics.extraction.sentence import affirmed
from evalkit.text import SENTENCE_ENDS, normal_label

_WORD = rf"(?<![^\W_])(?:{LABEL}|{ANSWER})"
_OF = r"(?:\s+of\s+th(?:e|is)\s+\w+)?"
# `The label is X`, `Sentiment = X`, `श्रेणी - X`.
_IS = re.compile(rf"{_WORD}{_OF}[*_\s]*(?:\bis\b|=|->|\u2192|\s[-\u2013\u2014]\s)\s*(.+)", re.IGNORECASE)
# `I would classify this as X`, `it belongs to the category X`.
_AS = re.compile(
    rf"\b(?:classif\w+|categori[sz]\w+|labell?ed|belongs?|falls?)\b.*?\b(?:as|under|into|to|in)\s+(?:the\s+)?(?:(?:{LABEL})\s+)?(.+)", re.I
)
_WHY = re.compile(r"\s+(?:because|since|as|due\s+to)\s.*", re.IGNORECASE | re.DOTALL)
_COPULA = re.compile(r"\s+(?:है|हैं|हे|आहे|છે|ਹੈ|ہے)$")
_CALLED = re.compile(rf"\s+(?:{LABEL})$", re.IGNORECASE)
_NAMED = re.compile(rf"^(?:{LABEL}|{ANSWER})\s+", re.IGNORECASE)
_TAG = re.compile(r"</?\w{1,20}>")
_WRAPPED = re.compile(r"<(\w+)>\s*([^<>]+?)\s*</\1>")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{\s*(?:\\text(?:bf)?\s*\{)?([^{}]*)\}")
_TEX = re.compile(r"\$?\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}\$?")
_NUMBER = re.compile(r"[-\u2212]?\d+(?:[.,/]\d+)?%?")
# What may follow a label: an explanation behind a full stop, comma, dash, bracket.
_FIRST = re.compile(rf"(.+?)\s*(?:[.,](?!\d)|[;({COLONS}{SENTENCE_ENDS}]|\s[-\u2013\u2014]\s|\n|$)")
_DENIED = r"\b(?:not|rather\s+than|instead\s+of|unlike)\s+(?:the\s+)?[\"'\u201c\u2018*_]*"


def label(text: str, labels: Sequence[str]) -> str | None:
    """The label that an answer gives, as the set writes it; None where it gives none, or more than one.

    Both sides are compared as `normal_label` makes them; where that finds nothing, `&` is `and`, and hyphens, underscores, wide
    letters and pictures are the writer's choice too. An answer may quote or mark the label, call it a label, put it in JSON, or explain
    it afterwards. A sentence gives the one label that it affirms (`sentence.affirmed`).
    """
    known = _known(labels)
    text = _TEX.sub(r"\1", colons(ended(text)))
    if _NUMBER.fullmatch(text.strip()):
        return known.get(normal_label(text))  # -1 and 1.5 are not 1
    lines = [known.get(normal_label(bare_sentence(line)), "") for line in text.splitlines() if bare(line)]
    if len(set(lines)) > 1 and all(lines):
        return None  # a list of labels
    for reading in _readings(text):
        for form in (normal_label(reading), _loose(reading), _loose(_COPULA.sub("", reading)), _loose(_CALLED.sub("", reading))):
            if (found := known.get(form)) is not None:
                return found
    return _explained(text, known) or _in_a_sentence(text, known)


def _in_a_sentence(text: str, known: dict[str, str]) -> str | None:
    """The label that the last line affirms, or the first."""
    lines = [line.replace("_", " ") for line in text.splitlines() if bare(line)]
    return next((found for line in (*lines[-1:], *lines[:1]) if (found := affirmed(line, known))), None)


def _known(labels: Sequence[str]) -> dict[str, str]:
    """Normal form -> label; forms without quotes and brackets, and those of `_loose`, where they are no other label's."""
    known = {normal_label(text): text for text in labels}
    for weaker in (lambda text: normal_label(bare_sentence(text)), _loose):
        for text in labels:
            known.setdefault(weaker(text), text)
    known.pop("", None)
    return known


def _loose(text: str) -> str:
    """A text as a careless writer has it."""
    text = unicodedata.normalize("NFKC", html.unescape(text)).replace("&", " and ")
    kept = "".join(" " if char in "-_" or unicodedata.category(char)[0] == "S" else char for char in text)
    return " ".join(normal_label(bare_sentence(kept)).split())


def _readings(text: str) -> Iterator[str]:
    """What the answer as a whole may say, the most literal first."""
    yield text
    yield bare_sentence(text)
    for part in (*fenced(text), text, *re.findall(r"\{[^{}]*\}", text)[:1]):
        yield from _json(part)
    for pattern in (_WRAPPED, _BOXED):
        if len(inside := {match[match.lastindex or 0] for match in pattern.finditer(text)}) == 1:
            yield bare_sentence(inside.pop())
    lines = [line for line in text.splitlines() if bare(line) and not line.strip().startswith(("```", "~~~"))]
    for line in dict.fromkeys([*lines[:1], *lines[-1:]]):
        yield bare_sentence(line)
        yield bare_sentence(_NAMED.sub("", bare(line)))
        yield bare_sentence(_TAG.sub(" ", line))
        for colon in COLONS:
            if colon in line:
                yield bare_sentence(line.rpartition(colon)[2])
        for pattern in (_IS, _AS):
            if found := pattern.search(line):
                yield bare_sentence(found[1])
                yield bare_sentence(_WHY.sub("", found[1]))


def _explained(text: str, known: dict[str, str]) -> str | None:
    """A label that opens the answer and is explained behind it; None where the explanation's first line names another one
    without denying it."""
    line = next((line for line in text.splitlines() if bare(line)), "")
    for start in (line, *(line.partition(colon)[2] for colon in COLONS if colon in line)):
        if (opening := _FIRST.match(bare(start))) and (found := known.get(normal_label(bare_sentence(opening[1])))) is not None:
            rest = normal_label(bare(start)[opening.end(1) :])
            for form, name in known.items():
                if name != found:
                    rest = re.sub(_DENIED + re.escape(form), "", rest)
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
