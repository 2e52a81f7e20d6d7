"""IndicCOPA: which alternative is the cause or effect of a premise (IndicXTREME, Doddapaneni et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evalkit.types import Doc

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


def to_doc(row: Mapping[str, Any]) -> Doc:
    """Choices are the two alternatives; the target is the right one's index.

    `premise` loses its last character whatever it is, as the published code and lm-evaluation-harness's xcopa do: a
    full stop or danda usually, but a letter where a translation has no final mark. Latin alternatives start in lower case.
    """
    question = row["question"]
    if question not in KINDS:
        raise ValueError(f"field 'question': {question!r} is neither 'cause' nor 'effect'")
    if row["label"] not in (0, 1):
        raise ValueError(f"field 'label': {row['label']!r} is neither 0 nor 1")
    choices = (_lower_first(row["choice1"]), _lower_first(row["choice2"]))
    connector = word(CONNECTORS, row["language"], "IndicCOPA")[KINDS.index(question)]
    shown = {"first": choices[0], "second": choices[1].strip(), "answer": LETTERS[row["label"]]}
    fields = {**row, **shown, "premise": row["premise"].strip()[:-1], "connector": connector}
    return Doc(id="", fields=fields, choices=choices, target=row["label"])


def to_doc_gen(row: Mapping[str, Any]) -> Doc:
    """The same, answered by writing a letter."""
    doc = to_doc(row)
    return replace(doc, target=doc.fields["answer"])


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
