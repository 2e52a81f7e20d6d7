"""How many documents a decision needs, and what they cost, from a run that is there: no model is asked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit import stats
from evalkit.compare.paired import pair
from evalkit.compare.pairs import Pairs, not_pairable, pairs
from evalkit.compare.shared import terms_of, units_of
from evalkit.errors import ConfigError
from evalkit.gate.evidence import loss_of, power_of, units_needed
from evalkit.gate.policy import Policy, Tier
from evalkit.store import SavedRun
from evalkit.types import Summary

FLIPS = 0.05  # of documents that change between two close checkpoints, where no earlier comparison says


@dataclass(frozen=True)
class Planned:
    """What one task needs.

    Attributes:
        documents: measured by the base; `needed` how many the decision needs at the policy's power, None where nothing is
            tolerated; `power` with the base's documents.
        flip_rate: share of documents whose answer changes, from an earlier comparison or assumed.
        seconds: a document's at the base run's speed; None where the run does not say.
    """

    task: str
    tier: Tier
    documents: int
    tolerance: float
    needed: int | None
    power: float
    flip_rate: float
    stderr: float
    seconds: float | None = None
    reason: str = ""

    @property
    def minutes(self) -> float | None:
        """Time for the documents needed, as far as the base has them."""
        return None if self.seconds is None or self.needed is None else min(self.needed, self.documents) * self.seconds / 60

    @property
    def whole_minutes(self) -> float | None:
        """Time for all the documents needed, whether the base has them or not: what a decision costs."""
        return None if self.seconds is None or self.needed is None else self.needed * self.seconds / 60

    @property
    def enough(self) -> bool:
        return self.needed is not None and self.needed <= self.documents


@dataclass(frozen=True)
class Plan:
    """`mean_power`: the chance that a candidate without a loss has its mean within the tolerance, on all of the base's documents."""

    tasks: tuple[Planned, ...]
    mean_power: float | None
    power: float
    minutes: float | None
    observed: bool


def plan(base: SavedRun, policy: Policy, earlier: Sequence[SavedRun] = (), flips: float = FLIPS, cost: float = 1.0) -> Plan:
    """Plan a gate against `base`.

    Args:
        earlier: candidates that were held against this base before; their differences tell how far documents change.
        flips: the share of documents that change, for tasks that no earlier run tells of.
        cost: how much longer the candidate takes than the base did.

    Raises:
        ConfigError: `flips` is no share, or no task of the base is in the policy.
    """
    if not 0 < flips < 1:
        raise ConfigError(f"flips={flips:g} is no share of documents; 0.05 says that one answer in twenty changes")
    names = [name for name in base.result.tasks if policy.tier(name)]
    if not names:
        raise ConfigError("the policy leaves out every task of the base, so there is nothing to plan")
    seconds = {name: cost * each for name, each in seconds_a_document(base).items()}
    told = [_one(name, base, policy, earlier, flips, seconds.get(name)) for name in names]
    required = [(one, found) for one, found in told if one.tier == "required" and found is not None]
    minutes = [one.minutes for one, _ in told]
    return Plan(
        tuple(one for one, _ in told),
        _mean_power(base, policy, required) if len(required) > 1 else None,
        policy.power,
        math.fsum(minute or 0.0 for minute in minutes) if any(minute is not None for minute in minutes) else None,
        bool(earlier),
    )


def _one(
    name: str, base: SavedRun, policy: Policy, earlier: Sequence[SavedRun], flips: float, seconds: float | None
) -> tuple[Planned, Pairs | None]:
    score, tier = base.result.tasks[name].score, policy.tier(name) or "required"
    tolerance, relative = policy.of(name)
    absolute = tolerance * abs(score.value or 0.0) if relative else tolerance
    if why := not_pairable(base.columns.get(name), score):
        return Planned(name, tier, score.n, absolute, None, 0.0, flips, 0.0, seconds, f"cannot be paired: {why}"), None
    found = pairs([base.columns[name]], score)
    if found.rated:
        why = "people rated it: `evalkit rate plan` says how many prompts and raters are needed"
        return Planned(name, tier, score.n, absolute, None, 0.0, flips, 0.0, seconds, why), None
    rates, spreads = [], []
    for run in earlier:
        both = pair(name, base, run, any_prompts=True).pairs if name in run.result.tasks else None
        if both is not None:
            rates.append(float((both.values[0] != both.values[1]).mean()))
            spreads.append(loss_of(both, True).stderr * math.sqrt(len(both.docs) / len(found.docs)))
    rate = stats.mean(rates) if rates else flips
    stderr = max(stats.mean(spreads), 1 / len(found.docs)) if spreads else _assumed_stderr(found, score, rate)
    needed = units_needed(stderr, absolute, policy.alpha, policy.power, len(found.docs))
    power = power_of(stderr, absolute, policy.alpha, len(found.docs))
    return Planned(name, tier, len(found.docs), absolute, needed, power, rate, stderr, seconds), found


def _assumed_stderr(found: Pairs, score: Summary, flips: float) -> float:
    """Of a difference where a share of the documents are answered differently.

    Right and wrong answers of which a share flips differ with a variance of that share, times what documents of one passage
    have in common in the base. A graded answer given again at random differs with twice the variance of one answer, so the
    standard error is `sqrt(2 * flips)` times the score's own.
    """
    import numpy as np

    n = len(found.docs)
    values = found.values[0]
    right_or_wrong = found.mean and bool(((values == 0) | (values == 1)).all())
    if right_or_wrong and found.clusters is None:
        return math.sqrt(flips / n)
    if right_or_wrong:
        plain = stats.stderr_of_mean(values.tolist())
        clustered = stats.clustered_stderr(values.tolist(), list(found.clusters or ()))
        return math.sqrt(flips / n) * (clustered / plain if plain and clustered else 1.0)
    terms = terms_of(found, np.arange(n) if found.clusters is None else stats.corpus.numbered(found.clusters), run=0).values
    return max(float(np.sqrt(np.square(terms).sum())), score.stderr or 0.0) * math.sqrt(2 * flips)


def _mean_power(base: SavedRun, policy: Policy, required: Sequence[tuple[Planned, Pairs]]) -> float:
    units = units_of({one.task: (base, one.task) for one, _ in required})
    terms = [terms_of(found, units.of(one.task, found.docs), run=0) for one, found in required]
    mean = stats.mean_of_scores([0.0] * len(required), [one.stderr for one, _ in required], terms)
    return power_of(mean.stderr, policy.of_mean, policy.alpha, mean.df + 1)


def seconds_a_document(base: SavedRun) -> Mapping[str, float]:
    """At the base run's speed: the time it took to answer, shared among its tasks by the tokens they read and wrote."""
    taken = (base.result.manifest.get("durations_s") or {}).get("answer")
    counts = base.result.manifest.get("counts") or {}
    measured, asked = counts.get("measured", 0), counts.get("asked", 0)
    if taken is None or not measured or measured < asked:  # a continued run's time is not that of all its documents
        return {}
    work = {name: max(1, int(columns.tokens.clip(min=1).sum())) for name, columns in base.columns.items()}
    total = sum(work.values())
    return {name: float(taken) * work[name] / total / max(1, len(base.columns[name].docs)) for name in work}
