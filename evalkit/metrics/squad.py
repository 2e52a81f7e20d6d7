"""Reading comprehension: exact match and F1 over words (Rajpurkar et al., 2016), for any script.

Normalisation follows MLQA's evaluation (Lewis et al., 2020), which carries SQuAD's to other languages: lower case, all
Unicode punctuation removed (so the danda does not stick to a word), English articles removed, white space collapsed.
Ours adds one spelling on both sides (`text.equivalent`), so that १२ and 12 agree; the signature says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.errors import ConfigError
from evalkit.metrics.base import mean_summary, over_samples, sample
from evalkit.metrics.exact_match import gold_texts
from evalkit.metrics.extraction.marks import READING
from evalkit.text import EQUIVALENCE, equivalent
from evalkit.types import Doc, Response, SampleScore, Summary

_ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclass(frozen=True)
class Squad:
    """Best score over the gold answers: `exact` (equal after normalisation) or `f1` (overlap of words as a multiset)."""

    measure: Literal["exact", "f1"] = "f1"
    name: str = ""
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if self.measure not in ("exact", "f1"):
            raise ConfigError(f"metric Squad: measure={self.measure!r} is unknown; use exact or f1")
        if not self.name:
            object.__setattr__(self, "name", f"squad_{self.measure}")

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """The mean over the samples; two answers without a word are equal, and score 1. A thought without an end is no answer: 0."""
        return over_samples(doc, responses, lambda response: self._single(doc, response))

    def _single(self, doc: Doc, response: Response) -> SampleScore:
        answer = words(response.text or "")
        value = 0.0 if response.status == "thinking" else max(self._one(answer, words(gold)) for gold in gold_texts(doc))
        return sample(doc, [response], value, prediction=response.text or "")

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        return mean_summary(self.name, scores, [f"measure:{self.measure}", f"norm:mlqa+{EQUIVALENCE}", READING])

    def _one(self, answer: list[str], gold: list[str]) -> float:
        if self.measure == "exact" or not answer or not gold:
            return float(answer == gold)
        common = sum((Counter(answer) & Counter(gold)).values())
        return 2 * common / (len(answer) + len(gold))


def words(text: str) -> list[str]:
    """The words that are compared."""
    text = equivalent(equivalent(text).lower())
    text = "".join(char for char in text if not unicodedata.category(char).startswith("P") and char not in "$+<=>^`|~")
    return _ARTICLES.sub(" ", text).split()
