"""IndicXNLI: does a premise entail a hypothesis, contradict it, or neither (Aggarwal et al., 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc

from .digest import digest
from .languages import word

# question word, entailment, neutral, contradiction
WORDS = {
    "as": ("সঠিক", "হʼয়", "সঠিক? সেয়া হʼলে", "সঠিক? নহʼয়"),
    "bn": ("সঠিক", "হ্যাঁ", "তাই", "না"),
    "gu": ("સાચું", "હા", "તેથી", "નહીં"),
    "hi": ("सही", "हाँ", "इसलिए", "नहीं"),
    "kn": ("ಸರಿ", "ಹೌದು", "ಆದ್ದರಿಂದ", "ಇಲ್ಲ"),
    "ml": ("ശരിയാണോ", "ആണ്", "അതിനാല്‍", "അല്ല"),
    "mr": ("बरोबर", "हो", "म्हणून", "नाही"),
    "or": ("ସଠିକ", "ହଁ", "ତେଣୁ", "ନାହିଁ"),
    "pa": ("ਸਹੀ", "ਹਾਂ", "ਇਸ ਲਈ", "ਨਹੀਂ"),
    "ta": ("சரியா", "ஆம்", "அதனால்", "இல்லை"),
    "te": ("సరైనదా", "అవును", "అందుకే", "కాదు"),
}


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """Target 0 entailment, 1 neutral, 2 contradiction; choices put each label's word between premise and hypothesis.

    Premises stand behind three hypotheses each and are a cluster. None for a row without a label.
    """
    if row["label"] is None or row["label"] == -1:
        return None
    if row["label"] not in (0, 1, 2):
        raise ValueError(f"field 'label': {row['label']!r} is none of 0 (entailment), 1 (neutral), 2 (contradiction)")
    question, *answers = word(WORDS, row["language"], "IndicXNLI")
    choices = tuple(f"{row['premise']}, {question}? {answer}, {row['hypothesis']}" for answer in answers)
    fields = {**row, "answer": str(row["label"])}
    return Doc(id="", fields=fields, choices=choices, target=row["label"], cluster=digest(row["premise"]))
