"""How many of the texts to be found are in the answer: RULER's own score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.metrics.base import mean_summary, merged, sample, usable
from evalkit.metrics.exact_match import gold_texts
from evalkit.text import EQUIVALENCE, ascii_digits, equivalent, nfc
from evalkit.types import Doc, Response, SampleScore, Summary

_CONTROLS = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True)
class StringMatch:
    """The share of the golds that are in the answer, upper and lower case alike (`string_match_all` of Hsieh et al., 2024).

    Attributes:
        some: 1 where any of the golds stands in the answer, else 0 (`string_match_part` there: golds that mean the same).
        indic: one spelling on both sides of what looks and means the same in Indian scripts (`text.equivalent`).

    Decimal digits of every script are equal: ४२ is 42. That is not in RULER, where every digit is ASCII, and changes none of its
    scores. An empty answer, a refusal and a thought without an answer find nothing: value 0, with their flag. The prediction
    is the golds that were found. Several samples per document: their mean.
    """

    name: str = "string_match"
    indic: bool = False
    some: bool = False
    higher_is_better: bool = True

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Raises DataError when the document has no gold."""
        golds = gold_texts(doc)
        answers = usable(responses)
        return merged(responses, [self._one(doc, golds, answer) for answer in answers]) if answers else sample(doc, responses, None)

    def found(self, doc: Doc, answer: Response) -> tuple[bool, ...]:
        """Per gold, whether it stands in the answer."""
        text = self._normal(_CONTROLS.sub("\n", (answer.text or "").strip()))
        return tuple(self._normal(gold) in text for gold in gold_texts(doc))

    def _one(self, doc: Doc, golds: Sequence[str], answer: Response) -> SampleScore:
        named = tuple(gold for gold, there in zip(golds, self.found(doc, answer), strict=True) if there)
        value = float(bool(named)) if self.some else len(named) / len(golds)
        return sample(doc, [answer], value, prediction=", ".join(named) or None)

    def _normal(self, text: str) -> str:
        return equivalent(text).lower() if self.indic else ascii_digits(nfc(text)).lower()

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """A mean with Wilson's interval where every value is 0 or 1, else Student's t."""
        signature = ["case:lower", "digits:any", *([EQUIVALENCE] if self.indic else []), *(["any gold"] if self.some else [])]
        return mean_summary(self.name, scores, signature, higher_is_better=self.higher_is_better)
