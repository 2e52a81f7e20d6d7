"""Standard errors and 95% intervals of means, from values and from clusters of values. Pure Python."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Sequence
from statistics import NormalDist

from evalkit.stats.student import t_quantile

Interval = tuple[float, float]
LEVEL = 0.95
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)  # 1.96 standard errors to each side
ENOUGH_UNITS = 2  # independent observations without which nothing can be said of how far they vary


def too_few(strata: Iterable[Collection[Hashable]]) -> int:
    """How many strata have fewer than two independent units, and so no variance anybody could estimate.

    Args:
        strata: per stratum (a language whose corpus has its own score; a plain mean has one stratum) a label per document;
            documents of one label are one unit.

    One such stratum takes the interval from a score over all strata: it would count as a stratum without any variance, and
    the interval would be too narrow.
    """
    return sum(len(set(labels)) < ENOUGH_UNITS for labels in strata)


def holding(interval: Interval, value: float) -> Interval:
    """The interval itself where it holds the value; else the smallest one with both it and its width centred on the value.

    An interval centred on the mean of bootstrap scores misses a corpus score whose bootstrap is biased by more than half its
    width. The documents then say little: neither end is taken back, and the value does not become an end.
    """
    low, high = interval
    if low <= value <= high:
        return interval
    half = (high - low) / 2
    return min(low, value - half), max(high, value + half)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; the sum is exact to the last bit whatever the order."""
    return math.fsum(values) / len(values)


def stderr_of_mean(values: Sequence[float]) -> float | None:
    """sd(ddof=1) / sqrt(n) in the unit of the values; None for fewer than two."""
    n = len(values)
    if n < 2:
        return None
    centre = mean(values)
    return math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (n - 1) / n)


def clustered_stderr(values: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """Cluster-robust standard error of the mean; None for fewer than two clusters.

    `sqrt(G/(G-1) * sum_c (sum_{i in c} (v_i - mean))^2) / n` for G clusters: Liang & Zeger (1986), as applied to
    evaluations by Miller, "Adding Error Bars to Evals" (2024), eq. 4, times the G/(G-1) small-sample factor (CR1),
    which makes it equal to `stderr_of_mean` when every value is its own cluster.
    """
    centre = mean(values)
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + (value - centre)
    g = len(sums)
    if g < 2:
        return None
    return math.sqrt(g / (g - 1) * math.fsum(s * s for s in sums.values())) / len(values)


def wilson(successes: float, n: float, level: float = LEVEL) -> Interval | None:
    """Wilson's score interval for a proportion (Wilson 1927), inside [0, 1]; None for n = 0.

    `n` may be an effective sample size, so neither argument has to be whole.
    """
    if n <= 0:
        return None
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p = successes / n
    denominator = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / denominator
    half = z / denominator * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # The ends at p = 0 and p = 1 are exactly 0 and 1; rounding must not say otherwise.
    return (0.0 if p == 0 else max(0.0, centre - half), 1.0 if p == 1 else min(1.0, centre + half))


def t_interval(centre: float, stderr: float, df: int, level: float = LEVEL) -> Interval:
    """centre -/+ t(df) * stderr (Student 1908)."""
    half = t_quantile(0.5 + level / 2, df) * stderr
    return (centre - half, centre + half)


def pooled_stderr(sizes: Sequence[int], stderrs: Sequence[float]) -> float | None:
    """Standard error of a size-weighted mean of k independent group means, as lm-evaluation-harness pools them.

    `sqrt( sum (n_i - 1) se_i^2 n_i / (sum n_i - k) / sum n_i )`: the within-group variance, pooled, over all documents.
    None when no group has two documents.
    """
    total, k = sum(sizes), len(sizes)
    if total <= k:
        return None
    within = math.fsum((n - 1) * se * se * n for n, se in zip(sizes, stderrs, strict=True))
    return math.sqrt(within / (total - k) / total)


def macro_stderr(stderrs: Sequence[float]) -> float | None:
    """Standard error of the unweighted mean of k independent group means: `sqrt(sum se_i^2) / k`; None for k = 0."""
    return math.sqrt(math.fsum(se * se for se in stderrs)) / len(stderrs) if stderrs else None
