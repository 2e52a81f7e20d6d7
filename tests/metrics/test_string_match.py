"""RULER's score: the share of the values that are in the answer."""

from __future__ import annotations

import pytest

from evalkit.metrics import StringMatch
from evalkit.types import Doc, Response, Status

DOC = Doc("4096/0", {}, target=("1234567", "7654321"), group="4096")


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("are 1234567 and 7654321.", 1.0),
        ("1234567", 0.5),
        ("1,234,567", 0.0),  # RULER takes the value as it was written
        ("१२३४५६७ and ७६५४३२१", 1.0),
        ("", 0.0),
    ],
)
def test_recall_of_the_values(said: str, value: float) -> None:
    assert StringMatch().score(DOC, [Response("k", "ok", text=said)]).value == value


def test_case_and_native_golds() -> None:
    words = Doc("0", {}, target=("Apple",))
    assert StringMatch().score(words, [Response("k", "ok", text="an APPLE")]).value == 1.0
    native = Doc("0", {}, target=("௧௨௩௪௫௬௭",))
    assert StringMatch(indic=True).score(native, [Response("k", "ok", text="1234567")]).value == 1.0


@pytest.mark.parametrize("status", ["empty", "refused", "filtered", "thinking"])
def test_what_says_nothing_finds_nothing_and_is_counted(status: Status) -> None:
    score = StringMatch().score(DOC, [Response("k", status, text="")])
    assert score.value == 0.0 and status in score.flags and score.prediction is None


def test_a_failed_request_is_not_measured() -> None:
    assert StringMatch().score(DOC, [Response("k", "error", error="x")]).value is None
