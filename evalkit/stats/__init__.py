"""Uncertainty: standard errors, intervals, paired tests, many tests at once, power. Every formula names its source.

`student`, `intervals`, `several` and `power` are pure Python; `bootstrap`, `corpus`, `paired`, `shared` and `two_way` import
numpy when called.
"""

from evalkit.stats.bootstrap import bootstrap_clusters, bootstrap_interval, bootstrap_strata, bootstrap_totals, resample_weights
from evalkit.stats.choices import confidence
from evalkit.stats.corpus import CORPUS, Corpora, CorpusScore
from evalkit.stats.intervals import (
    ENOUGH_UNITS,
    LEVEL,
    Interval,
    Z,
    clustered_stderr,
    holding,
    macro_stderr,
    mean,
    pooled_stderr,
    stderr_of_mean,
    t_interval,
    too_few,
    wilson,
)
from evalkit.stats.noninferior import at_least, at_most, fewest, highest, lowest, matched_at_least, matched_at_most
from evalkit.stats.paired import (
    bootstrap_difference,
    corpus_permutation,
    matched_difference,
    mcnemar_exact,
    sign_flip,
)
from evalkit.stats.power import detectable
from evalkit.stats.several import holm
from evalkit.stats.shared import Estimate, Terms, correlations, mean_of_scores
from evalkit.stats.student import t_cdf, t_quantile
from evalkit.stats.two_way import TWO_WAY_CI, TwoWay, two_way, usable

__all__ = [
    "CORPUS",
    "ENOUGH_UNITS",
    "LEVEL",
    "TWO_WAY_CI",
    "Corpora",
    "CorpusScore",
    "Estimate",
    "Interval",
    "Terms",
    "TwoWay",
    "Z",
    "at_least",
    "at_most",
    "bootstrap_clusters",
    "bootstrap_difference",
    "bootstrap_interval",
    "bootstrap_strata",
    "bootstrap_totals",
    "clustered_stderr",
    "confidence",
    "corpus_permutation",
    "correlations",
    "detectable",
    "fewest",
    "highest",
    "holding",
    "holm",
    "lowest",
    "macro_stderr",
    "matched_at_least",
    "matched_at_most",
    "matched_difference",
    "mcnemar_exact",
    "mean",
    "mean_of_scores",
    "pooled_stderr",
    "resample_weights",
    "sign_flip",
    "stderr_of_mean",
    "t_cdf",
    "t_interval",
    "t_quantile",
    "too_few",
    "two_way",
    "usable",
    "wilson",
]
