"""Looking several times at growing data, without finding something by looking often."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_POINTS, _WIDTH = 1201, 6.0
_NORMAL = NormalDist()


def spent(fraction: float, alpha: float) -> float:
    """How much of alpha may be used up when this fraction of the information is there.

    `alpha * ln(1 + (e - 1) * fraction)`: Lan & DeMets (1983), "Discrete sequential boundaries for clinical trials", the form
    close to Pocock's equal levels, which stops early most often.
    """
    return alpha * math.log1p((math.e - 1) * min(1.0, fraction))


def nominal_levels(fractions: Sequence[float], alpha: float) -> list[float]:
    """The one-sided p-value that each look must reach, so that the chance of ever reaching one without cause is alpha.

    The recursion of Armitage, McPherson & Rowe (1969): the score process has independent normal increments, and what has
    crossed a boundary at an earlier look is gone. Integrated on a grid; levels are known to about 1e-4 of their size.

    Args:
        fractions: increasing shares of the whole information, the last of them 1 or less.
    """
    import numpy as np

    grid = np.linspace(-_WIDTH, _WIDTH, _POINTS)
    step = grid[1] - grid[0]
    density = None  # of the score, among paths that have not crossed; all of it at 0 before the first look
    levels, before, used = [], 0.0, 0.0
    for fraction in fractions:
        increment = math.sqrt(fraction - before)
        wanted = spent(fraction, alpha) - used
        low, high = 0.0, 8.0
        for _ in range(50):
            bound = (low + high) / 2
            at = bound * math.sqrt(fraction)
            crossing = 1 - _NORMAL.cdf(bound) if density is None else float((density * _upper((at - grid) / increment)).sum() * step)
            low, high = (bound, high) if crossing > wanted else (low, bound)
        bound = (low + high) / 2
        levels.append(1 - _NORMAL.cdf(bound))
        if density is None:
            density = _density(grid / increment) / increment
        else:
            density = _density((grid[:, None] - grid[None, :]) / increment) / increment @ density * step
        density = np.where(grid < bound * math.sqrt(fraction), density, 0.0)
        before, used = fraction, spent(fraction, alpha)
    return levels


def _density(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(np.exp(-0.5 * np.square(values)) / math.sqrt(2 * math.pi))


def _upper(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(0.5 * np.vectorize(math.erfc)(values / math.sqrt(2)))
