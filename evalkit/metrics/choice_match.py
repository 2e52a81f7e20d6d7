"""Multiple choice by generation: the option that an answer means against the one that is right."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ConfigError, DataError
from evalkit.metrics.base import mean_summary, sample, usable
from evalkit.metrics.exact_match import gold_texts
from evalkit.metrics.extraction.choices import Options
from evalkit.metrics.extraction.marks import READING
from evalkit.stats import mean
from evalkit.types import Doc, Response, SampleScore, Summary


@dataclass(frozen=True)
class ChoiceMatch:
    """1 when the option an answer chooses (`extraction.choices.Options`) is the gold one.

    Attributes:
        labels: what the question calls its options, in order, as `[A, B]`; empty numbers the entries of `texts_field` from 0.
        texts_field: the document's field that lists, for each label, the texts that mean it (one text, or several); None takes
            `doc.choices` where there are as many as labels.
        again: a regular expression of how another question begins (`(?m)^Text:`): what a model goes on to ask itself behind
            its answer does not count.

    `doc.target` is the gold label. An answer that chooses nothing, or several options, is wrong and flagged `invalid`. With
    several samples per document, the value is their mean and the prediction a tuple.
    """

    labels: Sequence[str] = ()
    name: str = "acc_extracted"
    texts_field: str | None = None
    again: str = ""
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        labels = [str(label) for label in self.labels]
        if not labels and self.texts_field is None:
            raise ConfigError(f"metric {self.name}: without labels it has to know the options; set labels: [A, B], or texts_field:")
        if isinstance(self.labels, str) or len(labels) == 1 or len({label.casefold() for label in labels}) < len(labels):
            raise ConfigError(f"metric {self.name}: labels={self.labels!r} is no list of two or more different labels; write [A, B]")
        object.__setattr__(self, "labels", tuple(labels))
        try:
            re.compile(self.again)
        except re.error as error:
            raise ConfigError(f"metric {self.name}: again={self.again!r} is no regular expression ({error}); correct it") from error

    def check(self, doc: Doc) -> None:
        """Raises DataError when the gold answer is no label, or the texts are not one entry per label."""
        self._read(doc)

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Raises DataError as `check` does."""
        golds, options = self._read(doc)
        answers = [options.choice(r.text or "") for r in usable(responses)]
        if not answers:
            return sample(doc, responses, None)
        value = mean([float(answer in golds) for answer in answers])
        prediction = answers[0] if len(answers) == 1 else tuple(answers)
        return sample(doc, responses, value, prediction=prediction, invalid=None in answers)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """A mean with Wilson's interval (t when a document has several samples), cluster-robust where clusters exist."""
        again = [f"again:{hashlib.sha256(self.again.encode()).hexdigest()[:8]}"] if self.again else []
        labels = ",".join(self.labels) or "numbers"
        signature = [f"labels:{labels}", f"texts:{self.texts_field or 'choices'}", "extract:choice", READING, *again]
        return mean_summary(self.name, scores, signature, higher_is_better=self.higher_is_better)

    def _read(self, doc: Doc) -> tuple[tuple[str, ...], Options]:
        """The document's gold labels, and its options."""
        given: Sequence[Any] = doc.choices if self.texts_field is None else doc.fields.get(self.texts_field) or ()
        labels = tuple(self.labels) or tuple(str(number) for number in range(len(given)))
        if self.texts_field is not None and (isinstance(given, str) or len(given) != len(labels) or not labels):
            raise DataError(f"document {doc.id}: field {self.texts_field} {given!r} has not one entry per label; correct to_doc")
        golds = gold_texts(doc)
        if stray := [gold for gold in golds if gold not in labels]:
            raise DataError(f"document {doc.id}: target {stray[0]!r} is none of the labels {', '.join(labels)}; correct labels: or to_doc")
        texts = [[str(one) for one in ([text] if isinstance(text, str) else text)] for text in given] if len(given) == len(labels) else []
        return golds, Options(labels, texts, self.again)
