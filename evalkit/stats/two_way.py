"""The variance of an estimate whose observations share prompts with some others and raters with some others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.stats.intervals import ENOUGH_UNITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


TWO_WAY_CI = "ci:two-way-t"  # the part of a signature that says: an interval for other prompts and other raters


@dataclass(frozen=True, slots=True)
class TwoWay:
    """Variance of an estimate, in the square of its unit, with the degrees of freedom of Student's t that go with it."""

    variance: float
    df: float


def two_way(errors: NDArray[np.float64], prompts: NDArray[np.int64], raters: NDArray[np.int64], strata: NDArray[np.int64]) -> TwoWay | None:
    """Clustered in two ways at once: of prompts, plus of raters, minus of what a rater and a prompt have in common.

    Cameron, Gelbach and Miller, "Robust Inference With Multiway Clustering" (2011), equation 2.1. Each part has its small-sample
    factor G / (G - S) for G clusters and S means that were taken out of them. Degrees of freedom after Satterthwaite (1946).

    Args:
        errors: shape (n,), what each observation contributes to the error of the estimate; they sum to 0 in every stratum.
        prompts, raters: shape (n,), numbers of the clusters.
        strata: shape (n,), from 0: observations whose mean was taken out together.

    Returns:
        None with fewer than two prompts or two raters: nothing can then be said of how far they vary.
    """
    import numpy as np

    prompts, raters = (np.unique(labels, return_inverse=True)[1].reshape(-1) for labels in (prompts, raters))
    of_prompts, of_raters = int(prompts.max(initial=-1)) + 1, int(raters.max(initial=-1)) + 1
    if of_prompts < ENOUGH_UNITS or of_raters < ENOUGH_UNITS:
        return None
    cells = np.unique(prompts * of_raters + raters, return_inverse=True)[1].reshape(-1)
    n, k = int(cells.max()) + 1, int(strata.max()) + 1
    # Strata that share a cluster lose one mean between them as far as that kind of cluster goes.
    less_prompts, less_raters = _linked(strata, prompts), _linked(strata, raters)
    by_prompt = _clustered(errors, prompts, of_prompts, less_prompts)
    by_rater = _clustered(errors, raters, of_raters, less_raters)
    single = _clustered(errors, cells, n, k)
    variance = max(by_prompt + by_rater - single, by_prompt, by_rater)
    more = max(0.0, by_rater - single)
    parts = by_prompt**2 / max(1, of_prompts - less_prompts) + (by_rater**2 / max(1, of_raters - less_raters) if more else 0.0)
    least = float(max(1, min(of_prompts - less_prompts, of_raters - less_raters)))  # the sum has no fewer than its poorest part
    return TwoWay(variance, max(least, (by_prompt + more) ** 2 / parts) if parts else least)


def usable(strata: NDArray[np.int64], prompts: NDArray[np.int64], raters: NDArray[np.int64]) -> NDArray[np.int64]:
    """Strata as numbers from 0; one too small to show any variance joins the others that are."""
    import numpy as np

    small = [
        label
        for label in np.unique(strata)
        if min(len(np.unique(prompts[strata == label])), len(np.unique(raters[strata == label]))) <= ENOUGH_UNITS
    ]
    joined = np.where(np.isin(strata, small), -1, strata)
    return np.asarray(np.unique(joined, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def _clustered(errors: NDArray[np.float64], labels: NDArray[np.int64], clusters: int, means: int) -> float:
    import numpy as np

    sums = np.bincount(labels, weights=errors)
    return float((sums * sums).sum()) * clusters / max(1, clusters - means)


def _linked(strata: NDArray[np.int64], labels: NDArray[np.int64]) -> int:
    """How many groups the strata fall into, where strata that share a label are of one group."""
    group = list(range(int(strata.max()) + 1))

    def root(stratum: int) -> int:
        while group[stratum] != stratum:
            stratum = group[stratum]
        return stratum

    first: dict[int, int] = {}
    for stratum, label in zip(strata.tolist(), labels.tolist(), strict=True):
        group[root(stratum)] = root(first.setdefault(label, stratum))
    return len({root(stratum) for stratum in group})
