"""Two or more runs, paired: what may share a row, regressions, ranks."""

from evalkit.compare.pairs import Pairs, contradicted, not_pairable, pairs
from evalkit.compare.protocol import Protocol
from evalkit.compare.regressions import (
    ALL_TASKS,
    CANNOT_COMPARE,
    NO_REGRESSION,
    REGRESSION,
    Comparison,
    Flip,
    Settings,
    TaskComparison,
    compare,
)

__all__ = [
    "ALL_TASKS",
    "CANNOT_COMPARE",
    "NO_REGRESSION",
    "REGRESSION",
    "Comparison",
    "Flip",
    "Pairs",
    "Protocol",
    "Settings",
    "TaskComparison",
    "compare",
    "contradicted",
    "not_pairable",
    "pairs",
]
