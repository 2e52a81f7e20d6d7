"""What corpus metrics share: languages as strata, size-weighted combination, groups, bootstrap intervals, signature.

A corpus metric is one class with three methods: how a document's statistics are made (`segment`), which formula of `stats.CORPUS`
turns summed statistics into a score (`corpus`), and with what settings (`settings`). The rest is here. The formula has a name
because `evalkit compare` and the leaderboard rebuild the score from saved statistics, without the metric.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from evalkit import stats
from evalkit.errors import ConfigError
from evalkit.metrics.base import UNIT, VERSION, cluster_labels, count_invalid, few_in, of_samples, over_samples, sample, with_groups, within
from evalkit.types import Doc, Response, SampleScore, Signature, Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Segment:
    """One document's part of a corpus.

    Attributes:
        stats: its sufficient statistics, as many for every document.
        prediction: what was extracted, for people.
        invalid: nothing could be extracted.
    """

    stats: tuple[float, ...]
    prediction: object
    invalid: bool = False


@dataclass(frozen=True, kw_only=True)
class CorpusMetric(ABC):
    """A score that is a function of sums over documents, not a mean of their scores (chrF++, micro-averaged F1).

    Attributes:
        resamples, seed: of the bootstrap. The defaults are sacrebleu's, so one language has sacrebleu's resamples.

    A sample's value is the score of that document alone. Of several samples per document, its value and its statistics are the
    means: the score is that of a corpus that holds every document once with each of its samples, at one document's weight.
    Several languages are a corpus each, combined by number of documents; the unweighted mean is `macro`.

    Interval: bootstrap over documents within each language, or over whole clusters where documents share one, as sacrebleu
    prints it: the mean of the bootstrap scores -/+ half the width of their middle 95%. Where that misses the score, it is
    widened to hold it (`stats.holding`). Where a language has fewer than two independent documents there is none, and
    `Summary.no_interval` says so.
    """

    name: str = ""
    resamples: int = 1000
    seed: int = 12345
    higher_is_better: bool = True

    bounds: ClassVar[tuple[float, float] | None] = UNIT  # what a score can be
    computed_by: ClassVar[str] = VERSION  # the signature's last part; empty where a package in `settings` computes the score
    bootstrap_scale: ClassVar[int] = 1  # resampled scores are multiplied by this until the interval is made

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError(f"metric {type(self).__name__} has no name; set name:")
        if self.resamples < 2:
            raise ConfigError(f"metric {self.name}: resamples={self.resamples} is too few; use 1000")

    @property
    @abstractmethod
    def corpus(self) -> str:
        """The name in `stats.CORPUS` of what turns summed statistics into a score."""

    @abstractmethod
    def segment(self, doc: Doc, text: str) -> Segment:
        """A document's statistics from the model's text. Raises DataError when the document cannot be scored."""

    @abstractmethod
    def settings(self) -> Sequence[str]:
        """The parts of the signature that say how it is measured, as `key:value`, in order."""

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """The document's statistics, and the score of this document alone; means over its samples."""
        return over_samples(doc, responses, lambda response: self._single(doc, response))

    def _single(self, doc: Doc, response: Response) -> SampleScore:
        found = self.segment(doc, response.text or "")
        value = self.total(found.stats)
        return sample(doc, [response], value, prediction=found.prediction, sufficient=found.stats, invalid=found.invalid)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """Corpus score, bootstrap stderr and interval; per language or group, with the macro mean."""
        return with_groups(self._one(scores), scores, self._one)

    def total(self, totals: Sequence[float]) -> float:
        """The score of summed statistics."""
        import numpy as np

        return float(stats.CORPUS[self.corpus](np.array([totals], dtype=float))[0])

    def _one(self, scores: Sequence[SampleScore]) -> Summary:
        measured = [s for s in scores if s.value is not None]
        labels = cluster_labels(measured)
        corpora: dict[str, list[tuple[float, ...]]] = {}
        units: dict[str, list[object]] = {}
        for i, score in enumerate(measured):
            corpora.setdefault(score.language or "", []).append(score.stats)
            units.setdefault(score.language or "", []).append(labels[i] if labels else i)
        few = stats.too_few(units.values())
        value = stderr = ci = None
        if measured:
            value = sum(len(part) * self.total([sum(column) for column in zip(*part, strict=True)]) for part in corpora.values())
            value /= len(measured)
            if not few:
                stderr, ci = self._interval(value, corpora, units if labels else None)
        return Summary(
            metric=self.name,
            value=value,
            stderr=stderr,
            ci=ci,
            n=len(measured),
            n_not_measured=len(scores) - len(measured),
            n_invalid=count_invalid(measured),
            signature=str(self._signature(of_samples(measured), ci is not None, labels is not None)),
            higher_is_better=self.higher_is_better,
            corpus=self.corpus,
            no_interval=few_in(few, len(units), "languages") if few else "",
        )

    def _interval(
        self, value: float, corpora: dict[str, list[tuple[float, ...]]], clusters: dict[str, list[object]] | None
    ) -> tuple[float, stats.Interval]:
        """(standard deviation of the bootstrap scores, 95% interval that holds `value`)."""
        scale = self.bootstrap_scale

        def scores(totals: NDArray[Any]) -> NDArray[Any]:
            return scale * stats.CORPUS[self.corpus](totals)

        if clusters is None:
            drawn = stats.bootstrap_strata(corpora, scores, self.resamples, self.seed)
        else:
            drawn = stats.bootstrap_clusters(corpora, clusters, scores, self.resamples, self.seed)
        _, (low, high) = stats.bootstrap_interval(drawn)
        ci = within(stats.holding((low / scale, high / scale), value), self.bounds)
        return float(drawn.std(ddof=1, dtype=float)) / scale, ci

    def _signature(self, samples: Sequence[str], interval: bool, clustered: bool) -> Signature:
        how = (f"ci:bootstrap{'-clusters' if clustered else ''}-{self.resamples}", f"seed:{self.seed}") if interval else ("ci:none",)
        return Signature.of(self.name, *self.settings(), *samples, *how, self.computed_by)
