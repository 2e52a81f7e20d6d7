"""How numbers read in a table: enough digits to distinguish models, never more certainty than there is."""

from __future__ import annotations

import re

from evalkit import stats
from evalkit.types import Summary

NOT_MEASURED = "not measured"
NOT_RUN = "not run"
MISSING = re.compile(rf"^(?:{NOT_MEASURED}|{NOT_RUN}|\d+ of \d+ measured)$")


def score(value: float | None) -> str:
    """A score with three decimals (two above 10, for metrics on a 0-100 scale)."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


def measured(summary: Summary | None) -> str:
    """`0.428 [0.389, 0.468]`: both ends are printed because Wilson and bootstrap intervals are not symmetric."""
    if summary is None:
        return NOT_RUN
    if summary.value is None or summary.ci is None:
        return score(summary.value)
    low, high = summary.ci
    return f"{score(summary.value)} [{score(low)}, {score(high)}]"


def estimate(value: float, stderr: float | None) -> str:
    """A mean of scores with its normal interval, as `measured` prints one; a mean of fractions stays within them."""
    if stderr is None:
        return score(value)
    low, high = value - stats.Z * stderr, value + stats.Z * stderr
    if 0 <= value <= 1:
        low, high = max(0.0, low), min(1.0, high)
    return f"{score(value)} [{score(low)}, {score(high)}]"


def count(n: int) -> str:
    """A count with thousands separated: `10,042`."""
    return f"{n:,}"


def coverage(share: float) -> str:
    """A share as a percentage that says 0% and 100% only when it is exactly that."""
    if share == 0 or share == 1:
        return f"{share:.0%}"
    if share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{share:.1%}"


def plural(n: int, noun: str) -> str:
    """`1 shot`, `5 shots`."""
    return f"{count(n)} {noun}" if n == 1 else f"{count(n)} {noun}s"
