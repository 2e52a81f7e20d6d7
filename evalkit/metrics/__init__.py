"""Metrics: what a model answered → one score a document → one score a benchmark, with its uncertainty."""

from evalkit.metrics.accuracy import Accuracy
from evalkit.metrics.base import BatchMetric, Metric, score_documents
from evalkit.metrics.bertscore import BertScore
from evalkit.metrics.chrf import ChrF
from evalkit.metrics.exact_match import ExactMatch
from evalkit.metrics.external import EvaluateMetric
from evalkit.metrics.extract import RegexExtract
from evalkit.metrics.ifeval import IFEval

__all__ = [
    "Accuracy",
    "BatchMetric",
    "BertScore",
    "ChrF",
    "EvaluateMetric",
    "ExactMatch",
    "IFEval",
    "Metric",
    "RegexExtract",
    "score_documents",
]
