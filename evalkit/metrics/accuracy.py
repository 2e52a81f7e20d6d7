"""Multiple choice by log-likelihood: acc, acc_norm (characters) and acc_bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.errors import ConfigError, DataError
from evalkit.metrics.base import mean_summary, sample, usable
from evalkit.types import Doc, Response, SampleScore, Summary


@dataclass(frozen=True)
class Accuracy:
    """Share of documents whose highest-scored choice is right.

    Attributes:
        normalize: None ranks summed log-probabilities (lm-evaluation-harness `acc`); `chars` divides each by the
            choice's number of Unicode characters, `bytes` by its UTF-8 bytes (its `acc_norm`, `acc_bytes`), both
            without the delimiter in front of the choice.
        among: a field of the document, `[[index of a choice, 0 or 1], …]`: rank these choices only, and call those
            marked 1 right (TruthfulQA mc1); None ranks all and calls `doc.target` right.

    `doc.target` is the right index, or a tuple of right indices. The first of equal scores wins. A sample's prediction
    is the chosen index.
    """

    name: str = "acc"
    normalize: Literal["chars", "bytes"] | None = None
    among: str | None = None
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if self.normalize not in (None, "chars", "bytes"):
            raise ConfigError(f"metric {self.name}: normalize={self.normalize!r} is unknown; use null, chars or bytes")

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Raises DataError when the target is no index of a choice, or scores and choices do not match in number."""
        answers = usable(responses)
        if not answers:
            return sample(doc, responses, None)
        n = len(answers[0].loglikelihoods or ())
        listed = None if self.among is None else labelled(doc, self.among, n)
        chosen = choose(doc, answers[0], self.normalize, None if listed is None else [index for index, _ in listed])
        if chosen is None:
            return sample(doc, [], None)
        right = right_indices(doc, n) if listed is None else [index for index, true in listed if true]
        return sample(doc, responses, float(chosen in right), prediction=chosen)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """A mean with Wilson's interval, or a cluster-robust one where documents share a cluster."""
        among = [f"among:{self.among}"] if self.among else []
        return mean_summary(self.name, scores, [f"norm:{self.normalize or 'none'}", *among], higher_is_better=self.higher_is_better)


def choose(doc: Doc, response: Response, normalize: str | None, among: Sequence[int] | None = None) -> int | None:
    """Index of the best choice (of those in `among`, in their order), the first of equals; None when a log-likelihood is not
    a number (nothing measured)."""
    lls = response.loglikelihoods
    if not lls:
        raise DataError(f"document {doc.id}: the response has no log-likelihoods; an accuracy needs a multiple-choice prompt")
    if any(math.isnan(ll) for ll in lls):
        return None
    if normalize is not None:
        if len(doc.choices) != len(lls):
            raise DataError(
                f"document {doc.id}: {len(lls)} log-likelihoods for {len(doc.choices)} choices; one a choice is needed to normalize"
            )
        lengths = [len(c) if normalize == "chars" else len(c.encode("utf-8")) for c in doc.choices]
        # An empty choice has no length to divide by and can never win.
        lls = tuple(ll / length if length else -math.inf for ll, length in zip(lls, lengths, strict=True))
    return max(range(len(lls)) if among is None else among, key=lls.__getitem__)


def right_indices(doc: Doc, n: int) -> tuple[int, ...]:
    """The document's right answers as indices below n."""
    right = doc.target if isinstance(doc.target, (tuple, list)) else (doc.target,)
    if not right or any(isinstance(i, bool) or not isinstance(i, int) or not 0 <= i < n for i in right):
        raise DataError(f"document {doc.id}: target {doc.target!r} is not an index of one of its {n} choices (0 to {n - 1}); fix to_doc")
    return tuple(right)


def labelled(doc: Doc, field: str, n: int) -> list[tuple[int, bool]]:
    """(index of a choice, whether it is right) of a field `[[index, 0 or 1], …]`; indices are below n.

    Raises:
        DataError: no such list, or nothing right in it.
    """
    listed = [(int(index), bool(label)) for index, label in doc.fields.get(field) or ()]
    if not any(right for _, right in listed) or any(not 0 <= index < n for index, _ in listed):
        raise DataError(f"document {doc.id}: field {field} {doc.fields.get(field)!r} does not mark its {n} choices; fix to_doc")
    return listed


@dataclass(frozen=True)
class TrueMass:
    """Share of the listed choices' probability that lies on the right ones (TruthfulQA mc2, Lin et al., 2022).

    Attributes:
        among: the document's field that lists them, `[[index of a choice, 0 or 1], …]`. A choice listed twice counts twice.

    Probabilities are of whole answers, not normalised by length, so the mass is summed in logarithms: the least likely of
    them would round to 0.
    """

    name: str = "mc2"
    among: str = "mc2"
    higher_is_better: bool = True

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Raises DataError when the response has no log-likelihoods or the field does not mark the choices."""
        answers = usable(responses)
        if not answers:
            return sample(doc, responses, None)
        lls = answers[0].loglikelihoods
        if not lls:
            raise DataError(f"document {doc.id}: the response has no log-likelihoods; {self.name} needs a multiple-choice prompt")
        if any(math.isnan(ll) for ll in lls):
            return sample(doc, [], None)
        listed = labelled(doc, self.among, len(lls))
        best = max(lls[index] for index, _ in listed)
        if best == -math.inf:
            return sample(doc, [], None)
        masses = [math.exp(lls[index] - best) for index, _ in listed]
        return sample(doc, responses, math.fsum(m for m, (_, right) in zip(masses, listed, strict=True) if right) / math.fsum(masses))

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """A mean with Student's t interval."""
        return mean_summary(self.name, scores, ["mass:true", f"among:{self.among}"], higher_is_better=self.higher_is_better)
