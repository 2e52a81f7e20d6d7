"""A decision about two runs: pass, regression, not enough evidence, or cannot compare.

    decision = decide(load_run(base), load_run(candidate), policy)
    decision.exit_code      # 0 pass, 10 regression, 12 not enough evidence, 11 cannot compare

To pass, every required task and their mean must be within their tolerance beyond doubt. All of them have to be, so each is
tested at alpha and the chance of a wrong pass is at most alpha (an intersection-union test: Berger 1982). One loss beyond
its tolerance is a regression, so those tests are corrected over all rows (Holm), and the chance of any wrong one is at
most alpha. Silence is neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evalkit import stats
from evalkit.compare.paired import Paired, pair
from evalkit.compare.shared import units_of
from evalkit.errors import ConfigError, did_you_mean
from evalkit.gate.evidence import Loss, loss_of, mean_loss
from evalkit.gate.policy import Policy, Tier
from evalkit.results import TaskResult
from evalkit.store import SavedRun
from evalkit.types import SAMPLE_ROWS

Outcome = Literal["pass", "regression", "not enough evidence", "cannot compare"]
EXIT_CODES: Mapping[Outcome, int] = {"pass": 0, "regression": 10, "cannot compare": 11, "not enough evidence": 12}
MEAN = "mean of required tasks"


@dataclass(frozen=True)
class Row:
    """One task, or the mean of the required ones.

    Attributes:
        tolerance: the loss that is let pass, in the metric's unit or (`relative`) as a share of the base's score.
        loss: how much worse the candidate is; None where the runs cannot be compared on this task.
        interval: the joint interval of the loss: its lower end is corrected over all rows, its upper end is not, since every
            row must lie below its tolerance.
        p_pass, p_regression: of "the loss is beyond the tolerance" and (after Holm) of "it is within".
        power: the chance that a candidate without any loss passes on these documents.
        needed: documents with which that chance is the policy's `power`, at these flips; None where nothing is tolerated, and for
            people's ratings, which need raters as well.
        flips: documents that got worse and better.
    """

    task: str
    tier: Tier
    outcome: Outcome
    tolerance: float
    relative: bool = False
    metric: str = ""
    n: int = 0
    base: float | None = None
    candidate: float | None = None
    loss: float | None = None
    interval: stats.Interval | None = None
    p_pass: float | None = None
    p_regression: float | None = None
    power: float | None = None
    needed: int | None = None
    flips: tuple[int, int] = (0, 0)
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Every row in the base's order; `mean` is None with fewer than two required tasks."""

    base: str
    candidate: str
    tasks: tuple[Row, ...]
    mean: Row | None
    policy: Policy
    warnings: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.tasks, *([self.mean] if self.mean else ()))

    @property
    def outcome(self) -> Outcome:
        """A regression outweighs what could not be compared, which outweighs what is not known yet."""
        counting = [row for row in self.rows if row.tier != "advisory"]
        outcomes = {row.outcome for row in counting if row.tier == "required"}
        if any(row.outcome == "regression" for row in counting):
            return "regression"
        if not outcomes or any(row.outcome == "cannot compare" for row in counting):
            return "cannot compare"
        return "not enough evidence" if "not enough evidence" in outcomes else "pass"

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


@dataclass(frozen=True)
class Levels:
    """P-values that a look at growing data must reach, in place of alpha: for a pass, and (shared out over all rows) a regression."""

    passing: float
    regression: float


@dataclass
class _Tried:
    """A row with what its tests need."""

    row: Row
    loss: Loss | None = None
    paired: Paired | None = None


def decide(base: SavedRun, candidate: SavedRun, policy: Policy | None = None, levels: Levels | None = None) -> Decision:
    """Hold the candidate against the base.

    Args:
        levels: of one look among several (`gate.sequential`); None tests at the policy's alpha, once.

    Raises:
        ConfigError: the policy names a task that neither run has; the runs are one; they look swapped.
        DataError: damaged samples.
    """
    policy = policy or Policy()
    _misuse(base, candidate, policy)
    names = [name for name in base.result.tasks if policy.tier(name)]
    names += [name for name in policy.tasks if name not in base.result.tasks]
    tried = [one for name in names if (one := _try(name, base, candidate, policy))]
    mean = _mean([one for one in tried if one.row.tier == "required"], base, policy)
    family = [one for one in (*tried, *([mean] if mean else ())) if one.loss]
    judged = _judged(family, policy, levels)
    rows = tuple(judged.get(one.row.task, one.row) for one in tried)
    return Decision(
        base.result.model, candidate.result.model, rows, judged[MEAN] if mean else None, policy, _warnings(base, candidate, rows, policy)
    )


