"""The bootstrap of corpus scores through sufficient statistics: one matrix product a block of resamples."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.stats.intervals import Interval, mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
