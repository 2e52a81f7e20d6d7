"""Ranks that respect uncertainty: models that no test can distinguish share one."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.compare.pairs import Pairs, not_pairable, pairs
from evalkit.compare.rated import rated_difference
from evalkit.compare.shared import Units, terms_of
from evalkit.results import TaskResult
from evalkit.stats.paired import bootstrap_scores
from evalkit.store import TaskColumns
from evalkit.types import Summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALPHA = 0.05
RESAMPLES = 1000
Pair = tuple[int, int]
_UNPAIRED_UNITS = 30  # of a difference without pairing: its z-test counts as one of that many documents at least


@dataclass(frozen=True, slots=True)
class Difference:
    """First model minus second, so that more is better; `paired` when both answered the same documents."""

    value: float
    stderr: float
    p: float
    paired: bool


@dataclass(frozen=True, slots=True)
class Ranked:
    """Ranks by model (index of the run); models that were not measured have none.

    Attributes:
        paired: per pair that was tested on shared documents: those, and which of their runs the two are.
    """

    ranks: Mapping[int, int]
    differences: Mapping[Pair, Difference]
    paired: Mapping[Pair, tuple[Pairs, Pair]] = field(default_factory=dict)
    higher_is_better: bool = True

    @property
    def unpaired(self) -> bool:
        return any(not difference.paired for difference in self.differences.values())


def rank_task(results: Mapping[int, TaskResult], columns: Mapping[int, TaskColumns | None]) -> Ranked:
    """Rank the models of one row; Holm over its pairs.

    Args:
        results, columns: by run; a run without columns is tested as if it had answered other documents.
    """
    measured = {i: result for i, result in results.items() if result.score.value is not None}
    same_rows: dict[str, list[int]] = {}
    for i, result in measured.items():
        if not not_pairable(columns.get(i), result.score):
            same_rows.setdefault(result.rows_sha256, []).append(i)
    differences: dict[Pair, Difference] = {}
    paired: dict[Pair, tuple[Pairs, Pair]] = {}
    for able in same_rows.values():
        found = pairs([columns[i] for i in able], measured[able[0]].score) if len(able) > 1 else None  # type: ignore[misc]
        for (a, b), difference in (_paired(found, measured[able[0]]) if found else {}).items():
            differences[able[a], able[b]] = difference
            paired[able[a], able[b]] = found, (a, b)  # type: ignore[assignment]
    for pair in combinations(measured, 2):
        if pair not in differences and (apart := _apart(measured[pair[0]], measured[pair[1]])):
            differences[pair] = apart
    higher = all(result.score.higher_is_better for result in measured.values())
    return Ranked(ranks(list(measured), differences), differences, paired, higher)


def ranks(models: Sequence[int], differences: Mapping[Pair, Difference], alpha: float = ALPHA) -> dict[int, int]:
    """1 + the number of models that are better beyond doubt: p <= alpha after Holm over all pairs."""
    adjusted = stats.holm([difference.p for difference in differences.values()])
    above = dict.fromkeys(models, 0)
    for ((first, second), difference), p in zip(differences.items(), adjusted, strict=True):
        if p <= alpha and difference.value:
            above[second if difference.value > 0 else first] += 1
    return {model: 1 + better for model, better in above.items()}


def rank_means(models: Sequence[int], rows: Mapping[Hashable, Ranked], units: Units) -> dict[int, int]:
    """Ranks by the unweighted mean over rows; a t-test a pair.

    Args:
        units: of the rows' documents, by the rows' keys: rows of one data set are no independent samples.
    """
    means = {}
    for pair in combinations(models, 2):
        found = {key: row.differences[pair] for key, row in rows.items() if pair in row.differences}
        if len(found) == len(rows) and rows:
            terms = [_terms(rows[key], pair, units, key) for key in found]
            mean = stats.mean_of_scores([d.value for d in found.values()], [d.stderr for d in found.values()], terms)
            means[pair] = Difference(mean.value, mean.stderr, mean.p, True)
    return ranks(models, means)


def _terms(row: Ranked, pair: Pair, units: Units, key: Hashable) -> stats.Terms:
    if pair not in row.paired:
        return units.alone((key, pair), _UNPAIRED_UNITS)
    found, (a, b) = row.paired[pair]
    terms = terms_of(found, units.of(key, found.docs), run=a, against=b)
    return terms if row.higher_is_better else replace(terms, values=-terms.values)


def _paired(found: Pairs, result: TaskResult) -> dict[Pair, Difference]:
    """Every pair on the documents that all these models measured; empty with fewer than two of them."""
    if len(found.docs) < 2:
        return {}
    sign = 1 if result.score.higher_is_better else -1
    test = _of_ratings if found.rated else _of_values if found.mean else _of_corpora
    tested = test(found)
    return {pair: Difference(sign * value, stderr, p, True) for pair, (value, stderr, p) in tested.items()}


def _of_values(found: Pairs) -> dict[Pair, tuple[float, float, float]]:
    """McNemar's exact test for right and wrong, else Student's t of the differences, cluster-robust."""
    import numpy as np

    n = len(found.docs)
    groups = stats.corpus.numbered(found.clusters) if found.clusters else None
    tested = {}
    for a, b in combinations(range(len(found.values)), 2):
        change: NDArray[np.float64] = found.values[a] - found.values[b]
        value = float(change.mean())
        if found.binary:
            lost, won = int((change < 0).sum()), int((change > 0).sum())
            tested[a, b] = value, stats.matched_difference(lost, won, n, stats.Z)[0], stats.mcnemar_exact(lost, won)
            continue
        centred = change - value
        sums = centred if groups is None else np.bincount(groups, weights=centred)
        units = len(sums)
        stderr = float(np.sqrt(units / (units - 1) * np.square(sums).sum()) / n)
        tested[a, b] = value, stderr, 2 * (1 - stats.t_cdf(abs(value) / stderr, units - 1)) if stderr else float(value == 0)
    return tested


def _of_ratings(found: Pairs) -> dict[Pair, tuple[float, float, float]]:
    """Student's t, clustered by documents and raters; no test where one person rated all of them."""
    tested = {}
    for a, b in combinations(range(len(found.values)), 2):
        if (gap := rated_difference(found, base=b, candidate=a)) is not None:
            tested[a, b] = gap.value, gap.stderr, gap.p
    return tested


