"""Many tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given, that control the family-wise error rate (Holm 1979, step-down Bonferroni).

    The i-th smallest of m (from 0) is multiplied by m - i; an adjusted value is never below an earlier one, nor above 1.
    """
    m = len(p_values)
    adjusted = [0.0] * m
    largest = 0.0
    for i, place in enumerate(sorted(range(m), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (m - i) * p_values[place]))
        adjusted[place] = largest
    return adjusted
