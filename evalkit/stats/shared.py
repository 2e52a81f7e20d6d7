"""Scores of several tasks that were measured on some of the same documents: how far their errors go together."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.stats.corpus import numbered
from evalkit.stats.student import t_cdf, t_quantile
from evalkit.stats.two_way import TwoWay, two_way

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ENOUGH_DF = 1_000_000  # beyond, Student's t is the normal distribution to more digits than anybody prints


@dataclass(frozen=True)
class Terms:
    """What each part of a score contributes to its error: the score's influence function at the sample.

    Attributes:
        units: int64, shape (m,), from 0: which independent unit a term belongs to. One numbering for all scores, so that terms of
            two scores with one number come from the same document (or passage).
        values: float64, shape (m,): the terms; for a mean of n values `(value - mean) / n`. Their sum is 0.
        raters: per term who gave it, where scores are means over people, who repeat as units do; one labelling for all scores.
        strata: int64, shape (m,), for raters: terms whose mean was taken out together.
    """

    units: NDArray[np.int64]
    values: NDArray[np.float64]
    raters: tuple[Hashable, ...] | None = None
    strata: NDArray[np.int64] | None = None

    def spread(self) -> TwoWay | None:
        """The variance by units and raters of a score that people gave; None with fewer than two of either."""
        import numpy as np

        if self.raters is None:
            return None
        strata = self.strata if self.strata is not None else np.zeros(len(self.values), dtype=np.int64)
        return two_way(self.values, self.units, numbered(self.raters), strata)


@dataclass(frozen=True)
class Estimate:
    """A number with its standard error and the degrees of freedom of Student's t that go with it."""

    value: float
    stderr: float
    df: int

    @property
    def p(self) -> float:
        """Two-sided p-value of the true value being 0."""
        return 2 * (1 - t_cdf(abs(self.value) / self.stderr, self.df)) if self.stderr else float(self.value == 0)

    def interval(self, level: float) -> tuple[float, float]:
        """value -/+ t(df) * stderr."""
        half = t_quantile(0.5 + level / 2, self.df) * self.stderr
        return self.value - half, self.value + half


def correlations(parts: Sequence[Terms]) -> NDArray[np.float64]:
    """Shape (k, k): how far the errors of k scores go together because they come from the same units.

    `sum_u A_u B_u / sqrt(sum_u A_u^2 * sum_u B_u^2)` with A_u, B_u the sums of two scores' terms over unit u: the cross term
    of the cluster-robust variance (Liang & Zeger 1986), in units of the scores' own. 0 where no unit is shared. Of a score
    that does not vary at all nothing can be estimated; it is held to go with another as far as they share units.
    """
    import numpy as np

    size = _below(parts)
    sums = np.array([np.bincount(part.units, weights=part.values, minlength=size) for part in parts])
    counts = np.array([np.bincount(part.units, minlength=size) for part in parts], dtype=float)
    still = ~(np.abs(sums) > 1e-15).any(axis=1)
    found = _cosines(np.where(still[:, None], 0.0, sums))
    overlap = _cosines(counts)
    together = np.where(still[:, None] | still[None, :], overlap, found)
    np.fill_diagonal(together, 1.0)
    return together


def _below(parts: Sequence[Terms]) -> int:
    """One more than the largest number of a unit."""
    return 1 + max(int(part.units.max(initial=0)) for part in parts)


def _cosines(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    length = np.sqrt(np.square(rows).sum(axis=1))
    unit = rows / np.where(length > 0, length, 1)[:, None]
    return np.asarray(unit @ unit.T)


def mean_of_scores(values: Sequence[float], stderrs: Sequence[float], parts: Sequence[Terms]) -> Estimate:
    """The unweighted mean of k scores, whose errors go together where they share units.

    Variance: `sum_ij r_ij s_i s_j / k^2`. Degrees of freedom: as many as there are units that count alike, less 1; a unit's
    weight is its share of each score's terms, summed, and the number that counts is `(sum w)^2 / sum w^2` (Kish 1965).
    Scores without a common unit give the variance of independent ones, `sum s_i^2 / k^2`.

    Scores that people gave share raters too: they are taken together as one part, whose variance is clustered by units and
    raters (`Terms.spread`; their own standard errors are not used), and degrees of freedom are Satterthwaite's (1946).
    """
    import numpy as np

    k = len(values)
    rated = [part for part in parts if part.raters is not None]
    joint = _joined(rated, k) if rated else None
    together = joint.spread() if joint else None
    stds = [stderr for stderr, part in zip(stderrs, parts, strict=True) if together is None or part.raters is None]
    others = [part for part in parts if together is None or part.raters is None]
    if joint is not None and together is not None:
        stds.append(math.sqrt(together.variance) * k)
        others.append(joint)
    spread = np.array(stds, dtype=float)
    with np.errstate(over="ignore"):  # infinite, as the spread of an edited file may be
        variance = max(0.0, float(spread @ correlations(others) @ spread) / k**2)
    weights = np.zeros(_below(parts))
    for part in parts:
        weights += np.bincount(part.units, minlength=len(weights)) / max(1, len(part.units))
    df = round(float(weights.sum() ** 2 / np.square(weights).sum())) - 1
    if together is not None:
        of_rest = max(0.0, variance - together.variance)
        pieces = together.variance**2 / together.df + of_rest**2 / max(1, df)
        df = math.floor((together.variance + of_rest) ** 2 / pieces) if pieces else math.floor(together.df)
    return Estimate(math.fsum(values) / k, math.sqrt(variance), max(1, min(_ENOUGH_DF, df)))


def _joined(parts: Sequence[Terms], k: int) -> Terms:
    """The terms of the part of a mean over k scores that these make up."""
    import numpy as np

    strata, following = [], 0
    for part in parts:
        own = part.strata if part.strata is not None else np.zeros(len(part.values), dtype=np.int64)
        strata.append(own + following)
        following += 1 + int(own.max(initial=-1))
    return Terms(
        np.concatenate([part.units for part in parts]),
        np.concatenate([part.values for part in parts]) / k,
        tuple(rater for part in parts for rater in part.raters or ()),
        np.concatenate(strata),
    )
