"""The two charts of people's ratings: groups, bars, intervals, and published values."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.rating.means import Estimate
from evalkit.rating.published import PublishedRating, read_published
from evalkit.report.plots.ratings import draw


def estimate(value: float | None, half: float = 0.3) -> Estimate:
    ci = (value - half, value + half) if value is not None else None
    return Estimate(value, half / 2, ci, 10, 30, 10, 5)


def test_equal_ratings_give_equal_bytes_and_the_lowest_mean_has_a_bar() -> None:
    series = [
        ("one", "#0072B2", {"hi": estimate(1.0), "en": estimate(4.2)}),
        ("two", "#D55E00", {"hi": estimate(None), "en": estimate(3.1)}),
    ]
    plots = [draw("Ratings", "about", ["hi", "en"], ["हिन्दी", "English"], series, "ratings-language") for _ in range(2)]
    assert plots[0] == plots[1]
    bars = plots[0].svg.count("fill: #0072b2") + plots[0].svg.count("fill: #d55e00")
    assert bars >= 3 + 2  # what was not rated has no bar; the legend has one each


def test_published_values_are_hollow_and_those_read_off_a_picture_dotted() -> None:
    exact, off = (PublishedRating("category", "a", "X", low, high) for low, high in ((3.5, 3.5), (3.4, 3.8)))
    assert off.middle == pytest.approx(3.6) and off.read_off and not exact.read_off
    hollow = draw("R", "about", ["a"], ["a"], [("X, published", "#7A7A7A", {"a": exact})], "r")
    dotted = draw("R", "about", ["a"], ["a"], [("X, published", "#7A7A7A", {"a": off})], "r")
    assert "fill: none; stroke: #7a7a7a" in hollow.svg
    assert dotted.svg.count("stroke-dasharray") > hollow.svg.count("stroke-dasharray")
    both = draw("R", "about", ["a", "b"], ["a", "b"], [("X, published", "#7A7A7A", {"a": exact, "b": off})], "r")
    assert both.svg.count("stroke-dasharray") < dotted.svg.count("stroke-dasharray")  # of a column with both, only the range is dotted


@pytest.mark.parametrize(("score", "ends"), [("3.8", (3.8, 3.8)), ("3.6-3.9", (3.6, 3.9)), ("3.6 – 3.9", (3.6, 3.9)), ("4", (4.0, 4.0))])
def test_printed_numbers_and_ranges(tmp_path: Path, score: str, ends: tuple[float, float]) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(f"by,name,column,score,note\nlanguage,hi,X,{score},read off\n", encoding="utf-8")
    (found,) = read_published(path)
    assert (found.low, found.high, found.note) == (*ends, "read off")
