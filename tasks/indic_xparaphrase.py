"""IndicXParaphrase: do two sentences say the same (IndicXTREME, Doddapaneni et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc

from .languages import word

# question word, no, yes
WORDS = {
    "as": ("ঠিকনে", "নহয়", "হয়"),
    "bn": ("ঠিক আছে", "না", "হ্যাঁ"),
    "gu": ("સાચું", "ના", "હા"),
    "hi": ("सही", "नहीं", "हाँ"),
    "kn": ("ಸರಿ", "ಇಲ್ಲ", "ಹೌದು"),
    "ml": ("ശരി", "അല്ല", "ഉണ്ട്"),
    "mr": ("बरोबर", "नाही", "होय"),
    "or": ("ଠିକ୍ କି", "ନାହିଁ", "ହଁ"),
    "pa": ("ਠੀਕ ਹੈ", "ਨਹੀਂ", "ਹਾਂ"),
    "te": ("సరైనదా", "కాదు", "అవును"),
}


def to_doc(row: Mapping[str, Any]) -> Doc:
    """Target 1 for paraphrases, 0 for others; a table's label comes as text. Choices: no, yes between the sentences."""
    if str(row["label"]).strip() not in ("0", "1"):
        raise ValueError(f"field 'label': {row['label']!r} is neither 0 (no paraphrase) nor 1 (paraphrase)")
    question, *answers = word(WORDS, row["language"], "IndicXParaphrase")
    choices = tuple(f"{row['sentence1']}, {question}? {answer}, {row['sentence2']}" for answer in answers)
    return Doc(id="", fields={**row, "answer": str(int(row["label"]))}, choices=choices, target=int(row["label"]))
