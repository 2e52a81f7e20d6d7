"""Two runs, paired: what a change to a model did, task by task, on the documents both answered.

    comparison = compare(load_run(base), load_run(candidate))
    comparison.exit_code     # 0 no regression, 10 a regression, 11 cannot compare

A difference counts when its paired test is significant after Holm's correction over all tasks (and their mean), so that a
job over thirty tasks raises a false alarm no more often than one over a single task; and when it is larger than the
threshold. What cannot be compared is refused with the reason, and is never taken for "no regression".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from evalkit import stats
from evalkit.compare.paired import PROMPTS_DIFFER, pair
from evalkit.compare.pairs import Pairs
from evalkit.compare.rated import TEST as RATED_TEST
from evalkit.compare.rated import rated_difference
from evalkit.compare.shared import shares, terms_of, units_of
from evalkit.errors import ConfigError, did_you_mean
from evalkit.results import TaskResult
from evalkit.store import SavedRun, TaskColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Verdict = Literal["regressed", "improved", "no difference seen", "within threshold", "cannot compare"]
NO_REGRESSION, REGRESSION, CANNOT_COMPARE = 0, 10, 11
ALL_TASKS = "mean of all tasks"


@dataclass(frozen=True)
class Settings:
    """How strict to be.

    Attributes:
        alpha: family-wise error rate of the two-sided tests, over all tasks and their mean.
        threshold: a significant difference no larger than this is no regression; in the metric's unit (0.01 = one point).
        tasks: these alone; empty for every task of the base.
        any_prompts: compare although the models were asked in different words.
    """

    alpha: float = 0.05
    threshold: float = 0.0
    tasks: tuple[str, ...] = ()
    any_prompts: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ConfigError(f"alpha={self.alpha} is not between 0 and 1; 0.05 lets one comparison in twenty raise a false alarm")
        if not 0 <= self.threshold < math.inf:
            raise ConfigError(f"threshold={self.threshold} is not a size of a difference; 0.01 ignores what is within one point")


@dataclass(frozen=True)
class Flip:
    """A document that the runs scored differently; offsets find its line in either run's samples."""

    doc: str
    base: float
    candidate: float
    base_offset: int
    candidate_offset: int


