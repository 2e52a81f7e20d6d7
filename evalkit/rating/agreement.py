"""Do raters agree, and whom do they prefer: Krippendorff's alpha, steadiness, and Bradley-Terry strengths."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from evalkit import stats
from evalkit.errors import ConfigError
from evalkit.rating.markup import NEEDS
from evalkit.rating.ratings import Rating

RELIABLE, TENTATIVE = 0.8, 0.667
RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Alpha:
    """Krippendorff's alpha with the number of answers that two raters or more rated; None where it says nothing."""

    value: float | None
    answers: int
    raters: int

    @property
    def allows(self) -> str:
        """What may be concluded, in Krippendorff's own limits (Content Analysis, 2004, chapter 11)."""
        if self.value is None:
            return "too few shared answers to say anything"
        if self.value >= RELIABLE:
            return "reliable"
        return "for tentative conclusions" if self.value >= TENTATIVE else "too low to rely on single answers, means of many alone"

    @property
    def shown(self) -> str:
        """The number alone."""
        return "none" if self.value is None else f"{self.value:.2f}"

    def __str__(self) -> str:
        return f"{self.shown} ({self.allows}; {self.answers:,} answers, {self.raters} raters)"


def alpha(ratings: Sequence[Rating]) -> Alpha:
    """Ordinal alpha over first ratings (no repeats), an answer of a model to a prompt being the unit.

    1 is perfect agreement, 0 is what chance would give. None where fewer than two answers were rated twice, or where nobody
    ever gave another value (agreement is then perfect, and chance cannot be told from it).

    Raises:
        ConfigError: the package `krippendorff` is not installed.
    """
    units: defaultdict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for one in ratings:
        if one.value is not None and not one.repeat:
            units[one.item, one.model][one.rater] = one.value
    shared = [unit for unit in units.values() if len(unit) > 1]
    raters = sorted({rater for unit in shared for rater in unit})
    values = {value for unit in shared for value in unit.values()}
    if len(shared) < 2 or len(values) < 2:
        return Alpha(None, len(shared), len(raters))
    try:
        import krippendorff
        import numpy as np
    except ImportError as error:
        raise ConfigError(f"{NEEDS} ({error})") from error
    table = np.array([[unit.get(rater, np.nan) for unit in shared] for rater in raters], dtype=float)
    value = float(krippendorff.alpha(reliability_data=table, level_of_measurement="ordinal", value_domain=[1, 2, 3, 4, 5]))
    return Alpha(value, len(shared), len(raters))


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How a rater's second rating of the same answer differs from the first: share equal, share within a point, how many."""

    same: float
    near: float
    n: int


def steadiness(ratings: Sequence[Rating]) -> Steadiness | None:
    """Over the prompts that raters met twice; None where there are none."""
    first = {(one.rater, one.item, one.model): one.value for one in ratings if not one.repeat}
    pairs = [(first.get((one.rater, one.item, one.model)), one.value) for one in ratings if one.repeat]
    gaps = [abs(before - after) for before, after in pairs if before is not None and after is not None]
    return Steadiness(sum(gap == 0 for gap in gaps) / len(gaps), sum(gap <= 1 for gap in gaps) / len(gaps), len(gaps)) if gaps else None


@dataclass(frozen=True, slots=True)
class Preference:
    """How strong a model is when the same rater saw it next to the others.

    Attributes:
        chance: of being preferred to another model, averaged over the others (0.5: no better, no worse).
        ci: 95% interval from resampling whole prompts.
        won, tied, lost: comparisons.
    """

    model: int
    chance: float
    ci: stats.Interval | None
    won: int
    tied: int
    lost: int


def preferences(ratings: Sequence[Rating], models: int, seed: int = 0) -> list[Preference]:
    """Bradley-Terry (1952) over every pair that one rater rated on one prompt; equal points are half a win to each.

    Raises:
        ConfigError: the package `evalica` is not installed.
    """
    pairs = _pairs(ratings)
    if not pairs:
        return []
    flat = [pair for mine in pairs.values() for pair in mine]
    chances = _chances(flat, models)
    rng, prompts, drawn = random.Random(seed), list(pairs), []
    if len(prompts) > 1:
        for _ in range(RESAMPLES):
            drawn.append(_chances([pair for prompt in rng.choices(prompts, k=len(prompts)) for pair in pairs[prompt]], models))
    found = []
    for model, chance in chances.items():
        spread = sorted(one[model] for one in drawn if model in one)
        cut = len(spread) // 40
        ci = stats.holding((spread[cut], spread[-cut - 1]), chance) if len(spread) >= RESAMPLES // 2 else None
        mine = [(gap if a == model else -gap) for a, b, gap in flat if model in (a, b)]
        found.append(Preference(model, chance, ci, sum(g > 0 for g in mine), sum(g == 0 for g in mine), sum(g < 0 for g in mine)))
    return sorted(found, key=lambda one: -one.chance)


def _pairs(ratings: Sequence[Rating]) -> Mapping[int, list[tuple[int, int, int]]]:
    """Prompt -> (model, model, points of the first minus points of the second) of every rater."""
    rows: defaultdict[tuple[int, str], dict[int, int]] = defaultdict(dict)
    for one in ratings:
        if one.value is not None and not one.repeat:
            rows[one.item, one.rater][one.model] = one.value
    found: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for (item, _), values in rows.items():
        found[item] += [(a, b, values[a] - values[b]) for a, b in combinations(sorted(values), 2)]
    return {item: mine for item, mine in found.items() if mine}


def _chances(pairs: Sequence[tuple[int, int, int]], models: int) -> dict[int, float]:
    """Model -> mean chance of beating another, from its strength; a tie with everybody is added so that no strength is infinite."""
    there = sorted({model for a, b, _ in pairs for model in (a, b)})
    try:
        import evalica
    except ImportError as error:
        raise ConfigError(f"{NEEDS} ({error})") from error
    winner: Any = evalica.Winner
    told = [*pairs, *((a, b, 0) for a, b in combinations(there, 2))]
    made: Any = evalica.bradley_terry(
        [a for a, _, _ in told],
        [b for _, b, _ in told],
        [winner.X if gap > 0 else winner.Y if gap < 0 else winner.Draw for _, _, gap in told],
    )
    strength = {int(model): float(value) for model, value in made.scores.items()}
    return {
        model: stats.mean([strength[model] / (strength[model] + strength[other]) for other in there if other != model]) for model in there
    }
