"""Is a loss within a tolerance, or beyond it? One-sided tests of `loss <= d` and `loss >= d`.

A loss is base minus candidate, so that more is worse. A wrong pass must be rare even where few documents changed at all, so
the tests that let something pass are held by an exact one as well: to have lost d of n documents and to see at most as many
as were seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from evalkit.stats.paired import matched_difference, mcnemar_exact
from evalkit.stats.student import t_cdf

_STEPS = 40  # halvings of an interval of width 2: ends are known to 2e-12
_NORMAL = NormalDist()
ENOUGH_CHANGED = 30


def matched_at_least(lost: int, won: int, n: int, d: float) -> float:
    """p-value of "the loss is at least d" for right and wrong answers on the same n documents; small means it is less.

    Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
    equation 8; at least as large as the exact probability of a net loss this small (`fewer`).

    Args:
        lost: documents that only the base has right; `won`: that only the candidate has.
        d: -1 < d < 1; at 0 and below it the floor is McNemar's exact one-sided p-value.
    """
    a, b, c = 2 * n, -lost - won + (2 * n - lost + won) * d, -won * d * (1 - d)
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)  # of documents only the candidate has right, if the loss is d
    variance = n * (2 * share + d * (1 - d))
    z = (lost - won - n * d) / math.sqrt(variance) if variance > 0 else 0.0
    if d > 0:
        return max(_NORMAL.cdf(z), fewer(lost - won, n, d))
    return max(_NORMAL.cdf(z), mcnemar_exact(lost, won) / 2 if won > lost else 1.0)


def matched_at_most(lost: int, won: int, n: int, d: float) -> float:
    """p-value of "the loss is at most d"; small means that it is more. As `matched_at_least`.

    Agresti & Min's interval (2005) turned into a test; from d = 0 at least as large as McNemar's exact one-sided p-value.
    """
    stderr, _ = matched_difference(won, lost, n, 1.0)
    p = 1 - _NORMAL.cdf(((lost - won) / (n + 2) - d) / stderr)
    if d < 0:
        return p
    return max(p, mcnemar_exact(lost, won) / 2 if lost > won else 1.0)


def at_least(loss: float, stderr: float, df: float, d: float, units: int, changed: int, allowance: float = 0.0) -> float:
    """p-value of "the true loss is at least d" for an estimate with a standard error, by Student's t.

    Args:
        units: independent documents behind the estimate; `changed`: those of them on which anything changed. Where that is fewer
            than thirty, Student's t knows too little of how far documents vary, and the exact floor holds as well.
        allowance: what was taken off the loss already, so that `loss + allowance` is the difference of the scores.
    """
    p = t_cdf((loss - d) / stderr, max(1, round(df))) if stderr else float(loss >= d)
    total = d + allowance
    return max(p, fewer((loss + allowance) * units, units, total)) if total > 0 and changed < ENOUGH_CHANGED else p


def at_most(loss: float, stderr: float, df: float, d: float) -> float:
    """p-value of "the true loss is at most d", by Student's t."""
    return 1 - t_cdf((loss - d) / stderr, max(1, round(df))) if stderr else float(loss <= d)


def fewer(seen: float, n: int, share: float) -> float:
    """P(a binomial of n with this probability, 0 < share, is at most `seen`, or 0 where that is negative)."""
    if share >= 1:
        return 0.0
    k = max(0, math.floor(seen + 1e-9))
    if k >= n:
        return 1.0
    logs = math.log(share), math.log1p(-share)
    top = math.lgamma(n + 1)
    return min(
        1.0, math.fsum(math.exp(top - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * logs[0] + (n - i) * logs[1]) for i in range(k + 1))
    )


def fewest(d: float, alpha: float) -> int:
    """Documents without which nobody can say that less than a share d of them was lost: none lost must be rarer than alpha."""
    return 1 if d >= 1 else math.ceil(math.log(alpha) / math.log1p(-d))


def highest(at_least: Callable[[float], float], alpha: float) -> float:
    """The upper end of the loss, in [-1, 1]: where the p-value of "at least d" falls to alpha."""
    return _crossing(lambda d: at_least(d) > alpha)


def lowest(at_most: Callable[[float], float], alpha: float) -> float:
    """The lower end of the loss, in [-1, 1]: where the p-value of "at most d" rises above alpha."""
    return _crossing(lambda d: at_most(d) <= alpha)


def _crossing(below: Callable[[float], bool]) -> float:
    low, high = -1.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
