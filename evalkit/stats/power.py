"""How small a difference a comparison can notice."""

from __future__ import annotations

from statistics import NormalDist

POWER = 0.8


def detectable(stderr: float, alpha: float, power: float = POWER) -> float:
    """The minimum detectable effect: the true difference that a two-sided test at `alpha` finds with probability `power`.

    `(z(1 - alpha/2) + z(power)) * stderr`, with `stderr` that of the paired difference: Card et al., "With Little Power
    Comes Great Responsibility" (2020); Miller, "Adding Error Bars to Evals" (2024), section 5. In the unit of `stderr`.
    """
    normal = NormalDist()
    return (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * stderr
