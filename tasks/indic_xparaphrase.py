"""IndicXParaphrase: do two sentences say the same (IndicXTREME, Doddapaneni et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc

from .cells import class_of, texts
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
# What each answer is called in English.
ENGLISH = (("no", "not paraphrases", "not a paraphrase"), ("yes", "paraphrases", "paraphrase"))

# Other spellings of a language's own no and yes.
MORE = {"hi": ((), ("हां",)), "mr": ((), ("हो",)), "bn": ((), ("হ্যা",))}


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """Target 1 for paraphrases, 0 for others, None for a row without a label. Choices: no, yes between the sentences."""
    target = class_of("label", row["label"], ("no paraphrase", "paraphrase"))
    if target is None:
        return None
    question, *answers = word(WORDS, row["language"], "IndicXParaphrase")
    first, second = texts(row, "sentence1", "sentence2")
    choices = tuple(f"{first}, {question}? {answer}, {second}" for answer in answers)
    more = MORE.get(row["language"], ((), ()))
    options = [[*english, answer, *others] for english, answer, others in zip(ENGLISH, answers, more, strict=True)]
    return Doc(id="", fields={**row, "answer": str(target), "options": options}, choices=choices, target=target)
