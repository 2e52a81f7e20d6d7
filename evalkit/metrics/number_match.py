"""Arithmetic answers by value: the number an answer means against the number that is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import DataError
from evalkit.metrics.base import mean_summary, sample, usable
from evalkit.metrics.exact_match import gold_texts
from evalkit.metrics.extraction.marks import READING
from evalkit.metrics.extraction.numbers import Number, number
from evalkit.stats import mean
from evalkit.types import Doc, Response, SampleScore, Summary


@dataclass(frozen=True)
class NumberMatch:
    """1 when the number an answer ends in (`extraction.numbers.number`) has the value of a gold answer's number.

    Attributes:
        gold_field: the document's field that holds the golds; None takes `doc.target`. A gold may be a worked solution: it is
            read as an answer is.

    An answer without a number is wrong and flagged `invalid`. With several samples per document, the value is their mean
    and the prediction a tuple.
    """

    name: str = "value"
    gold_field: str | None = None
    higher_is_better: bool = True

    def check(self, doc: Doc) -> None:
        """Raises DataError when a gold answer holds no number."""
        self._golds(doc)

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Raises DataError when a gold answer holds no number."""
        golds = self._golds(doc)
        answers = [number(r.text or "") for r in usable(responses)]
        if not answers:
            return sample(doc, responses, None)
        value = mean([float(answer is not None and any(answer.equals(gold) for gold in golds)) for answer in answers])
        shown = tuple(None if answer is None else str(answer) for answer in answers)
        return sample(doc, responses, value, prediction=shown[0] if len(shown) == 1 else shown, invalid=None in answers)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """A mean with Wilson's interval (t when a document has several samples), cluster-robust where clusters exist."""
        golds = [f"golds:{self.gold_field}"] if self.gold_field else []
        return mean_summary(self.name, scores, ["number:last", READING, "compare:value", *golds], higher_is_better=self.higher_is_better)

    def _golds(self, doc: Doc) -> list[Number]:
        golds: list[Number] = []
        for text in gold_texts(doc, self.gold_field):
            if (gold := number(text)) is None:
                raise DataError(f"document {doc.id}: gold answer {text[:60]!r} holds no number; correct the row or to_doc")
            golds.append(gold)
        return golds
