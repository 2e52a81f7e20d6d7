"""Ratings of one model as the summaries of a run: on the scale of 0 to 1 that every score has, and on people's own of 1 to 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from evalkit import stats
from evalkit.metrics.base import VERSION
from evalkit.rating.means import Estimate, two_way
from evalkit.rating.ratings import Rating
from evalkit.rating.sheet import SCALE, Sheet
from evalkit.types import Signature, Summary

RATING, MEAN, LEVEL = "rating", "mean_rating", "mean_rating_level"
LOW, HIGH = SCALE
Value = Callable[[Rating], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number made of ratings.

    Attributes:
        value: of a rating that has points.
        bounds: the ends of its scale.
        about: part of the signature.
    """

    name: str
    value: Value
    bounds: tuple[float, float]
    about: str


def measures(leaning: Mapping[str, float], judges: Sequence[str] = (), people: bool = True) -> list[Measure]:
    """What is measured: people's ratings in three ways, and each judge's.

    Args:
        leaning: how far each rater is above the others, in points.
        people: whether there are people's ratings; a judge's are never put under their names.
    """
    own = [
        Measure(RATING, lambda one: (_points(one) - LOW) / (HIGH - LOW), (0.0, 1.0), "scale:0-1"),
        Measure(MEAN, _points, SCALE, f"scale:{LOW}-{HIGH}"),
        Measure(LEVEL, lambda one: _points(one) - leaning.get(one.rater, 0.0), SCALE, f"scale:{LOW}-{HIGH}|leaning:removed"),
    ]
    of_judges = [Measure(judge_metric(name), lambda one: (_points(one) - LOW) / (HIGH - LOW), (0.0, 1.0), "scale:0-1") for name in judges]
    return [*(own if people else []), *of_judges]


def judge_metric(name: str) -> str:
    """What a judge's score is called."""
    return f"judge_{name}"


def of_measure(measure: Measure, ratings: Sequence[Rating]) -> list[Rating]:
    """The ratings that count for it: with points, no repeats, people's or this judge's."""
    mine = [one for one in ratings if one.value is not None and not one.repeat]
    judge = measure.name.removeprefix("judge_") if measure.name.startswith("judge_") else ""
    return [one for one in mine if (one.judge and one.rater == judge) or (not judge and not one.judge)]


def estimate(measure: Measure, ratings: Sequence[Rating], sheet: Sheet) -> Estimate:
    """The mean of a measure, with its two-way interval; languages are strata."""
    mine = of_measure(measure, ratings)
    strata = [sheet.items[one.item].language for one in mine]
    return two_way([measure.value(one) for one in mine], [one.item for one in mine], [one.rater for one in mine], strata, measure.bounds)


def summary(measure: Measure, ratings: Sequence[Rating], sheet: Sheet, items: Sequence[int]) -> Summary:
    """The score of some prompts, with languages as groups where there are several.

    Args:
        items: the prompts it should speak of; those without a rating are counted as not measured.
    """

    def one(places: Sequence[int]) -> Summary:
        wanted = set(places)
        found = estimate(measure, [rating for rating in ratings if rating.item in wanted], sheet)
        signature = Signature.of(measure.name, measure.about, f"sheet:{sheet.id}", stats.TWO_WAY_CI if found.ci else "ci:none", VERSION)
        return Summary(
            metric=measure.name,
            value=found.value,
            stderr=found.stderr,
            ci=stats.holding(found.ci, found.value) if found.ci and found.value is not None else None,
            n=found.prompts,
            n_not_measured=len(places) - found.prompts,
            signature=str(signature),
            no_interval="too few prompts or raters for an interval" if found.value is not None and found.ci is None else "",
        )

    whole = one(items)
    languages = list(dict.fromkeys(sheet.items[item].language for item in items))
    if len(languages) < 2:
        return whole
    groups = {language: one([item for item in items if sheet.items[item].language == language]) for language in languages}
    values = [group.value for group in groups.values() if group.value is not None]
    return replace(whole, groups=groups, macro=stats.mean(values) if values else None)


def _points(one: Rating) -> float:
    assert one.value is not None
    return float(one.value)
