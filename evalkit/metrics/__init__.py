"""Metrics: what a model answered → one score a document → one score a benchmark, with its uncertainty."""

from evalkit.metrics.accuracy import Accuracy, TrueMass
from evalkit.metrics.base import BatchMetric, Metric, macro_average, score_documents
from evalkit.metrics.baselines import Baseline, CopyInput, EmptyAnswer, ShuffledReferences, score_baselines
from evalkit.metrics.bertscore import BertScore
from evalkit.metrics.choice_match import ChoiceMatch
from evalkit.metrics.chrf import ChrF
from evalkit.metrics.consistency import LanguageConsistency
from evalkit.metrics.corpus import CorpusMetric
from evalkit.metrics.entities import EntityMatch
from evalkit.metrics.exact_match import ExactMatch
from evalkit.metrics.external import EvaluateMetric
from evalkit.metrics.extract import RegexExtract
from evalkit.metrics.ifeval import IFEval
from evalkit.metrics.labels import LabelMatch
from evalkit.metrics.number_match import NumberMatch
from evalkit.metrics.pass_at_k import PassAtK
from evalkit.metrics.segment_chrf import SegmentChrF
from evalkit.metrics.squad import Squad
from evalkit.metrics.string_match import StringMatch
from evalkit.metrics.subset import InvalidRate, Subset

__all__ = [
    "Accuracy",
    "Baseline",
    "BatchMetric",
    "BertScore",
    "ChoiceMatch",
    "ChrF",
    "CopyInput",
    "CorpusMetric",
    "EmptyAnswer",
    "EntityMatch",
    "EvaluateMetric",
    "ExactMatch",
    "IFEval",
    "InvalidRate",
    "LabelMatch",
    "LanguageConsistency",
    "Metric",
    "NumberMatch",
    "PassAtK",
    "RegexExtract",
    "SegmentChrF",
    "ShuffledReferences",
    "Squad",
    "StringMatch",
    "Subset",
    "TrueMass",
    "macro_average",
    "score_baselines",
    "score_documents",
]
