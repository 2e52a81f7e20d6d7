"""Text classification by generation: the answer has to be one of the document's own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import DataError
from evalkit.metrics.base import mean_summary, over_samples, sample
from evalkit.metrics.extraction.labels import label
from evalkit.metrics.extraction.marks import READING
from evalkit.text import EQUIVALENCE, normal_label
from evalkit.types import Doc, Response, SampleScore, Summary


@dataclass(frozen=True)
class LabelMatch:
    """1 when the answer gives the right label (`extraction.labels.label`); an answer that gives no label is invalid, and wrong.

    `doc.fields[labels]` is the closed set, `doc.fields[gold]` the right one.
    """

    name: str = "acc"
    labels: str = "labels"
    gold: str = "label"
    higher_is_better: bool = True

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Raises DataError when two labels of the document cannot be distinguished, or the gold one is not among them."""
        return over_samples(doc, responses, lambda response: self._single(doc, response))

    def _single(self, doc: Doc, response: Response) -> SampleScore:
        labels = {normal_label(text): text for text in doc.fields[self.labels]}
        gold = normal_label(doc.fields[self.gold])
        if len(labels) != len(doc.fields[self.labels]) or gold not in labels:
            raise DataError(f"document {doc.id}: label {doc.fields[self.gold]!r} is not one of {len(labels)} distinct labels; fix the row")
        answer = label(response.text or "", list(labels.values()))
        return sample(doc, [response], float(answer == labels[gold]), prediction=answer, invalid=answer is None)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        return mean_summary(
            self.name,
            scores,
            ["labels:closed", f"norm:{EQUIVALENCE}+casefold+punct", "extract:label", READING],
            higher_is_better=self.higher_is_better,
        )
