"""Metrics: what a model answered → one score a document → one score a benchmark, with its uncertainty."""

from evalkit.metrics.accuracy import Accuracy
from evalkit.metrics.base import Metric
from evalkit.metrics.chrf import ChrF
from evalkit.metrics.exact_match import ExactMatch
from evalkit.metrics.external import EvaluateMetric
from evalkit.metrics.extract import RegexExtract
from evalkit.metrics.pass_at_k import PassAtK

__all__ = ["Accuracy", "ChrF", "EvaluateMetric", "ExactMatch", "Metric", "PassAtK", "RegexExtract"]
