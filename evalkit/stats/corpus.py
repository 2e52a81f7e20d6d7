"""Corpus scores from summed sufficient statistics, by name: what a metric's `Summary.corpus` refers to.

A corpus score (chrF++, BLEU, micro-averaged F1) is no mean of sample scores, but a function of sums over samples. Whoever
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


def bleu(totals: NDArray[Any]) -> NDArray[Any]:
    """BLEU (Papineni et al. 2002) of totals, shape (r, 10): system and reference length, matches 1-4, n-grams 1-4.

    sacrebleu's default smoothing `exp`: the m-th order without a match counts as 1 / 2^m of a match (Chen & Cherry 2014,
    method 3).
    """
    import numpy as np

    counts = np.asarray(totals, dtype=np.float64)
    system, reference, matches, grams = counts[:, 0], counts[:, 1], counts[:, 2:6], counts[:, 6:10]
    missing = (matches == 0) & (grams > 0)
    smoothed = np.where(missing, 1 / 2.0 ** np.cumsum(missing, axis=1), matches)
    logs = np.log(np.where(grams > 0, smoothed, 1) / np.maximum(grams, 1))
    brevity = np.where(system < reference, np.exp(1 - reference / np.maximum(system, 1)), 1.0)
    usable = (grams > 0).all(axis=1) & (matches.sum(axis=1) > 0)
    return np.asarray(np.where(usable, brevity * np.exp(logs.mean(axis=1)), 0.0))


def ratio(totals: NDArray[Any]) -> NDArray[Any]:
    """Totals (r, 2), numerator and denominator, to their quotient; 0 when the denominator is 0."""
    import numpy as np

    return np.asarray(totals[:, 0] / np.where(totals[:, 1] == 0, 1, totals[:, 1]))


def f1(totals: NDArray[Any]) -> NDArray[Any]:
    """Micro F1 of totals, shape (r, 3): found and right, found, to be found. 2 * right / (found + wanted)."""
    import numpy as np

    both = totals[:, 1] + totals[:, 2]
    return np.asarray(2 * totals[:, 0] / np.where(both == 0, 1, both))


CORPUS: Mapping[str, Score] = MappingProxyType({"": ratio, "chrf": chrf, "bleu": bleu, "ratio": ratio, "f1": f1})


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
        """From per-document statistics, shape (n, k); documents are units of their own without `clusters`."""
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


def numbered(labels: Sequence[Hashable]) -> NDArray[np.int64]:
    """Labels as numbers from 0, in order of first appearance."""
    import numpy as np

    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(label, len(number)) for label in labels], dtype=np.int64)
