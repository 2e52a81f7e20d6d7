"""How many prompts and raters a difference of half a point needs, before anybody is asked.

Two models are rated by the same raters on the same prompts. What the two models share, a hard prompt or a strict rater, falls
out of their difference; what is left varies over prompts (one model is better on some), over raters (some like one model more),
and from rating to rating. For P prompts, R raters and k raters per prompt

    variance of the difference = prompt**2 / P + rater**2 / R + rest**2 / (P * k)

which is the crossed design of two random factors (Brennan, "Generalizability Theory", 2001, chapter 3), and the smallest
difference that shows four times in five is that of `evalkit.stats.detectable`, with Student's t in the place of the normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit import stats
from evalkit.errors import ConfigError
from evalkit.rating.ratings import Rating
from evalkit.stats.power import POWER

ALPHA = 0.05
MOST = 5000  # prompts that are tried


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of the difference of two models, in points.

    Attributes:
        prompt: over prompts; rater: over raters; rest: of single ratings.
        known: they come from ratings, and are not the assumed ones.
    """

    prompt: float = 0.8
    rater: float = 0.25
    rest: float = 1.0
    known: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What a design would see: standard error of a difference and the smallest difference that shows four times in five."""

    prompts: int
    raters: int
    per_prompt: int
    stderr: float
    detectable: float

    @property
    def ratings_per_rater(self) -> float:
        """Prompts on each rater's page."""
        return self.prompts * self.per_prompt / self.raters


def planned(spread: Spread, prompts: int, raters: int, per_prompt: int) -> Planned:
    """What so many prompts and raters would see.

    Raises:
        ConfigError: fewer than two prompts or raters, or more raters per prompt than raters.
    """
    if prompts < 2 or raters < 2 or not 1 <= per_prompt <= raters:
        raise ConfigError(
            f"prompts={prompts} raters={raters} per_prompt={per_prompt}: two prompts and two raters are the least, and per_prompt is at "
            "most the number of raters"
        )
    by_prompt, by_rater = spread.prompt**2 / prompts, spread.rater**2 / raters
    rest = spread.rest**2 / (prompts * per_prompt)
    variance = by_prompt + by_rater + rest
    df = variance**2 / ((by_prompt + rest) ** 2 / (prompts - 1) + by_rater**2 / (raters - 1))
    stderr = math.sqrt(variance)
    quantiles = stats.t_quantile(1 - ALPHA / 2, max(1, int(df))) + stats.t_quantile(POWER, max(1, int(df)))
    return Planned(prompts, raters, per_prompt, stderr, quantiles * stderr)


def prompts_for(points: float, spread: Spread, raters: int, per_prompt: int) -> Planned | None:
    """The fewest prompts that show a difference of so many points; None where raters are too few whatever the prompts."""
    low, high = 2, 2
    while planned(spread, high, raters, per_prompt).detectable > points:
        low, high = high, high * 2
        if high > MOST:
            return None
    while low < high:
        middle = (low + high) // 2
        if planned(spread, middle, raters, per_prompt).detectable > points:
            low = middle + 1
        else:
            high = middle
    return planned(spread, high, raters, per_prompt)


def spread_of(ratings: Sequence[Rating]) -> Spread | None:
    """The standard deviations that a pilot's ratings show, averaged over all pairs of models; None where it is too small.

    Moments of the crossed design: with e the differences minus their mean, products of two ratings of one prompt by different
    raters estimate prompt**2, of one rater on different prompts rater**2, and what is left of the variance is rest**2.
    """
    import numpy as np

    rows: dict[tuple[str, int], dict[int, int]] = {}
    for one in ratings:
        if one.value is not None and not one.repeat and not one.judge:
            rows.setdefault((one.rater, one.item), {})[one.model] = one.value
    models = sorted({model for row in rows.values() for model in row})
    parts = []
    for place, a in enumerate(models):
        for b in models[place + 1 :]:
            both = [(rater, item, row[a] - row[b]) for (rater, item), row in rows.items() if a in row and b in row]
            if len({item for _, item, _ in both}) < 2 or len({rater for rater, _, _ in both}) < 2:
                continue
            e = np.array([gap for _, _, gap in both], dtype=float)
            e -= e.mean()
            prompt = _shared(e, [item for _, item, _ in both])
            rater = _shared(e, [rater for rater, _, _ in both])
            parts.append((max(0.0, prompt), max(0.0, rater), max(0.0, float((e * e).mean()) - max(0.0, prompt) - max(0.0, rater))))
    if not parts:
        return None
    means = [math.sqrt(stats.mean([part[i] for part in parts])) for i in range(3)]
    return Spread(means[0], means[1], means[2], known=True)


def _shared(e: Any, labels: Sequence[object]) -> float:
    """Mean product of two different ratings with one label; 0 where no label has two."""
    import numpy as np

    number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    at = np.array([number[label] for label in labels])
    sums, squares, sizes = np.bincount(at, weights=e), np.bincount(at, weights=e * e), np.bincount(at)
    pairs = float((sizes * (sizes - 1)).sum())
    return float((sums * sums - squares).sum()) / pairs if pairs else 0.0
