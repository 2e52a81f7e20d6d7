"""A metric over part of the documents, and the share of answers that say nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.errors import ConfigError
from evalkit.metrics.base import ChecksSamples, Metric, mean_summary, merged, over_samples, score_documents, usable
from evalkit.types import Doc, Response, SampleScore, Signature, Summary

APART = "apart"


@dataclass(frozen=True)
class Subset:
    """Another metric over the documents it is about: without the unanswerable questions, or valid answers alone.

    Attributes:
        metric: what is measured; its own name gives way to `name`.
        where: only documents whose fields have these values, as `{answerable: true}`.
        valid_only: only answers from which something could be extracted (not flagged `invalid`).

    Of several samples per document, `valid_only` takes the mean over the valid ones. The other documents are neither
    measured nor wrong: they leave the denominator, and `Summary.n_apart` counts them.
    """

    metric: Metric
    name: str
    where: Mapping[str, Any] = field(default_factory=dict)
    valid_only: bool = False

    def __post_init__(self) -> None:
        if not self.where and not self.valid_only:
            raise ConfigError(f"metric {self.name}: a subset of what? give where: {{field: value}} or valid_only: true")

    @property
    def higher_is_better(self) -> bool:
        return self.metric.higher_is_better

    def check_samples(self, n: int) -> None:
        """Raises ConfigError as the inner metric does."""
        if isinstance(self.metric, ChecksSamples):
            self.metric.check_samples(n)

    def about(self, doc: Doc) -> bool:
        """Whether the metric has anything to say about this document.

        Raises:
            ConfigError: the document has no such field.
        """
        if missing := [name for name in self.where if name not in doc.fields]:
            raise ConfigError(f"metric {self.name}: document {doc.id} has no field {missing[0]!r}; it has {', '.join(doc.fields)}")
        return all(doc.fields[name] == value for name, value in self.where.items())

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """The inner metric's verdict; value None and flag `apart` where it does not count."""
        return self.score_all([doc], {doc.id: responses})[0]

    def score_all(self, docs: Sequence[Doc], answers: Mapping[str, Sequence[Response]]) -> list[SampleScore]:
        """`score` of every document, in order; the inner metric gets those that count all at once."""
        counted = [doc for doc in docs if self.about(doc)]
        inner = {score.doc_id: score for score in score_documents(self.metric, counted, answers)}
        several = {doc.id: given for doc in counted if self.valid_only and len(given := usable(answers.get(doc.id, ()))) > 1}
        return [self._valid(doc, several[doc.id]) if doc.id in several else self._one(doc, inner.get(doc.id)) for doc in docs]

    def _valid(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """The mean over the valid ones of several samples; set aside when none is."""
        each = [self.metric.score(doc, [response]) for response in responses]
        valid = [score for score in each if "invalid" not in score.flags]
        return merged(responses, valid) if valid else _apart(merged(responses, each))

    def _one(self, doc: Doc, inner: SampleScore | None) -> SampleScore:
        if inner is None:
            return _apart(SampleScore(doc.id, None, cluster=doc.cluster, group=doc.group, language=doc.language))
        return _apart(inner) if self.valid_only and "invalid" in inner.flags else inner

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """The inner metric's summary of the documents that count; the others in `n_apart`, in every group too."""
        inner = self.metric.summarize([s for s in scores if APART not in s.flags])
        return self._renamed(inner, [s for s in scores if APART in s.flags])

    def _renamed(self, inner: Summary, apart: Sequence[SampleScore]) -> Summary:
        groups = {name: self._renamed(part, [s for s in apart if name in (s.language, s.group)]) for name, part in inner.groups.items()}
        only = [f"{key}={value}".lower() for key, value in self.where.items()] + (["valid"] if self.valid_only else [])
        signature = str(Signature.read(inner.signature).plus(f"only:{','.join(only)}"))
        of = [f"valid as {self.metric.name} reads the answers"] if self.valid_only else []
        note = "; ".join([*([inner.note] if inner.note else []), *of])
        return replace(inner, metric=self.name, groups=groups, n_apart=len(apart), signature=signature, note=note)


@dataclass(frozen=True)
class InvalidRate:
    """Share of answers from which another metric could extract nothing; lower is better."""

    metric: Metric
    name: str = "invalid"
    higher_is_better: bool = False

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """1 for an invalid answer, 0 for a valid one, their mean for several; None when there is no answer."""
        return over_samples(doc, responses, lambda response: self._single(self.metric.score(doc, [response])))

    def _single(self, inner: SampleScore) -> SampleScore:
        flags = tuple(flag for flag in inner.flags if flag != "invalid")
        return replace(inner, value=None if inner.value is None else float("invalid" in inner.flags), stats=(), flags=flags)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """A mean whose note says by which metric's reading the answers are invalid."""
        summary = mean_summary(self.name, scores, [f"of:{self.metric.name}"], higher_is_better=self.higher_is_better)
        note = f"invalid as {self.metric.name} reads the answers"
        groups = {name: replace(part, note=note) for name, part in summary.groups.items()}
        return replace(summary, note=note, groups=groups)


def _apart(score: SampleScore) -> SampleScore:
    return replace(score, value=None, stats=(), flags=(*score.flags, APART))
