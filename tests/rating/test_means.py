"""Intervals that know prompts and raters repeat; leanings; plans; alpha and preferences against what is known."""

from __future__ import annotations

import importlib.util
import math
import random
from pathlib import Path

import pytest

from evalkit import stats
from evalkit.errors import ConfigError
from evalkit.rating.agreement import alpha, preferences, steadiness
from evalkit.rating.means import difference, leanings, two_way
from evalkit.rating.power import Spread, planned, prompts_for, spread_of
from evalkit.rating.ratings import Rating

REPO = Path(__file__).resolve().parents[2]


def test_one_rating_per_rater_and_prompt_is_the_plain_t_interval() -> None:
    values = [1.0, 2, 4, 5, 3, 3, 2, 5]
    found = two_way(values, range(8), range(8))
    assert found.value == 3.125 and found.stderr == pytest.approx(stats.stderr_of_mean(values) or 0)
    assert found.ci == pytest.approx(stats.t_interval(3.125, found.stderr or 0, 7), rel=0.02)


def test_by_hand() -> None:
    """Two prompts × two raters: sums of errors over prompts, over raters, and alone, each with its factor."""
    values, prompts, raters = [1.0, 2.0, 4.0, 5.0], [0, 0, 1, 1], ["a", "b", "a", "b"]
    by_prompt = 2 * ((-3) ** 2 + 3**2) / 16  # errors -2, -1, 1, 2
    by_rater = 2 * ((-1) ** 2 + 1**2) / 16
    single = (4 + 1 + 1 + 4) / 16 * 4 / 3
    found = two_way(values, prompts, raters)
    assert found.stderr == pytest.approx(math.sqrt(max(by_prompt + by_rater - single, by_prompt, by_rater)))


def test_every_prompt_counts_once() -> None:
    assert two_way([5, 5, 5, 5, 1], [0, 0, 0, 0, 1], list("abcda")).value == 3.0


@pytest.mark.parametrize(("prompts", "raters"), [([0, 0, 0], "abc"), ([0, 1, 2], "aaa"), ([0], "a")])
def test_one_prompt_or_one_rater_gives_no_interval(prompts: list[int], raters: str) -> None:
    found = two_way([3.0] * len(prompts), prompts, list(raters))
    assert found.value == 3.0 and found.stderr is None and found.ci is None and found.p is None


def test_nothing_rated_is_none() -> None:
    assert two_way([], [], []).value is None


def test_the_interval_stays_on_the_scale() -> None:
    found = two_way([5, 5, 5, 4], [0, 1, 2, 3], list("abab"), bounds=(1, 5))
    assert found.ci and found.ci[1] == 5 and found.ci[0] >= 1


def test_languages_whose_means_differ_are_no_chance() -> None:
    values = [1, 1, 2, 2, 1, 2, 5, 5, 4, 4, 5, 4]
    prompts, raters, languages = list(range(12)), list("abcabcabcabc"), ["ta"] * 6 + ["en"] * 6
    with_languages, without = two_way(values, prompts, raters, languages), two_way(values, prompts, raters)
    assert with_languages.stderr is not None and without.stderr is not None and with_languages.stderr < 0.5 * without.stderr


def test_what_two_models_share_falls_out_of_their_difference() -> None:
    rng = random.Random(1)
    first, second, prompts, raters = [], [], [], []
    for prompt in range(30):
        hard = rng.gauss(0, 1)
        for rater, leaning in (("a", 1.5), ("b", -1.5), ("c", 0.0)):
            first.append(3 + hard + leaning + rng.gauss(0, 0.1))
            second.append(2.5 + hard + leaning + rng.gauss(0, 0.1))
            prompts.append(prompt)
            raters.append(rater)
    gap, alone = difference(first, second, prompts, raters), two_way(first, prompts, raters)
    assert gap.value == pytest.approx(0.5, abs=0.05) and gap.stderr is not None and alone.stderr is not None
    assert gap.stderr < 0.1 * alone.stderr and (gap.p or 0) < 0.01


def test_leanings_of_a_design_with_gaps() -> None:
    """Raters who share no answer with each other are linked through a third; exact without noise."""
    leaning = {"a": 1.0, "b": -0.5, "c": -0.5}
    quality = [2.0, 3.0, 4.0, 2.5]
    rated = [(0, "a"), (0, "b"), (1, "a"), (1, "b"), (2, "b"), (2, "c"), (3, "b"), (3, "c")]
    found = leanings([quality[answer] + leaning[who] for answer, who in rated], [answer for answer, _ in rated], [who for _, who in rated])
    assert found == pytest.approx(leaning)
    assert leanings([], [], []) == {}


