"""Answers anybody can give: nothing, the question itself, somebody else's reference.

Scored like a model's, they show how much of a score is floor: an embedding metric gives most of its range to any text in
the right language. A task lists them under `baselines`; every metric of the task scores them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evalkit.errors import ConfigError
from evalkit.metrics.base import Metric, score_documents
from evalkit.metrics.exact_match import gold_texts
from evalkit.types import Doc, Response, SampleScore, Summary


class Baseline(Protocol):
    """A way to answer without a model."""

    if TYPE_CHECKING:  # read and never set, so that a frozen dataclass is one

        @property
        def name(self) -> str: ...

    else:
        name: str

    def answers(self, docs: Sequence[Doc]) -> list[str | None]:
        """One answer a document, in order; None where this baseline has none to give (then nothing is measured)."""
        ...


@dataclass(frozen=True)
class EmptyAnswer:
    """No answer at all."""

    name: str = "empty"

    def answers(self, docs: Sequence[Doc]) -> list[str | None]:
        return ["" for _ in docs]


@dataclass(frozen=True)
class CopyInput:
    """A field of the document, unchanged: what a model scores that repeats what it was given.

    Raises:
        ConfigError: (from `answers`) a document has no such field.
    """

    field: str
    name: str = "copy of the input"

    def answers(self, docs: Sequence[Doc]) -> list[str | None]:
        for doc in docs:
            if self.field not in doc.fields:
                raise ConfigError(f"baseline {self.name}: document {doc.id} has no field {self.field!r}; it has {', '.join(doc.fields)}")
        return [str(doc.fields[self.field]) for doc in docs]


@dataclass(frozen=True)
class ShuffledReferences:
    """Another document's first reference in the same language: right language, right style, wrong content.

    The documents of a language are put on a ring in a seeded order and everyone answers with its neighbour's
    reference, so nobody gets its own. A language with one document has no neighbour.
    """

    name: str = "shuffled references"
    seed: int = 1234

    def answers(self, docs: Sequence[Doc]) -> list[str | None]:
        rings: dict[str | None, list[int]] = {}
        for index, doc in enumerate(docs):
            rings.setdefault(doc.language, []).append(index)
        answers: list[str | None] = [None] * len(docs)
        for language, ring in rings.items():
            random.Random(f"{self.seed}:{language}").shuffle(ring)
            for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
                answers[here] = gold_texts(docs[there])[0] if here != there else None
        return answers


def responses(baseline: Baseline, docs: Sequence[Doc]) -> dict[str, list[Response]]:
    """The baseline's answers as a metric reads a model's, by document id."""
    return {doc.id: _response(baseline, text) for doc, text in zip(docs, baseline.answers(docs), strict=True)}


def _response(baseline: Baseline, text: str | None) -> list[Response]:
    return [] if text is None else [Response(f"baseline {baseline.name}", "ok" if text.strip() else "empty", text=text)]


def score_baselines(
    baselines: Sequence[Baseline],
    metrics: Sequence[Metric],
    docs: Sequence[Doc],
    summarize: Callable[[Metric, Sequence[SampleScore]], Summary] = lambda metric, scores: metric.summarize(scores),
) -> dict[str, dict[str, Summary]]:
    """Metric name -> baseline name -> its summary over the same documents as the model's, summarised in the same way.

    Raises:
        ConfigError: two baselines of one name.
    """
    given = {baseline.name: responses(baseline, docs) for baseline in baselines}
    if len(given) != len(baselines):
        raise ConfigError(f"two baselines share a name: {', '.join(b.name for b in baselines)}; set name: on one of them")
    return {
        metric.name: {name: summarize(metric, score_documents(metric, docs, answers)) for name, answers in given.items()}
        for metric in (metrics if baselines else ())
    }
