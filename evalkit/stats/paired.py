"""Two systems on the same documents: tests and intervals of the difference, candidate minus base."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.stats.bootstrap import resample_weights
from evalkit.stats.corpus import Corpora, numbered
from evalkit.stats.intervals import LEVEL, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 10_000
_EXACT_UNITS = 13  # up to 2**13 sign patterns are all tried
_BLOCK = 250


def mcnemar_exact(lost: int, won: int) -> float:
    """Two-sided exact p-value that base and candidate are equally often right where they differ (McNemar 1947).

    `lost`: documents only the base has right; `won`: only the candidate. Under the null hypothesis `lost` is binomial
    with probability 1/2 of `lost + won`. Exact integers, so nothing under- or overflows.
    """
    n, fewer = lost + won, min(lost, won)
    if n == 0:
        return 1.0
    term, tail = 1, 1
    for i in range(fewer):
        term = term * (n - i) // (i + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << n)) if n < 1000 else min(1.0, _ratio(2 * tail, n))


def _ratio(numerator: int, power: int) -> float:
    """numerator / 2**power when neither fits a float."""
    shift = max(0, numerator.bit_length() - 64)
    return math.ldexp(float(numerator >> shift), shift - power)


def matched_difference(lost: int, won: int, n: int, z: float) -> tuple[float, Interval]:
    """(standard error, interval) of a difference of two proportions on the same n documents.

    Agresti & Min (2005), "Simple improved confidence intervals for comparing matched proportions": half an observation is
    added to each cell of the 2 x 2 table, so that no discordant pair does not mean certainty.
    """
    total, discordant, net = n + 2, lost + won + 1, won - lost
    stderr = math.sqrt(discordant - net * net / total) / total
    return stderr, (max(-1.0, net / total - z * stderr), min(1.0, net / total + z * stderr))


def sign_flip(differences: NDArray[np.float64], clusters: Sequence[Hashable] | None = None, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided p-value of the paired permutation test (Fisher 1935): under the null hypothesis a difference's sign is chance.

    Signs are flipped for whole clusters. Every pattern is tried where at most 13 units differ; else `draws` seeded ones, and
    p = (1 + as extreme) / (1 + draws), which is never 0 (Phipson & Smyth 2010).
    """
    import numpy as np

    units: NDArray[np.float64] = np.asarray(differences, dtype=np.float64)
    if clusters is not None:
        units = np.bincount(numbered(clusters), weights=units).astype(np.float64)
    units = units[units != 0]
    if not len(units):
        return 1.0
    observed = abs(math.fsum(units)) * (1 - 1e-12)
    if len(units) <= _EXACT_UNITS:
        signs = (np.arange(2 ** len(units))[:, None] >> np.arange(len(units)) & 1) * 2.0 - 1
        return float(np.mean(np.abs(signs @ units) >= observed))
    extreme = sum(int(np.sum(np.abs(2 * (swaps @ units) - units.sum()) >= observed)) for swaps in _coins(len(units), draws, seed))
    return (1 + extreme) / (1 + draws)


def corpus_permutation(base: Corpora, candidate: Corpora, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided p-value of approximate randomisation (Noreen 1989; Riezler & Maxwell 2005) for a corpus score.

    Under the null hypothesis the two systems' answers to a unit may be swapped. As sacrebleu's `--paired-ar`, with
    p = (1 + as extreme) / (1 + draws).
    """
    import numpy as np

    observed = abs(candidate.value - base.value) * (1 - 1e-12)
    n, strata, k = base.units.shape
    delta = (candidate.units - base.units).reshape(n, -1)
    differing = np.flatnonzero(delta.any(axis=1))
    if not len(differing):
        return 1.0
    total_base, total_candidate = base.units.sum(axis=0), candidate.units.sum(axis=0)
    extreme = 0
    for swaps in _coins(len(differing), draws, seed):
        moved = (swaps @ delta[differing]).reshape(-1, strata, k)
        difference = base.score(total_candidate - moved) - base.score(total_base + moved)
        extreme += int(np.sum(np.abs(difference) >= observed))
    return (1 + extreme) / (1 + draws)


def bootstrap_difference(
    base: Corpora, candidate: Corpora, resamples: int = 2000, seed: int = 12345, level: float = LEVEL
) -> tuple[float, Interval]:
    """(standard error, percentile interval) of candidate minus base, both scored on the same resamples of units.

    The paired bootstrap of Koehn (2004), "Statistical significance tests for machine translation evaluation".
    """
    import numpy as np

    differences = bootstrap_scores([base, candidate], resamples, seed)
    drawn = differences[1] - differences[0]
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return float(drawn.std(ddof=1)), (float(low), float(high))


def bootstrap_scores(systems: Sequence[Corpora], resamples: int, seed: int) -> NDArray[Any]:
    """Scores of several systems on the same resamples of their shared units: shape (systems, resamples)."""
    import numpy as np

    n, strata, k = systems[0].units.shape
    stacked = np.concatenate([system.units.reshape(n, -1) for system in systems], axis=1)
    rng = np.random.default_rng(seed)
    totals = np.concatenate([weights @ stacked for weights in resample_weights(n, resamples, rng)])
    parts = totals.reshape(resamples, len(systems), strata, k)
    return np.array([system.score(parts[:, i]) for i, system in enumerate(systems)])


def _coins(n: int, draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Fair zeros and ones, as blocks of shape (<= 250, n)."""
    import numpy as np

    rng = np.random.default_rng(seed)
    for start in range(0, draws, _BLOCK):
        rows = min(_BLOCK, draws - start)
        bits = np.unpackbits(np.frombuffer(rng.bytes(-(-rows * n // 8)), dtype=np.uint8), count=rows * n)
        yield bits.reshape(rows, n).astype(np.float64)
