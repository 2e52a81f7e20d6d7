"""Named entities written one a line as `TYPE: text`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evalkit import stats
from evalkit.errors import ConfigError
from evalkit.metrics.base import VERSION, sample, usable, with_groups
from evalkit.text import nfc
from evalkit.types import Doc, Response, SampleScore, Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

Entity = tuple[str, str]
Measure = Literal["recall", "precision", "f1", "sentence"]
MEASURES = ("recall", "precision", "f1", "sentence")
NONE = "none"
_LINE = re.compile(r"(?:[-*•]\s+|\d+[.)]\s+)?(?P<type>[^:：]+?)\s*[:：]\s*(?P<text>.+)")


@dataclass(frozen=True)
class EntityMatch:
    """Gold entities found with exactly their text and type, counted over all sentences.

    measure `recall`: share of gold entities produced (the accuracy that a sentence without entities says nothing about);
    `precision`: share of produced entities that are gold; `f1` of the two; `sentence`: share of sentences whose entities
    are exactly the gold ones, none included.

    `doc.fields["entities"]` holds the gold `{text, type}` objects. Text is compared after NFC with white space
    collapsed, type also case folded; an entity named twice counts twice. An answer that neither names an entity nor says NONE
    is invalid: it found nothing. A sample's `stats` are (matched, produced, gold, sentence right, 1).

    Several languages: one corpus each, combined by number of sentences, `macro` unweighted. Interval: bootstrap over
    sentences within each language.
    """

    measure: Measure = "recall"
    name: str = ""
    resamples: int = 1000
    seed: int = 12345
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ConfigError(f"metric EntityMatch: measure={self.measure!r} is unknown; use {', '.join(MEASURES)}")
        if self.resamples < 2:
            raise ConfigError(f"metric EntityMatch: resamples={self.resamples} is too few; use 1000")
        if not self.name:
            object.__setattr__(self, "name", f"entity_{self.measure}")

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Value: the measure on this sentence alone, None where it is undefined there (the counts still enter the score)."""
        answers = usable(responses)
        if not answers:
            return sample(doc, responses, None)
        found, valid = parse(answers[0].text or "")
        gold = Counter(_normal(e["type"], e["text"]) for e in doc.fields["entities"])
        produced = Counter(found)
        matched = sum((gold & produced).values())
        counts = (float(matched), float(produced.total()), float(gold.total()), float(valid and gold == produced), 1.0)
        shown = [f"{kind}: {text}" for kind, text in found]
        value = float(self._of([counts])[0])
        return sample(doc, responses, value, prediction=shown, sufficient=counts, invalid=not valid)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """From the summed counts; per language, with the macro mean."""
        return with_groups(self._one(scores), scores, self._one)

    def _one(self, scores: Sequence[SampleScore]) -> Summary:
        measured = [s for s in scores if s.value is not None]
        corpora: dict[str, list[tuple[float, ...]]] = {}
        for score in measured:
            corpora.setdefault(score.language or "", []).append(score.stats)
        value = stderr = ci = None
        if measured:
            value = sum(len(part) * float(self._of(part)[0]) for part in corpora.values()) / len(measured)
        if len(measured) > 1:
            drawn = stats.bootstrap_strata(corpora, self._ratio, self.resamples, self.seed)
            stderr, (_, ci) = float(drawn.std(ddof=1)), stats.bootstrap_interval(drawn)
            ci = (max(0.0, ci[0]), min(1.0, ci[1]))
        method = f"bootstrap-{self.resamples}|seed:{self.seed}" if ci else "none"
        return Summary(
            metric=self.name,
            value=value,
            stderr=stderr,
            ci=ci,
            n=len(measured),
            n_not_measured=len(scores) - len(measured),
            n_invalid=sum("invalid" in s.flags for s in measured),
            signature=f"{self.name}|match:text+type|norm:nfc|measure:{self.measure}|ci:{method}|{VERSION}",
            higher_is_better=self.higher_is_better,
        )

    def _of(self, counts: Sequence[tuple[float, ...]]) -> NDArray[Any]:
        import numpy as np

        return self._ratio(np.asarray(counts, dtype=float).sum(axis=0, keepdims=True))

    def _ratio(self, totals: NDArray[Any]) -> NDArray[Any]:
        """The measure, shape (r,), of summed counts, shape (r, 5); nothing to find and nothing produced is 1."""
        import numpy as np

        matched, produced, gold, right, sentences = totals.T
        above, below = {
            "recall": (matched, gold),
            "precision": (matched, produced),
            "f1": (2 * matched, produced + gold),
            "sentence": (right, sentences),
        }[self.measure]
        nothing = np.where(produced + gold > 0, 0.0, 1.0)
        return np.where(below > 0, above / np.where(below > 0, below, 1), nothing)


def parse(text: str) -> tuple[list[Entity], bool]:
    """(entities in order, whether the answer says anything: an entity, or NONE)."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [_normal(match["type"], match["text"]) for line in lines if (match := _LINE.fullmatch(line))]
    return found, bool(found) or any(line.rstrip(".।").casefold() == NONE for line in lines)


def _normal(kind: str, text: str) -> Entity:
    return " ".join(nfc(kind).casefold().split()), " ".join(nfc(text).split())
