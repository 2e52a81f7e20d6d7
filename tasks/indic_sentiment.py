"""IndicSentiment: is a product review positive or negative (IndicXTREME, Doddapaneni et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc

from .cells import missing
from .languages import word

# question word, positive, negative
WORDS = {
    "as": ("ভাব", "ধনাত্মক", "ঋণাত্মক"),
    "bn": ("অনুভূতি", "ইতিবাচক", "নেতিবাচক"),
    "gu": ("ભાવના", "સકારાત્મક", "નકારાત્મક"),
    "hi": ("भाव", "सकारात्मक", "नकारात्मक"),
    "kn": ("ಭಾವನೆ", "ಸಕಾರಾತ್ಮಕ", "ನಕಾರಾತ್ಮಕ"),
    "ml": ("വികാരം", "പോസിറ്റിവ്", "നെഗറ്റിവ്"),
    "mr": ("भावना", "सकारात्मक", "नकारात्मक"),
    "or": ("ଭାବନା", "ସକାରାତ୍ମକ", "ନକାରାତ୍ମକ"),
    "pa": ("ਭਾਵਨਾ", "ਸਕਾਰਾਤਮਕ", "ਨਕਾਰਾਤਮਕ"),
    "ta": ("உணர்வு", "நேர்மையானது", "எதிர்மையானது"),
    "te": ("భావం", "అనుకూలం", "ప్రతికూలం"),
}
LABELS = ("positive", "negative")


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """Target 0 for a positive review, 1 for a negative one; None for a row without a label or a review.

    Fields for prompts: `review`, `question_word`, `answer`. `options` names what each answer means. Choices repeat the
    review, as the log-likelihood form scores it.
    """
    if missing(row["LABEL"]) or missing(row["INDIC REVIEW"]):
        return None
    label = str(row["LABEL"]).strip().lower()
    if label not in LABELS:
        raise ValueError(f"field 'LABEL': {row['LABEL']!r} is neither Positive nor Negative nor null")
    review = row["INDIC REVIEW"]
    question, *answers = word(WORDS, row["language"], "IndicSentiment")
    choices = tuple(f"{review}, {question}? {answer}" for answer in answers)
    target = LABELS.index(label)
    fields = {**row, "review": review, "question_word": question, "answer": str(target)}
    fields["options"] = [list(pair) for pair in zip(LABELS, answers, strict=True)]
    return Doc(id="", fields=fields, choices=choices, target=target)
