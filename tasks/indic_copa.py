"""IndicCOPA: which alternative is the cause or effect of a premise (IndicXTREME, Doddapaneni et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evalkit.types import Doc

from .cells import class_of, texts
from .languages import word

# because, therefore
CONNECTORS = {
    "as": ("কাৰণত", "তেতিয়া"),
    "bn": ("কারণ", "সুতরাং"),
    "en": ("because", "therefore"),
    "gu": ("કારણે", "તેથી"),
    "hi": ("क्योंकि", "इसलिए"),
    "kn": ("ಏಕೆಂದರೆ", "ಆದುದರಿಂದ"),
    "ml": ("കാരണം", "അതുകൊണ്ട്"),
    "mr": ("कारण", "म्हणून"),
    "or": ("କାରଣ", "ଏହିକାରଣରୁ"),
    "pa": ("ਕਿਉਂਕਿ", "ਇਸ ਲਈ"),
    "ta": ("காரணமாக", "எனவே"),
    "te": ("కారణంగా", "కాబట్టి"),
    "ur": ("کیونکہ", "لہٰذا"),
}
KINDS = ("cause", "effect")
LETTERS = ("A", "B")


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """Choices are the two alternatives; the target is the right one's index. None for a row without a label.

    `premise` loses its last character whatever it is, as the published code and lm-evaluation-harness's xcopa do: a
    full stop or danda usually, but a letter where a translation has no final mark. Latin alternatives start in lower case.
    """
    question = row["question"]
    if question not in KINDS:
        raise ValueError(f"field 'question': {question!r} is neither 'cause' nor 'effect'")
    target = class_of("label", row["label"], ("choice1", "choice2"))
    if target is None:
        return None
    premise, *alternatives = texts(row, "premise", "choice1", "choice2")
    choices = tuple(_lower_first(text) for text in alternatives)
    connector = word(CONNECTORS, row["language"], "IndicCOPA")[KINDS.index(question)]
    shown = {"first": choices[0], "second": choices[1].strip(), "answer": LETTERS[target]}
    fields = {**row, **shown, "premise": premise.strip()[:-1], "connector": connector}
    return Doc(id="", fields=fields, choices=choices, target=target)


def to_doc_gen(row: Mapping[str, Any]) -> Doc | None:
    """The same, answered by writing a letter."""
    doc = to_doc(row)
    return doc and replace(doc, target=doc.fields["answer"])


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
