"""BERTScore: the metric, the encoders behind it, and the vectors of references that are kept."""

from evalkit.metrics.bertscore.metric import BertScore

__all__ = ["BertScore"]
