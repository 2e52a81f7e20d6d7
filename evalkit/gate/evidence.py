"""What two runs say about a loss: an estimate, and tests of it being within or beyond a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.compare.pairs import Pairs
from evalkit.compare.rated import rated_difference
from evalkit.compare.shared import terms_of
from evalkit.stats.noninferior import ENOUGH_CHANGED
from evalkit.stats.paired import bootstrap_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES, SEED = 2000, 12345


@dataclass(frozen=True)
class Loss:
    """How much worse the candidate is: in the metric's unit, more is worse.

    Attributes:
        value: base minus candidate; less the tolerated share of the base's score where the tolerance is relative.
        stderr, df: of the value, for Student's t.
        units: independent documents (or passages) behind it.
        changed: units on which anything changed.
        allowance: the tolerated share of the base's score, in the metric's unit; 0 where the tolerance is a difference.
        flips: (lost, won, n) of right and wrong answers, whose tests are exact; None for any other score.
        rated: people gave the scores, so that more documents alone do not make the loss as certain as one likes.
    """

    value: float
    stderr: float
    df: int
    units: int
    changed: int = 0
    allowance: float = 0.0
    flips: tuple[int, int, int] | None = None
    rated: bool = False

    def at_least(self, d: float) -> float:
        """p-value of "the loss is at least d"; small lets the candidate pass."""
        if self.flips and -1 < d < 1:
            return stats.matched_at_least(*self.flips, d)
        return stats.at_least(self.value, self.stderr, self.df, d, self.units, self.changed, self.allowance)

    def at_most(self, d: float) -> float:
        """p-value of "the loss is at most d"; small is a regression."""
        return stats.matched_at_most(*self.flips, d) if self.flips else stats.at_most(self.value, self.stderr, self.df, d)

    def highest(self, alpha: float) -> float:
        """The loss that is not ruled out at alpha (one-sided)."""
        if self.flips:
            return stats.highest(self.at_least, alpha)
        return self.value + stats.t_quantile(1 - alpha, self.df) * self.stderr

    def lowest(self, alpha: float) -> float:
        """The loss that is beyond doubt at alpha (one-sided)."""
        if self.flips:
            return stats.lowest(self.at_most, alpha)
        return self.value - stats.t_quantile(1 - alpha, self.df) * self.stderr

    def power(self, d: float, alpha: float) -> float:
        """Chance that a candidate which lost nothing passes at tolerance d, on these documents."""
        return power_of(self.stderr, d + self.allowance, alpha, self.units, self._floored, self.df)

    def needed(self, d: float, alpha: float, power: float) -> int | None:
        """Units with which that chance is `power`; None where nothing is tolerated, or where raters are needed as well."""
        if self.rated:
            return None
        return units_needed(self.stderr, d + self.allowance, alpha, power, self.units, self._floored)

    @property
    def _floored(self) -> bool:
        """Whether a pass takes the exact floor as well."""
        return self.flips is not None or self.changed < ENOUGH_CHANGED


def power_of(stderr: float, d: float, alpha: float, units: int, floored: bool = True, df: int | None = None) -> float:
    """Chance that a loss of nothing, estimated with this standard error from so many units, is found to be less than d.

    Args:
        df: of the standard error; None for one less than the units.
    """
    if d <= 0 or (floored and units < stats.fewest(d, alpha)):
        return 0.0
    if not stderr:
        return 1.0
    return NormalDist().cdf(d / stderr - stats.t_quantile(1 - alpha, max(1, units - 1 if df is None else df)))


def units_needed(stderr: float, d: float, alpha: float, power: float, units: int, floored: bool = True) -> int | None:
    """Units with which that chance is `power`, from the standard error of so many; None where d is nothing."""
    if d <= 0:
        return None
    normal = NormalDist()
    spread = stderr * (normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)) / d
    return max(2, stats.fewest(d, alpha) if floored else 2, math.ceil(spread**2 * units))


def loss_of(found: Pairs, higher_is_better: bool, relative: float | None = None) -> Loss:
    """The loss on the documents that two runs share: run 0 is the base, run 1 the candidate.

    Args:
        relative: a share of the base's score that is tolerated; the loss is what exceeds it. None for a difference of scores.
    """

    sign = 1 if higher_is_better else -1
    kept = 1 - sign * (relative or 0.0)  # of the base's score; more than 1 where less is better
    n = len(found.docs)
    if found.binary and relative is None:
        change = sign * (found.values[1] - found.values[0])
        lost, won = int((change < 0).sum()), int((change > 0).sum())
        stderr, _ = stats.matched_difference(lost, won, n, 1.0)
        return Loss((lost - won) / n, stderr, n - 1, n, lost + won, flips=(lost, won, n))
    if found.rated and (gap := rated_difference(found, kept=kept)) is not None:
        allowance = (relative or 0.0) * abs(float(found.values[0].mean()))
        changed = _changed(found, list(range(n)))
        return Loss(-sign * gap.value, gap.stderr, gap.df, n, changed, allowance, rated=True)
    if found.mean:
        values = sign * (kept * found.values[0] - found.values[1])
        labels = list(found.clusters) if found.clusters else list(range(n))
        units = len(set(labels))
        allowance = (relative or 0.0) * abs(float(found.values[0].mean()))
        return Loss(
            float(values.mean()),
            stats.clustered_stderr(values.tolist(), labels) or 0.0,
            max(1, units - 1),
            units,
            _changed(found, labels),
            allowance,
        )
    systems = [found.corpora(0), found.corpora(1)]
    drawn = bootstrap_scores(systems, RESAMPLES, SEED)
    units = len(systems[0].units)
    spread: NDArray[np.float64] = kept * drawn[0] - drawn[1]
    value = sign * (kept * systems[0].value - systems[1].value)
    changed = int((systems[0].units != systems[1].units).reshape(units, -1).any(axis=1).sum())
    return Loss(value, float(spread.std(ddof=1)), max(1, units - 1), units, changed, (relative or 0.0) * abs(systems[0].value))


def _changed(found: Pairs, labels: Sequence[object]) -> int:
    """Documents, or passages, that the runs scored differently."""
    return len({label for label, same in zip(labels, (found.values[0] == found.values[1]).tolist(), strict=True) if not same})


def mean_loss(losses: Sequence[Loss], found: Sequence[Pairs], units: Sequence[NDArray[np.int64]], signs: Sequence[int]) -> Loss:
    """The unweighted mean of absolute losses over tasks; documents that tasks share count once.

    Args:
        units: per task a number a document (`Units.of`).
        signs: 1 where higher is better, else -1.
    """
    terms = [terms_of(pair, numbers, run=0, against=1) for pair, numbers in zip(found, units, strict=True)]
    terms = [replace(part, values=sign * part.values) for part, sign in zip(terms, signs, strict=True)]
    mean = stats.mean_of_scores([loss.value for loss in losses], [loss.stderr for loss in losses], terms)
    moved: set[int] = set()
    seen = {number for numbers in units for number in numbers.tolist()}
    for pair, numbers in zip(found, units, strict=True):
        moved.update(numbers[pair.values[0] != pair.values[1]].tolist())
    rated = any(loss.rated for loss in losses)
    return Loss(mean.value, mean.stderr, mean.df, len(seen) if rated else mean.df + 1, len(moved), rated=rated)
