"""Scores that people gave: their differences are for other prompts and other raters.

A rater who likes one model's manner likes it on every prompt, so ratings by one rater are no independent evidence, whatever
the number of prompts. The variance is clustered by prompts and by raters at once (`stats.two_way`), as in `evalkit.rating`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.compare.pairs import Pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEST = "t-test, clustered by prompts and raters"


def rated_terms(found: Pairs, weights: Mapping[int, float], units: NDArray[np.int64] | None = None) -> stats.Terms:
    """What each rater's opinion of each document contributes to the error of a weighted sum of runs' scores.

    A score is the mean over documents of their mean rating. Languages are strata; where the same person rated a document for both
    runs, what is alike in the two ratings falls out.

    Args:
        weights: per run its factor: `{0: -1, 1: 1}` for run 1 minus run 0.
        units: a number a document (`Units.of`); None for the documents themselves.
    """
    import numpy as np

    names: dict[str, int] = {}
    for given in found.ratings:
        for name in given.names:
            names.setdefault(name, len(names))
    runs = list(weights)
    docs = np.concatenate([found.ratings[run].docs for run in runs])
    raters = np.concatenate([np.array([names[name] for name in found.ratings[run].names])[found.ratings[run].raters] for run in runs])
    strata = stats.usable(stats.corpus.numbered(found.languages)[docs], docs, raters)
    errors = np.zeros(len(docs))
    start = 0
    for run in runs:
        given, mine = found.ratings[run], slice(start, start + len(found.ratings[run].docs))
        start = mine.stop
        share = 1 / np.bincount(given.docs)[given.docs] / len(found.docs)
        label = strata[mine]
        centre = np.bincount(label, weights=share * given.values) / np.bincount(label, weights=share)
        errors[mine] = weights[run] * share * (given.values - centre[label])
    cells, first, of = np.unique(docs * len(names) + raters, return_index=True, return_inverse=True)
    values: NDArray[np.float64] = np.bincount(of.reshape(-1), weights=errors, minlength=len(cells)).astype(np.float64)
    labels = list(names)
    places = docs[first]
    return stats.Terms(
        units=places if units is None else units[places],
        values=values,
        raters=tuple(labels[rater] for rater in raters[first]),
        strata=strata[first],
    )


def rated_difference(found: Pairs, base: int = 0, candidate: int = 1, kept: float = 1.0) -> stats.Estimate | None:
    """Candidate minus (a share of) base; None where fewer than two people rated the documents."""
    spread = rated_terms(found, {base: -kept, candidate: 1.0}).spread()
    if spread is None:
        return None
    value = float(found.values[candidate].mean() - kept * found.values[base].mean())
    return stats.Estimate(value, float(spread.variance**0.5), max(1, int(spread.df)))
