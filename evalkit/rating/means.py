"""Means of ratings whose intervals know that prompts and raters repeat, and raters' leanings.

A rating has a prompt and a rater, and both are samples: other prompts and other raters would have given another mean. The
variance of a mean is therefore clustered in two ways at once (`stats.two_way`: Cameron, Gelbach and Miller 2011), and the
interval is Student's t with Satterthwaite's (1946) degrees of freedom. `benchmarks/rating.py` simulates how often it holds the truth.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from evalkit import stats
from evalkit.stats.corpus import numbered

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of ratings.

    Attributes:
        value: the mean over prompts of their mean rating; None without any.
        stderr, ci: None where fewer than two prompts or two raters gave it: nothing can then be said of how far they vary.
        df: degrees of freedom of the interval.
        n, prompts, raters: how many there are.
    """

    value: float | None
    stderr: float | None
    ci: stats.Interval | None
    df: float
    n: int
    prompts: int
    raters: int

    @property
    def p(self) -> float | None:
        """Of the two-sided test that the true mean is 0, for differences."""
        if self.value is None or self.stderr is None:
            return None
        if not self.stderr:
            return float(self.value == 0)
        return 2 * (1 - stats.t_cdf(abs(self.value) / self.stderr, max(1, int(self.df))))

    @property
    def detectable(self) -> float | None:
        """As a difference: the true one that as many ratings would have shown four times in five."""
        return stats.detectable(self.stderr, ALPHA) if self.stderr else None


def two_way(
    values: Sequence[float],
    prompts: Sequence[Hashable],
    raters: Sequence[Hashable],
    strata: Sequence[Hashable] | None = None,
    bounds: tuple[float, float] | None = None,
) -> Estimate:
    """The mean over prompts of their mean rating, so that every prompt counts once, with an interval for other prompts and raters.

    Args:
        values, prompts, raters: one entry per rating.
        strata: a label per rating (its language) whose means differ on purpose and are no chance; those with fewer than two
            prompts or two raters are put together.
        bounds: the ends of the scale, which the interval does not leave.
    """
    import numpy as np

    n = len(values)
    if not n:
        return Estimate(None, None, None, 0, 0, 0, 0)
    y, p, r = np.asarray(values, dtype=np.float64), numbered(prompts), numbered(raters)
    of_prompts, of_raters = int(p.max()) + 1, int(r.max()) + 1
    value = stats.mean((np.bincount(p, weights=y) / np.bincount(p)).tolist())
    s = stats.usable(numbered(strata) if strata is not None else np.zeros(n, dtype=np.int64), p, r)
    weight = 1 / np.bincount(p)[p] / of_prompts
    error = weight * (y - (np.bincount(s, weights=weight * y) / np.bincount(s, weights=weight))[s])
    spread = stats.two_way(error, p, r, s)
    if spread is None:
        return Estimate(value, None, None, 0, n, of_prompts, of_raters)
    stderr = math.sqrt(spread.variance)
    low, high = stats.t_interval(value, stderr, int(spread.df))
    if bounds is not None:
        low, high = max(bounds[0], low), min(bounds[1], high)
    return Estimate(value, stderr, (low, high), spread.df, n, of_prompts, of_raters)


def difference(
    first: Sequence[float],
    second: Sequence[float],
    prompts: Sequence[Hashable],
    raters: Sequence[Hashable],
    strata: Sequence[Hashable] | None = None,
) -> Estimate:
    """First minus second, of two models that the same rater rated on the same prompt: what both share falls out."""
    return two_way([a - b for a, b in zip(first, second, strict=True)], prompts, raters, strata)


def leanings(values: Sequence[float], answers: Sequence[Hashable], raters: Sequence[Hashable]) -> dict[Hashable, float]:
    """How far each rater is above (or below) the others on the same answers, in points; they sum to 0 over linked raters.

    The rater's part of the additive model rating = answer + rater, by least squares: what is left of a rater once answers are
    taken out is a Laplacian system over the raters (a rater is linked to those who rated the same answers).
    """
    import numpy as np

    if not len(values):
        return {}
    y, a, r = np.asarray(values, dtype=np.float64), numbered(answers), numbered(raters)
    names = list(dict.fromkeys(raters))
    counts = np.zeros((int(a.max()) + 1, len(names)))
    np.add.at(counts, (a, r), 1)
    size = counts.sum(axis=1)
    mean = np.bincount(a, weights=y) / size
    right = np.bincount(r, weights=y - mean[a], minlength=len(names))
    left = np.diag(counts.sum(axis=0)) - counts.T @ (counts / size[:, None])
    found = np.linalg.pinv(left, rcond=1e-9) @ right
    return {name: float(value) for name, value in zip(names, found, strict=True)}
