"""IndicXNLI: does a premise entail a hypothesis, contradict it, or neither (Aggarwal et al., 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc

from .cells import class_of, texts
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

# What each answer is called in words.
OPTIONS = (
    ("entailment", "entails", "entail", "entailed"),
    ("neutral",),
    ("contradiction", "contradicts", "contradict", "contradicted", "contradictory"),
)
CLASSES = ("entailment", "neutral", "contradiction")


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """Target 0 entailment, 1 neutral, 2 contradiction; choices put each label's word between premise and hypothesis.

    Each premise has three hypotheses and is a cluster. None for a row without a label.
    """
    target = class_of("label", row["label"], CLASSES)
    if target is None:
        return None
    question, *answers = word(WORDS, row["language"], "IndicXNLI")
    premise, hypothesis = texts(row, "premise", "hypothesis")
    choices = tuple(f"{premise}, {question}? {answer}, {hypothesis}" for answer in answers)
    fields = {**row, "answer": str(target), "options": [list(names) for names in OPTIONS]}
    return Doc(id="", fields=fields, choices=choices, target=target, cluster=digest(premise))