def _misuse(base: SavedRun, candidate: SavedRun, policy: Policy) -> None:
    if base.path.resolve() == candidate.path.resolve():
        raise ConfigError(f"base and candidate are both {base.path}; give two runs")
    if candidate.path.is_file() and not base.path.is_file():
        raise ConfigError(f"{candidate.path} is a baseline and is in the candidate's place; the order is BASE CANDIDATE")
    known = list(dict.fromkeys([*base.result.tasks, *candidate.result.tasks]))
    for name in policy.tasks:
        if name not in known and policy.missing == "refuse":
            raise ConfigError(
                f"the policy names task {name!r}, which neither run has{did_you_mean(name, known)}; they have: {', '.join(known)}"
            )


def _try(name: str, base: SavedRun, candidate: SavedRun, policy: Policy) -> _Tried | None:
    """The row as far as it goes without the other rows; None where the task is left out."""
    tolerance, relative = policy.of(name)
    row = Row(name, policy.tier(name) or "required", "cannot compare", tolerance, relative)
    ours = base.result.tasks.get(name)
    if ours is None or name not in candidate.result.tasks:
        if policy.missing == "ignore":
            return None
        gone = "regression" if policy.missing == "fail" and ours is not None else "cannot compare"
        return _Tried(replace(row, outcome=gone, reason=f"the {'candidate' if ours else 'base'} has not measured it"))  # type: ignore[arg-type]
    found = pair(name, base, candidate, policy.prompts == "any")
    row = replace(row, metric=ours.headline, n=found.n, notes=found.notes)
    if found.pairs is None:
        return _Tried(replace(row, reason=found.reason))
    if found.pairs.dropped and policy.documents == "same":
        return _Tried(replace(row, reason=_other_documents(ours, candidate.result.tasks[name], found.pairs.dropped)))
    loss = loss_of(found.pairs, ours.score.higher_is_better, tolerance if relative else None)
    change = (found.pairs.values[1] - found.pairs.values[0]) * (1 if ours.score.higher_is_better else -1)
    row = replace(
        row,
        base=found.pairs.corpora(0).value,
        candidate=found.pairs.corpora(1).value,
        flips=(int((change < 0).sum()), int((change > 0).sum())),
    )
    return _Tried(row, loss, found)


def _other_documents(ours: TaskResult, theirs: TaskResult, dropped: int) -> str:
    counts = f"{theirs.score.n:,} documents, the base {ours.score.n:,}"
    how = "measure both with the same limit=" if theirs.n_docs != ours.n_docs else "ask again what failed"
    return f"{dropped:,} documents were measured by one run alone (candidate {counts}); {how}, or `documents: shared` in the policy"


def _mean(tried: Sequence[_Tried], base: SavedRun, policy: Policy) -> _Tried | None:
    able = [one for one in tried if one.loss and one.paired and one.paired.pairs]
    if len(able) < 2:
        return None
    units = units_of({one.row.task: (base, one.row.task) for one in able})
    found = [one.paired.pairs for one in able if one.paired and one.paired.pairs]
    signs = [1 if base.result.tasks[one.row.task].score.higher_is_better else -1 for one in able]
    losses = [loss_of(pairs, sign > 0) if one.row.relative else one.loss for one, pairs, sign in zip(able, found, signs, strict=True)]
    numbers = [units.of(one.row.task, pairs.docs) for one, pairs in zip(able, found, strict=True)]
    mean = mean_loss([loss for loss in losses if loss], found, numbers, signs)
    same_sense = len(set(signs)) == 1
    row = Row(
        MEAN,
        "required",
        "not enough evidence",
        policy.of_mean,
        metric=f"{len(able)} tasks",
        n=sum(one.row.n for one in able),
        base=stats.mean([one.row.base or 0.0 for one in able]) if same_sense else None,
        candidate=stats.mean([one.row.candidate or 0.0 for one in able]) if same_sense else None,
    )
    return _Tried(row, mean)


