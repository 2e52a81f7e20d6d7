"""Who rates what: every prompt to as many raters as asked, by language, balanced, the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.rating.assign import Plan, assign

LANGUAGES = ("en", "hi", "ta")
KINDS = [(language, category) for language in LANGUAGES for category in ("creative", "reasoning", "culture") for _ in range(8)]
ROOM = {"a": ("hi", "en"), "b": ("hi",), "c": ("ta", "en"), "d": ("ta",), "e": ("en", "hi", "ta"), "f": (), "g": ("en",), "h": ("ta", "hi")}


def test_every_prompt_to_as_many_readers_of_its_language() -> None:
    pages = assign(KINDS, ROOM, 4, Plan(3, 0, 0, 5))
    raters = Counter(place.item for page in pages.values() for place in page)
    assert set(raters.values()) == {3} and len(raters) == len(KINDS)
    for rater, page in pages.items():
        assert all(not ROOM[rater] or KINDS[place.item][0] in ROOM[rater] for place in page)
        assert len({place.item for place in page}) == len(page)


def test_the_work_is_shared_out_evenly() -> None:
    pages = assign(KINDS, {f"r{i}": () for i in range(12)}, 4, Plan(3, 0, 0, 1))
    sizes = [len(page) for page in pages.values()]
    assert max(sizes) - min(sizes) <= 1
    for page in pages.values():
        kinds = Counter(KINDS[place.item][1] for place in page)
        assert max(kinds.values()) - min(kinds.values()) <= 2


def test_letters_are_shared_out_evenly_for_each_rater_language_and_category() -> None:
    pages = assign(KINDS, {f"r{i}": () for i in range(6)}, 4, Plan(3, 1, 1, 9))
    whole: Counter[tuple[int, int]] = Counter()
    for page in pages.values():
        mine = Counter(place for one in page for place in enumerate(one.order))
        assert max(mine.values()) - min(mine.values()) <= 4 and len(mine) == 16
        whole.update(mine)
    expected = sum(whole.values()) / 16
    assert all(abs(count - expected) <= 0.12 * expected for count in whole.values())
    by_kind: dict[str, Counter[tuple[int, int]]] = {}
    for page in pages.values():
        for one in page:
            by_kind.setdefault(KINDS[one.item][0], Counter()).update(enumerate(one.order))
    assert all(max(c.values()) < 1.6 * min(c.values()) for c in by_kind.values())
    # No order can be guessed from the one before.
    orders = [one.order for page in pages.values() for one in page]
    assert len(set(orders)) > 20


def test_the_calibration_set_is_for_everybody_and_spread_over_categories() -> None:
    pages = assign(KINDS, ROOM, 4, Plan(2, 3, 0, 3))
    for language in LANGUAGES:
        shared = {p.item for page in pages.values() for p in page if p.calibration and KINDS[p.item][0] == language}
        assert len(shared) == 3 and len({KINDS[item][1] for item in shared}) == 3
        for rater, reads in ROOM.items():
            mine = {place.item for place in pages[rater]}
            assert shared <= mine if not reads or language in reads else not shared & mine


def test_what_is_met_twice_comes_later_in_another_order() -> None:
    pages = assign(KINDS, {f"r{i}": () for i in range(6)}, 3, Plan(3, 2, 4, 8))
    for page in pages.values():
        again = [(i, place) for i, place in enumerate(page) if place.repeat]
        assert len(again) == 4
        for i, place in again:
            first = next(j for j, other in enumerate(page) if other.item == place.item)
            assert i - first >= len(page) // 4 and page[first].order != place.order and not page[first].repeat


def test_equal_seeds_give_equal_sheets_and_others_do_not() -> None:
    sheets = [assign(KINDS, ROOM, 4, Plan(2, 1, 1, seed)) for seed in (1, 1, 2)]
    assert sheets[0] == sheets[1] != sheets[2]


@pytest.mark.parametrize(
    ("items", "raters", "plan", "said"),
    [
        (KINDS, {"a": ("en",), "b": ("en",)}, Plan(1), "0 of the raters read hi"),
        (KINDS, {"a": (), "b": ()}, Plan(3), "2 of the raters read en, and per_prompt=3"),
        ([], {"a": ()}, Plan(1), "nothing to rate"),
        (KINDS, {}, Plan(1), "nothing to rate"),
        (KINDS, {"a": ()}, Plan(0), "per_prompt= is a whole number from 1"),
    ],
)
def test_a_plan_that_does_not_fit(items: list[tuple[str, str]], raters: dict[str, tuple[str, ...]], plan: Plan, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        assign(items, raters, 4, plan)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    raters=st.integers(1, 7),
    models=st.integers(2, 9),
    wanted=st.tuples(st.integers(1, 4), st.integers(0, 4), st.integers(0, 5)),
    seed=st.integers(0, 2**31),
)
def test_any_sheet_holds_together(counts: list[int], raters: int, models: int, wanted: tuple[int, int, int], seed: int) -> None:
    items = [(LANGUAGES[i % 3], "c") for i, count in enumerate(counts) for _ in range(count)]
    per_prompt = min(wanted[0], raters)
    pages = assign(items, {f"r{i}": () for i in range(raters)}, models, Plan(per_prompt, wanted[1], wanted[2], seed))
    seen = Counter(place.item for page in pages.values() for place in page if not place.repeat)
    shared = {place.item for page in pages.values() for place in page if place.calibration}
    assert all(seen[item] == (raters if item in shared else per_prompt) for item in range(len(items)))
    assert all(sorted(place.order) == list(range(models)) for page in pages.values() for place in page)