def _of_corpora(found: Pairs) -> dict[Pair, tuple[float, float, float]]:
    """The paired bootstrap's standard error and a z-test; one set of resamples serves every pair."""
    systems = [found.corpora(i) for i in range(len(found.values))]
    drawn = bootstrap_scores(systems, RESAMPLES, 12345)
    tested = {}
    for a, b in combinations(range(len(systems)), 2):
        value, stderr = systems[a].value - systems[b].value, float((drawn[a] - drawn[b]).std(ddof=1))
        tested[a, b] = value, stderr, _z_test(value, stderr)
    return tested


def _apart(first: TaskResult, second: TaskResult) -> Difference | None:
    """Two scores of different documents: variances add. None where a score has no standard error."""
    a, b = first.score, second.score
    if a.value is None or b.value is None or a.stderr is None or b.stderr is None:
        return None
    value, stderr = (a.value - b.value) * (1 if a.higher_is_better else -1), math.hypot(stderr_of(a), stderr_of(b))
    return Difference(value, stderr, _z_test(value, stderr), False)


def stderr_of(score: Summary) -> float:
    """That of the interval where all documents scored alike, so that none being right is no certainty."""
    if score.stderr == 0 and score.ci:
        return (score.ci[1] - score.ci[0]) / (2 * stats.Z)
    return score.stderr or 0.0


def _z_test(value: float, stderr: float) -> float:
    return math.erfc(abs(value) / stderr / math.sqrt(2)) if stderr else float(value == 0)
