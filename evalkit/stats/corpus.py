"""Corpus scores from summed sufficient statistics, by name: what a metric's `Summary.corpus` refers to.

A corpus score (chrF++, micro-averaged F1) is no mean of sample scores, but a function of sums over samples. Whoever
has the statistics of each sample can therefore resample and swap samples without touching text again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Score = Callable[["NDArray[Any]"], "NDArray[Any]"]  # totals of shape (r, k) to scores of shape (r,), in [0, 1]
CHRF_BETA = 2


def chrf(totals: NDArray[Any]) -> NDArray[Any]:
    """chrF and chrF++ (Popović 2015, 2017) of totals, shape (r, 3 * orders): hypothesis, reference, matching n-grams.

    As sacrebleu 2.x: precision and recall averaged over the orders both sides have, then one F with beta 2. The steps are
    taken in sacrebleu's single precision, so that its bootstrap interval is met to the last bit.
    """
    import numpy as np

    counts = totals.astype(np.float32).reshape(len(totals), -1, 3)
    precision, recall, effective = (np.zeros(len(totals), dtype=np.float32) for _ in range(3))
    for hypothesis, reference, match in counts.transpose(1, 2, 0):
        both = (hypothesis > 0) & (reference > 0)
        precision += np.where(both, match / np.maximum(hypothesis, 1), 0)
        recall += np.where(both, match / np.maximum(reference, 1), 0)
        effective += both
    precision /= np.maximum(effective, 1)
    recall /= np.maximum(effective, 1)
    factor = CHRF_BETA**2
    denominator = factor * precision + recall
    return np.asarray((1 + factor) * precision * recall / np.where(denominator > 0, denominator, 1), dtype=np.float32)


def ratio(totals: NDArray[Any]) -> NDArray[Any]:
    """Totals (r, 2), numerator and denominator, to their quotient; 0 when the denominator is 0."""
    import numpy as np

    return np.asarray(totals[:, 0] / np.where(totals[:, 1] == 0, 1, totals[:, 1]))


def entities(above: Callable[[NDArray[Any]], NDArray[Any]], below: Callable[[NDArray[Any]], NDArray[Any]]) -> Score:
    """A quotient of counts of named entities: totals of shape (5, r) to its two parts, each of shape (r,).

    Totals, shape (r, 5): matched, produced, gold, sentences that are exactly right, sentences. Nothing to find and nothing
    produced is 1; any other quotient of nothing is 0.
    """

    def score(totals: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        numerator, denominator = above(totals.T), below(totals.T)
        nothing = np.where(totals[:, 1] + totals[:, 2] > 0, 0.0, 1.0)
        return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1), nothing)

    return score


def instructions(totals: NDArray[Any]) -> NDArray[Any]:
    """Share of instructions followed, of totals, shape (r, 4): prompts followed, instructions followed, instructions, prompts."""
    return ratio(totals[:, 1:3])


def prompts_and_instructions(totals: NDArray[Any]) -> NDArray[Any]:
    """The mean of the share of prompts and the share of instructions followed; totals as `instructions` takes them."""
    return (ratio(totals[:, [0, 3]]) + ratio(totals[:, 1:3])) / 2


@dataclass(frozen=True, slots=True)
class CorpusScore:
    """What turns summed statistics into a score.

    Attributes:
        score: totals of shape (r, k) to scores of shape (r,).
        columns: k, or what k is a multiple of (n-gram orders).
    """

    score: Score
    columns: int

    def __call__(self, totals: NDArray[Any]) -> NDArray[Any]:
        return self.score(totals)

    def fits(self, k: int) -> bool:
        """Whether statistics of k numbers per document are of this kind."""
        return k > 0 and k % self.columns == 0


# What a `Summary.corpus` may name. A mean has no name: its statistics are (value, 1).
CORPUS: Mapping[str, CorpusScore] = MappingProxyType(
    {
        "": CorpusScore(ratio, 2),
        "chrf": CorpusScore(chrf, 3),
        "entity_recall": CorpusScore(entities(lambda n: n[0], lambda n: n[2]), 5),
        "entity_precision": CorpusScore(entities(lambda n: n[0], lambda n: n[1]), 5),
        "entity_f1": CorpusScore(entities(lambda n: 2 * n[0], lambda n: n[1] + n[2]), 5),
        "entity_sentence": CorpusScore(entities(lambda n: n[3], lambda n: n[4]), 5),
        "instructions": CorpusScore(instructions, 4),
        "prompts_and_instructions": CorpusScore(prompts_and_instructions, 4),
    }
)


@dataclass(frozen=True)
class Corpora:
    """One system's sufficient statistics, ready for resampling.

    Attributes:
        units: shape (units, strata, k): statistics summed within each independent unit (a document, or a cluster of
            documents) and stratum (a language that is a corpus of its own).
        sizes: documents a stratum, the weights of the strata's scores.
        corpus: name of the score in `CORPUS`.
    """

    units: NDArray[np.float64]
    sizes: tuple[int, ...]
    corpus: str

    @classmethod
    def of(
        cls, stats: NDArray[np.float64], corpus: str, strata: Sequence[Hashable] | None = None, clusters: Sequence[Hashable] | None = None
    ) -> Corpora:
        """From per-document statistics, shape (n, k); documents are their own units without `clusters`."""
        import numpy as np

        unit = numbered(clusters) if clusters is not None else np.arange(len(stats))
        stratum = numbered(strata) if strata is not None else np.zeros(len(stats), dtype=np.int64)
        units = np.zeros((int(unit.max()) + 1, int(stratum.max()) + 1, stats.shape[1]))
        np.add.at(units, (unit, stratum), stats)
        return cls(units, tuple(int(size) for size in np.bincount(stratum)), corpus)

    def score(self, totals: NDArray[Any]) -> NDArray[np.float64]:
        """Scores, shape (r,), of totals of shape (r, strata, k): the size-weighted mean of the strata's corpus scores."""
        import numpy as np

        parts = [CORPUS[self.corpus](totals[:, i]).astype(np.float64) for i in range(totals.shape[1])]
        return np.asarray(parts[0] if len(parts) == 1 else np.average(parts, axis=0, weights=self.sizes))

    @property
    def value(self) -> float:
        """The score of everything."""
        return float(self.score(self.units.sum(axis=0)[None])[0])

    def influence(self) -> NDArray[np.float64]:
        """What each unit contributes to the score's error, shape (units,): the jackknife's terms (Tukey 1958), which sum to 0.

        `-(score without the unit - mean of those) * (n - 1) / n`; of a plain mean of n values exactly `(value - mean) / n`.
        """
        import numpy as np

        n = len(self.units)
        total = self.units.sum(axis=0)
        without = np.concatenate([self.score(total - block) for block in np.array_split(self.units, max(1, self.units.size // 2_000_000))])
        return np.asarray((without.mean() - without) * (n - 1) / n)


def numbered(labels: Sequence[Hashable]) -> NDArray[np.int64]:
    """Labels as numbers from 0, in order of first appearance."""
    import numpy as np

    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(label, len(number)) for label in labels], dtype=np.int64)