def rows(table: dict[str, list[int | None]], model: int = 0) -> list[Rating]:
    return [Rating(who, i, model, value) for who, values in table.items() for i, value in enumerate(values)]


def test_alpha_of_a_published_example() -> None:
    """Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), part C: four observers, ordinal alpha 0.815."""
    n = None
    table = {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, n, n, n],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, n, 3],
        "C": [n, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, n],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, n],
    }
    found = alpha(rows(table))
    assert found.value == pytest.approx(0.815, abs=0.001) and found.answers == 11 and found.raters == 4
    assert found.allows == "reliable"


def test_alpha_where_it_says_nothing() -> None:
    assert alpha(rows({"a": [3, 3, 3], "b": [3, 3, 3]})).value is None
    assert alpha(rows({"a": [1, 2, 3]})).value is None
    assert alpha([]).value is None
    low = alpha(rows({"a": [1, 5, 1, 5], "b": [5, 1, 5, 1]}))
    assert low.value is not None and low.value < 0 and "too low" in str(low)


def test_preferences_find_the_order_and_count_ties() -> None:
    rng = random.Random(4)
    asked = [(who, item, model) for item in range(40) for who in "ab" for model in range(4)]
    ratings = [Rating(who, item, model, max(1, min(5, round(2 + 0.6 * model + rng.gauss(0, 0.8))))) for who, item, model in asked]
    found = preferences(ratings, 4)
    assert [one.model for one in found] == [3, 2, 1, 0]
    assert sum(one.chance for one in found) == pytest.approx(2.0)
    for one in found:
        assert one.ci and one.ci[0] <= one.chance <= one.ci[1] and one.won + one.tied + one.lost == 40 * 2 * 3
    equal = preferences([Rating("a", item, model, 3) for item in range(5) for model in range(3)], 3)
    assert all(one.chance == pytest.approx(0.5) for one in equal)
    assert preferences([Rating("a", 0, 0, 5)], 2) == []
    always = preferences([Rating("a", item, model, 1 + model) for item in range(5) for model in range(2)], 2)
    assert 0.5 < always[0].chance < 1


def test_steadiness() -> None:
    first = [Rating("a", i, 0, value) for i, value in enumerate((1, 2, 3, 4))]
    again = [Rating("a", i, 0, value, repeat=True) for i, value in enumerate((1, 3, 5, None))]
    found = steadiness([*first, *again])
    assert found and (found.same, found.near, found.n) == (1 / 3, 2 / 3, 3)
    assert steadiness(first) is None


def test_more_prompts_and_more_raters_see_smaller_differences() -> None:
    base = planned(Spread(), 40, 12, 3)
    for more in (planned(Spread(), 80, 12, 3), planned(Spread(), 40, 24, 3), planned(Spread(), 40, 12, 6)):
        assert more.detectable < base.detectable
    need = prompts_for(0.5, Spread(), 12, 3)
    assert need and need.detectable <= 0.5 < planned(Spread(), need.prompts - 1, 12, 3).detectable
    assert prompts_for(0.05, Spread(), 4, 2) is None
    with pytest.raises(ConfigError, match="two prompts and two raters are the least"):
        planned(Spread(), 40, 2, 3)


def test_a_pilot_tells_the_spread() -> None:
    rng = random.Random(7)
    ratings = []
    for item in range(150):
        by_prompt = [rng.gauss(0, 0.6) for _ in range(2)]
        for who in range(6):
            ratings += [Rating(str(who), item, model, round(30 + 10 * (by_prompt[model] + rng.gauss(0, 0.5)))) for model in range(2)]
    found = spread_of(ratings)
    assert found and found.known
    assert found.prompt == pytest.approx(10 * 0.6 * math.sqrt(2), rel=0.15) and found.rest == pytest.approx(
        10 * 0.5 * math.sqrt(2), rel=0.15
    )
    assert found.rater < 1
    assert spread_of(ratings[:2]) is None


@pytest.mark.slow
def test_simulated_raters_intervals_hold_the_truth() -> None:
    """A short run of benchmarks/rating.py, give or take chance; docs/rating.md has the long one."""
    spec = importlib.util.spec_from_file_location("rating_benchmark", REPO / "benchmarks" / "rating.py")
    assert spec and spec.loader
    bench = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["rating_benchmark"] = bench
    spec.loader.exec_module(bench)
    got = bench.simulate(bench.Design(60, 9, 3), bench.World(), 80, 5)
    assert 0.92 <= got["mean"] <= 0.98 and 0.92 <= got["difference"] <= 0.98
    assert got["order"] > 0.95 and got["found"] > 0.6
