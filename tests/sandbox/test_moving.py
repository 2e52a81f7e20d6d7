"""Which of the test's constants change the program's word about its own objects."""

from __future__ import annotations

import ast
from typing import Any

from evalkit.sandbox.moving import Moves, doubtful, unconfirmed

TEST = "want = 3\nassert f(1) == f(want)\n"


def verdict(moves: Moves, answer: Any) -> dict[str, Any]:
    """What a run with these constants says, where `answer` is the program's `__eq__` of both numbers."""
    moved = {(line, column): value for line, column, value in moves}
    one, want = moved.get((2, 9), 1), moved.get((1, 7), 3)
    return {"passed": True, "words": {"2 eq": [1, int(answer(one, want)), int(answer(one, want))]}, "stumbled": []}


def test_a_yes_that_no_constant_changes_is_not_confirmed() -> None:
    doubt = doubtful({"2 eq": [1, 1, 1]})
    assert unconfirmed(TEST, doubt, lambda moves: verdict(moves, lambda one, want: True)) == ["2 eq"]
    assert unconfirmed(TEST, doubt, lambda moves: verdict(moves, lambda one, want: (one, want) == (1, 3))) == []
    assert unconfirmed(TEST, doubt, lambda moves: verdict(moves, lambda one, want: want == 3)) == []  # by the line before


def test_runs_that_stumble_show_nothing() -> None:
    doubt = doubtful({"2 eq": [1, 1, 1]})
    assert unconfirmed(TEST, doubt, lambda moves: {"passed": True, "words": {}, "stumbled": [2]}) == ["2 eq"]
    assert unconfirmed(TEST, doubt, lambda moves: {"passed": False, "words": {}, "stumbled": []}) == ["2 eq"]
    assert unconfirmed(TEST, doubt, lambda moves: None) == ["2 eq"]


def test_a_no_to_being_equal_needs_no_confirmation_and_order_always_does() -> None:
    said = {"1 eq": [2, 0, 9], "2 ne": [1, 1, 9], "3 ne": [1, 0, 9], "4 lt": [1, 0, 9], "5 contains": [1, 1, 9]}
    assert set(doubtful(said)) == {"3 ne", "4 lt", "5 contains"}
    assert doubtful(None) == {}


def test_a_moved_text_is_of_the_same_kind_at_first() -> None:
    seen: list[str] = []

    def run(moves: Moves) -> dict[str, Any]:
        seen.extend(value for _, _, value in moves)
        return {"passed": True, "words": {"1 eq": [1, 0, 0]}, "stumbled": []}

    assert unconfirmed("assert f('1.0') == 1", doubtful({"1 eq": [1, 1, 1]}), run) == []
    assert all(type(ast.literal_eval(text)) is float for text in seen[:2]) and len(set(seen)) == len(seen) == 4
