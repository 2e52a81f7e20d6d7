"""Text classification by generation: the answer has to be one of the document's own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import DataError
from evalkit.metrics.base import mean_summary, over_samples, sample
from evalkit.text import normal_label
from evalkit.types import Doc, Response, SampleScore, Summary


@dataclass(frozen=True)
class LabelMatch:
    """1 when the answer is the right label after normalisation (`normal_label`); an answer that is no label is invalid, and wrong.

    `doc.fields[labels]` is the closed set, `doc.fields[gold]` the right one.
    """

    name: str = "acc"
    labels: str = "labels"
    gold: str = "label"
    higher_is_better: bool = True

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Raises DataError when two labels of the document cannot be told apart, or the gold one is not among them."""
        return over_samples(doc, responses, lambda response: self._single(doc, response))

    def _single(self, doc: Doc, response: Response) -> SampleScore:
        labels = {normal_label(label): label for label in doc.fields[self.labels]}
        gold = normal_label(doc.fields[self.gold])
        if len(labels) != len(doc.fields[self.labels]) or gold not in labels:
            raise DataError(f"document {doc.id}: label {doc.fields[self.gold]!r} is not one of {len(labels)} distinct labels; mend the row")
        answer = normal_label(response.text or "")
        return sample(doc, [response], float(answer == gold), prediction=labels.get(answer), invalid=answer not in labels)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        return mean_summary(self.name, scores, ["labels:closed", "norm:nfc+casefold+punct"], higher_is_better=self.higher_is_better)
