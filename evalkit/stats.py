"""Standard errors and 95% intervals, from values, from clusters of values and from sufficient statistics.

Pure Python but for the bootstrap, which imports numpy when it is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Interval = tuple[float, float]
LEVEL = 0.95


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
    """centre -/+ t(df) * stderr."""
    half = t_quantile(0.5 + level / 2, df) * stderr
    return (centre - half, centre + half)


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: int) -> float:
    """The p-quantile of Student's t, 0 < p < 1, df >= 1: bisection on `t_cdf` until the interval is two floats wide."""
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        low, high = high, high * 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return high


def t_cdf(t: float, df: int) -> float:
    """P(T <= t) = 1 - I_x(df/2, 1/2) / 2 with x = df / (df + t^2), for t >= 0 (DLMF 8.17)."""
    if t < 0:
        return 1 - t_cdf(-t, df)
    return 1 - 0.5 * _incomplete_beta(df / 2, 0.5, df / (df + t * t), t * t / (df + t * t))


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Regularised I_x(a, b) with y = 1 - x given apart, so that neither end loses digits."""
    if x == 0.0 or y == 0.0:
        return 0.0 if x == 0.0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast only below this point
        return 1 - _incomplete_beta(b, a, y, x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(y))
    # DLMF 8.17.22: 1/(1 + d1/(1 + d2/(1 + …))), summed from the front by Lentz's method.
    fraction, c, d = 1.0, 1.0, 0.0
    for step in range(1, 1000):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (1 + term * d)
        c = 1 + term / c
        fraction *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return front / (a * fraction)


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


def resample_weights(n: int, resamples: int, rng: np.random.Generator, chunk: int = 100) -> Iterator[NDArray[np.float64]]:
    """How often each of n units occurs in each bootstrap resample, as blocks of shape (<= chunk, n), float64.

    The draws are those of `rng.choice(n, (resamples, n))`, which is how sacrebleu resamples: equal seeds give equal
    resamples. Blocks keep memory at chunk * n numbers whatever `resamples` is.
    """
    import numpy as np

    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = rng.choice(n, size=(rows, n), replace=True) + np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def bootstrap_totals(stats: Any, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Summed sufficient statistics of every resample: shape (resamples, k) from `stats` of shape (n, k).

    One matrix product a block, weights times statistics; exact while the totals are whole numbers below 2**53.
    """
    import numpy as np

    table = np.asarray(stats, dtype=np.float64)
    return np.concatenate([weights @ table for weights in resample_weights(len(table), resamples, rng)])


def bootstrap_strata(
    strata: Mapping[str, Sequence[Sequence[float]]],
    score: Callable[[NDArray[np.float64]], NDArray[Any]],
    resamples: int,
    seed: int,
) -> NDArray[Any]:
    """Bootstrap scores, shape (resamples,), of a size-weighted mean of corpus scores, resampled within each stratum.

    `score` maps totals (resamples, k) to scores (resamples,). One generator draws for the strata in turn, so one
    stratum alone gets exactly the resamples a generator of that seed gives it.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    parts = [score(bootstrap_totals(stats, resamples, rng)) for stats in strata.values()]
    return parts[0] if len(parts) == 1 else np.average(parts, axis=0, weights=[len(stats) for stats in strata.values()])


def bootstrap_clusters(
    strata: Mapping[str, Sequence[Sequence[float]]],
    clusters: Mapping[str, Sequence[Hashable]],
    score: Callable[[NDArray[np.float64]], NDArray[Any]],
    resamples: int,
    seed: int,
) -> NDArray[Any]:
    """As `bootstrap_strata`, but whole clusters are drawn (Cameron, Gelbach & Miller 2008, pairs cluster bootstrap).

    A cluster may have members in several strata: a sentence translated into twelve languages is drawn for all of
    them at once, which keeps the correlation between languages in the interval.
    """
    import numpy as np

    index: dict[Hashable, int] = {}
    tables = {}
    for name, stats in strata.items():
        rows = np.array([index.setdefault(c, len(index)) for c in clusters[name]])
        tables[name] = (rows, np.asarray(stats, dtype=np.float64))
    sums = {}
    for name, (rows, table) in tables.items():
        sums[name] = np.zeros((len(index), table.shape[1]))
        np.add.at(sums[name], rows, table)
    stacked = np.concatenate(list(sums.values()), axis=1)
    totals = bootstrap_totals(stacked, resamples, np.random.default_rng(seed))
    parts = [score(part) for part in np.split(totals, len(sums), axis=1)]
    return np.average(parts, axis=0, weights=[len(stats) for stats in strata.values()])


def bootstrap_interval(scores: Sequence[float] | NDArray[Any]) -> tuple[float, Interval]:
    """(mean, 95% interval) of bootstrap scores as sacrebleu 2.x prints them, in the precision the scores have.

    The interval is the mean -/+ half the distance between the score 1/40 from the bottom and the one 1/40 from the top.
    """
    import numpy as np

    ordered = np.sort(np.asarray(scores))
    cut = len(ordered) // 40
    centre = float(ordered.dtype.type(mean(ordered.tolist())))
    half = 0.5 * float(ordered[len(ordered) - cut - 1] - ordered[cut])
    return centre, (centre - half, centre + half)
