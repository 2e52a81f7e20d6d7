"""How sure a model is of one choice among several. Pure Python."""

from __future__ import annotations

import math
from collections.abc import Sequence


def confidence(loglikelihoods: Sequence[float]) -> float:
    """Probability of the likeliest choice when the choices are all there is: max of the softmax of their log-likelihoods.

    Guo et al. (2017), "On Calibration of Modern Neural Networks", section 2, with log-likelihoods for logits. NaN when every
    choice is impossible.
    """
    top = max(loglikelihoods)
    if math.isinf(top):
        return math.nan
    return 1.0 / math.fsum(math.exp(value - top) for value in loglikelihoods)
