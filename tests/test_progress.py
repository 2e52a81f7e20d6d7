"""The time that is left: by kind of work, and no guess where a kind has not begun."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from evalkit import progress
from evalkit.progress import Lines, Pace, opening, span


@dataclass(frozen=True)
class Item:
    kind: str
    cost: int


SCORED, WRITTEN = Item("loglikelihood", 1000), Item("generate", 500)


def test_a_slow_kind_does_not_make_the_estimate_swing() -> None:
    """100,000 tokens scored at 1,000 a second, then 20,000 written at 50: 100 s and 400 s."""
    pace = Pace.of([SCORED] * 100 + [WRITTEN] * 40, 0.0)
    assert pace.told() == ""
    told = []
    for batch in range(100):
        pace.advance([SCORED], batch + 1.0)
        told.append(pace.told())
    assert told[8] == "" and told[49] == "about 50 s left, then 20,000 tokens of generating"
    seconds = []
    for batch in range(40):
        pace.advance([WRITTEN], 100.0 + 10.0 * (batch + 1))
        seconds.append(pace.left("generate"))
    right = [400.0 - 10.0 * (batch + 1) for batch in range(40)]
    assert seconds == pytest.approx(right) and pace.told() == "about 1 s left" and pace.share == 1


def test_the_first_batch_waits_for_what_is_compiled_and_says_nothing_of_the_rest() -> None:
    pace = Pace.of([SCORED] * 20, 0.0)
    for batch in range(5):
        pace.advance([SCORED], 60.0 + 2.0 * batch)
    assert pace.left("loglikelihood") == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (89, "89 s"), (400, "7 min"), (5300, "88 min"), (12000, "3 h 20 min"), (60000, "17 h"), (400000, "5 days")],
)
def test_spans(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_what_is_said_before() -> None:
    said = opening([SCORED] * 2 + [WRITTEN], 3, 10.0)
    assert said == "3 requests to answer, 3 already answered; tokens: 2,000 to score and 500 to read and write at most; at most about 4 min"
    assert opening([SCORED], 0, None) == "1 request to answer; tokens: 1,000 to score"
    assert "kept from before" in opening([], 5, None)


def test_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 20.0, 25.0, 40.0, 60.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    lines = Lines()
    lines.start([SCORED] * 4, 0)
    for _ in range(4):
        lines.advance([SCORED])
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "4 requests to answer; tokens: 4,000 to score"
    assert rest == [
        "1/4 requests, 25% of the tokens, 20 s gone, about 60 s left",
        "3/4 requests, 75% of the tokens, 40 s gone, about 10 s left",
        "4 requests answered in 60 s",
    ]
