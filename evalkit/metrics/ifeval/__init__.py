"""IFEval (Zhou et al., 2023): answers that a program can hold against what the prompt asked for.

`metric.py` is the metric, `instructions.py` reads a document's instructions, the other files hold the 25 checkers.
"""

from evalkit.metrics.ifeval.metric import IFEval

__all__ = ["IFEval"]