@dataclass(frozen=True)
class TaskComparison:
    """One row of the verdict.

    Attributes:
        base, candidate: scores on the n shared documents.
        difference: candidate minus base, in the metric's unit; `ci` its 95% interval, `stderr` its standard error.
        p, adjusted: the paired test's p-value, before and after Holm.
        detectable: the difference these documents would have shown four times in five.
        flips: documents that got worse, worst first, then those that got better.
        notes: what a reader should know: documents left out, prompts that differ.
    """

    task: str
    metric: str = ""
    n: int = 0
    base: float | None = None
    candidate: float | None = None
    difference: float | None = None
    stderr: float | None = None
    ci: stats.Interval | None = None
    p: float | None = None
    adjusted: float | None = None
    detectable: float | None = None
    test: str = ""
    verdict: Verdict = "cannot compare"
    reason: str = ""
    higher_is_better: bool = True
    worse: tuple[Flip, ...] = ()
    better: tuple[Flip, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Every task, in the base's order; `overall` is their mean, None with fewer than two."""

    base: str
    candidate: str
    tasks: tuple[TaskComparison, ...]
    overall: TaskComparison | None
    settings: Settings
    new_tasks: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[TaskComparison, ...]:
        return (*self.tasks, *([self.overall] if self.overall else ()))

    @property
    def exit_code(self) -> int:
        """A regression outweighs what could not be compared; nothing to compare is no success."""
        verdicts = {row.verdict for row in self.rows}
        if "regressed" in verdicts:
            return REGRESSION
        return CANNOT_COMPARE if "cannot compare" in verdicts or not verdicts else NO_REGRESSION


def compare(base: SavedRun, candidate: SavedRun, settings: Settings | None = None) -> Comparison:
    """Test every task of the base against the candidate.

    Raises:
        ConfigError: a task in `settings.tasks` that the base has not measured.
        DataError: damaged samples.
    """
    settings = settings or Settings()
    known = list(base.result.tasks)
    for name in settings.tasks:
        if name not in known:
            raise ConfigError(f"the base has no task {name!r}{did_you_mean(name, known)}; it has: {', '.join(known) or 'none'}")
    tried = [_task(name, base, candidate, settings) for name in settings.tasks or known]
    rows = [row for row, _ in tried]
    tested = [(row, found) for row, found in tried if found is not None]
    overall = _overall(tested, base) if len(tested) > 1 else None
    family = [*(row for row, _ in tested), *([overall] if overall else [])]
    adjusted = stats.holm([row.p or 0.0 for row in family])
    judged = {row.task: _judged(row, p, len(family), settings) for row, p in zip(family, adjusted, strict=True)}
    return Comparison(
        base=base.result.model,
        candidate=candidate.result.model,
        tasks=tuple(judged.get(row.task, row) for row in rows),
        overall=judged[overall.task] if overall else None,
        settings=settings,
        new_tasks=tuple(name for name in candidate.result.tasks if name not in base.result.tasks),
    )


def _task(name: str, base: SavedRun, candidate: SavedRun, settings: Settings) -> tuple[TaskComparison, Pairs | None]:
    """The row, and the documents it was tested on; None where it could not be."""
    ours, found = base.result.tasks[name], pair(name, base, candidate, settings.any_prompts)
    if found.pairs is None:
        allow = "; allow=prompts compares them all the same" if found.reason.startswith(PROMPTS_DIFFER) else ""
        return TaskComparison(name, ours.headline, found.n, reason=found.reason + allow), None
    row = _tested(name, ours, found.pairs, [base.columns[name], candidate.columns[name]])
    return replace(row, notes=found.notes), found.pairs


def _tested(name: str, result: TaskResult, found: Pairs, columns: Sequence[TaskColumns]) -> TaskComparison:
    base, candidate = found.corpora(0), found.corpora(1)
    z = NormalDist().inv_cdf(0.5 + stats.LEVEL / 2)
    differences = found.values[1] - found.values[0]
    rated = rated_difference(found) if found.rated else None
    if rated is not None:
        test, p, stderr, ci = RATED_TEST, rated.p, rated.stderr, rated.interval(stats.LEVEL)
    elif found.binary:
        lost, won = int((differences < 0).sum()), int((differences > 0).sum())
        test, p = "McNemar, exact", stats.mcnemar_exact(lost, won)
        stderr, ci = stats.matched_difference(lost, won, len(found.docs), z)
    elif not found.mean:
        test, p = "approximate randomisation", stats.corpus_permutation(base, candidate)
        stderr, ci = stats.bootstrap_difference(base, candidate)
    else:
        test, p = "sign flips" + (" of clusters" if found.clusters else ""), stats.sign_flip(differences, found.clusters)
        stderr, ci = _mean_difference(differences, found.clusters)
    worse, better = _flips(found, columns, result.score.higher_is_better)
    return TaskComparison(
        task=name,
        metric=result.headline,
        n=len(found.docs),
        base=base.value,
        candidate=candidate.value,
        difference=candidate.value - base.value,
        stderr=stderr,
        ci=ci,
        p=p,
        test=test,
        higher_is_better=result.score.higher_is_better,
        worse=worse,
        better=better,
    )


def _mean_difference(differences: NDArray[np.float64], clusters: Sequence[object] | None) -> tuple[float, stats.Interval]:
    values = differences.tolist()
    labels = list(clusters) if clusters else list(range(len(values)))
    stderr = stats.clustered_stderr(values, labels) or 0.0
    return stderr, stats.t_interval(stats.mean(values), stderr, len(set(labels)) - 1)


def _flips(found: Pairs, columns: Sequence[TaskColumns], higher_is_better: bool) -> tuple[tuple[Flip, ...], tuple[Flip, ...]]:
    import numpy as np

    change = (found.values[1] - found.values[0]) * (1 if higher_is_better else -1)

    def flip(i: int) -> Flip:
        places = [column.place[found.docs[i]] for column in columns]
        offsets = [int(column.offsets[place]) for column, place in zip(columns, places, strict=True)]
        return Flip(found.docs[i], float(found.values[0, i]), float(found.values[1, i]), offsets[0], offsets[1])

    order = np.argsort(change, kind="stable")
    return tuple(flip(int(i)) for i in order if change[i] < 0), tuple(flip(int(i)) for i in order[::-1] if change[i] > 0)


def _overall(tested: Sequence[tuple[TaskComparison, Pairs]], base: SavedRun) -> TaskComparison:
    """The unweighted mean of the tasks' differences: many small losses add up to one that is noticed.

    Tasks that share no document are independent samples, so variances add; documents that are the same row of the same data
    set are one unit across tasks (`stats.mean_of_scores`). A metric where lower is better counts with its sign turned.
    """
    rows = [row for row, _ in tested]
    signs = [1 if row.higher_is_better else -1 for row in rows]
    units = units_of({row.task: (base, row.task) for row in rows})
    terms = [
        replace(part, values=sign * part.values)
        for sign, (row, found) in zip(signs, tested, strict=True)
        for part in (terms_of(found, units.of(row.task, found.docs), run=1, against=0),)
    ]
    differences = [sign * (row.difference or 0.0) for sign, row in zip(signs, rows, strict=True)]
    mean = stats.mean_of_scores(differences, [row.stderr or 0.0 for row in rows], terms)
    same_sense = all(row.higher_is_better for row in rows)
    return TaskComparison(
        task=ALL_TASKS,
        metric=f"{len(rows)} tasks",
        n=sum(row.n for row in rows),
        base=stats.mean([row.base or 0.0 for row in rows]) if same_sense else None,
        candidate=stats.mean([row.candidate or 0.0 for row in rows]) if same_sense else None,
        difference=mean.value,
        stderr=mean.stderr,
        ci=mean.interval(stats.LEVEL),
        p=mean.p,
        test=_test_of_mean(terms),
    )


def _test_of_mean(terms: Sequence[stats.Terms]) -> str:
    if any(part.raters is not None for part in terms):
        return RATED_TEST
    return "t-test of the mean" + (", documents that tasks share as one" if shares(terms) else "")


def _judged(row: TaskComparison, adjusted: float, family: int, settings: Settings) -> TaskComparison:
    gain = (row.difference or 0.0) * (1 if row.higher_is_better else -1)
    # Tested together with others, a difference has to pass the first of Holm's steps at worst.
    smallest = stats.detectable(row.stderr or 0.0, settings.alpha / family)
    verdict: Verdict
    if adjusted > settings.alpha or gain == 0:
        verdict, reason = "no difference seen", f"p = {adjusted:.3f} after Holm; a difference of {smallest:.3f} would show 4 times in 5"
    elif abs(gain) <= settings.threshold:
        verdict, reason = "within threshold", f"real (p = {adjusted:.2g} after Holm), but not above threshold={settings.threshold:g}"
    else:
        verdict, reason = ("regressed" if gain < 0 else "improved"), f"p = {adjusted:.2g} after Holm"
    return replace(row, adjusted=adjusted, detectable=smallest, verdict=verdict, reason=reason)
