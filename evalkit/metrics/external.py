"""Any metric of the Hugging Face `evaluate` library, by configuration."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

from evalkit import stats
from evalkit.errors import ConfigError, DataError
from evalkit.metrics.accuracy import choose, right_indices
from evalkit.metrics.base import VERSION, cluster_labels, count_invalid, mean_summary, sample, usable, with_groups
from evalkit.metrics.exact_match import Extract, gold_texts
from evalkit.types import Doc, Response, SampleScore, Summary

CASTS = {"str": str, "int": int, "float": float}


@dataclass(frozen=True, slots=True)
class PairScore(SampleScore):
    """A SampleScore that also carries the pair a corpus metric is computed from, after casting."""

    pair: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class EvaluateMetric:
    """A metric of the `evaluate` library over generated texts or over chosen indices.

    Attributes:
        path: what `evaluate.load` takes: a hub name (`f1`), or a local folder or .py file.
        config_name: the module's own configuration (`glue` has one a subset).
        key: which entry of the module's result is the score; None when there is only one.
        compute: further arguments of the module's `compute` (`{average: macro}`).
        scale: the score is multiplied by this (0.01 for modules that return 0-100).
        of: `text` compares generated text with the gold answers, `choice` the chosen index with the right one.
        cast: what predictions and references become: str, int or float. Default: str for texts, int for choices.
        references: `first` gives one reference a document, `all` a list of them (sacrebleu, rouge).
        extract: finds the answer in a text; nothing found counts as invalid, and `invalid` is what is scored for it.
        normalize: for `of: choice`, as in Accuracy.
        resamples: bootstrap resamples for stderr and interval of a corpus score. Each runs the module once more.

    When the score is a list with one number a document, it is a mean with its own intervals; else it is a corpus
    score. The value of a sample is 1 or 0 for an equal or unequal pair after casting; the score is the Summary's.
    """

    path: str
    name: str
    config_name: str | None = None
    key: str | None = None
    compute: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 1.0
    of: Literal["text", "choice"] = "text"
    cast: Literal["str", "int", "float"] | None = None
    references: Literal["first", "all"] = "first"
    extract: Extract | None = None
    invalid: Any = ""
    normalize: Literal["chars", "bytes"] | None = None
    resamples: int = 0
    seed: int = 12345
    higher_is_better: bool = True