def _judged(family: Sequence[_Tried], policy: Policy, levels: Levels | None) -> dict[str, Row]:
    """Rows by task. Advisory rows are judged by themselves: what does not count costs the others nothing."""
    counting = [one for one in family if one.row.tier != "advisory"]
    limits = {one.row.task: 0.0 if one.row.relative else one.row.tolerance for one in family}
    beyond = {one.row.task: one.loss.at_most(limits[one.row.task]) for one in family if one.loss}
    if levels is None:
        adjusted = stats.holm([beyond[one.row.task] for one in counting])
        beyond |= {one.row.task: p for one, p in zip(counting, adjusted, strict=True)}
    judged = {}
    for one in family:
        if one.loss:
            each = Levels(policy.alpha, policy.alpha) if levels is None else levels
            ends = each.regression if levels or one.row.tier == "advisory" else policy.alpha / len(counting)
            judged[one.row.task] = _verdict(one.row, one.loss, limits[one.row.task], beyond[one.row.task], each, ends, policy)
    return judged


def _verdict(row: Row, loss: Loss, limit: float, p_regression: float, levels: Levels, lower: float, policy: Policy) -> Row:
    """The row, judged; `lower` is the level of the interval's lower end."""
    p_pass = loss.at_least(limit)
    power = loss.power(limit, policy.alpha)
    needed = loss.needed(limit, policy.alpha, policy.power)
    outcome: Outcome = "not enough evidence"
    if p_regression <= levels.regression:
        outcome, reason = "regression", f"worse than the tolerance beyond doubt (p = {p_regression:.2g})"
    elif p_pass <= levels.passing:
        outcome, reason = "pass", f"within the tolerance beyond doubt (p = {p_pass:.2g})"
    elif loss.rated and limit + loss.allowance > 0:
        reason = (
            f"a candidate that lost nothing would pass {power:.0%} of the time with these prompts and raters; "
            "`evalkit rate plan` says how many of both are needed"
        )
    elif needed is None:
        reason = "nothing is tolerated, so only a candidate that is better beyond doubt passes"
    else:
        reason = f"a candidate that lost nothing would pass {power:.0%} of the time on these documents"
        if power < policy.power:
            reason += (
                f"; about {needed:,} {'documents' if loss.units == row.n else 'independent documents'} are needed for {policy.power:.0%}"
            )
    return replace(
        row,
        outcome=outcome,
        loss=loss.value + loss.allowance,
        interval=(loss.lowest(lower) + loss.allowance, loss.highest(levels.passing) + loss.allowance),
        p_pass=p_pass,
        p_regression=p_regression,
        power=power,
        needed=needed,
        reason=reason,
    )


def _warnings(base: SavedRun, candidate: SavedRun, rows: Sequence[Row], policy: Policy) -> tuple[str, ...]:
    lines = []
    left_out = [name for name in base.result.tasks if not policy.tier(name)]
    if left_out:
        lines.append(f"left out by the policy: {', '.join(left_out)}")
    new = [name for name in candidate.result.tasks if name not in base.result.tasks]
    if new:
        lines.append(f"measured by the candidate alone, so not held against anything: {', '.join(new)}")
    if samples := [name for name, task in base.result.tasks.items() if task.sample_rows and task.n_docs and policy.tier(name)]:
        lines.append(f"{SAMPLE_ROWS}: {', '.join(samples)}")
    part = [f"{row.task} {row.n:,} of {base.result.tasks[row.task].n_total:,}" for row in rows if _part(base, row)]
    if part:
        lines.append(f"both runs measured only a part of the benchmark (limit=): {', '.join(part)}")
    if not any(row.tier == "required" for row in rows):
        lines.append("no task is required, so there is nothing that could pass")
    return tuple(lines)


def _part(base: SavedRun, row: Row) -> bool:
    result = base.result.tasks.get(row.task)
    return result is not None and 0 < row.n < result.n_total and not result.sample_rows
