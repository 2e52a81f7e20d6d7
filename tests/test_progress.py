"""The time that is left: by kind of work, and no guess where a kind has not begun."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from itertools import pairwise

import pytest

from evalkit.pace import Earlier, Pace, span
from evalkit.progress import Lines, opening


@dataclass(frozen=True)
class Item:
    kind: str
    cost: int
    task: str = "t"


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
    assert seconds[0] is None  # the first batch may have waited for something
    assert seconds[1:] == pytest.approx(right[1:]) and pace.told() == "about 1 s left" and pace.share == 1


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
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    lines = Lines()
    lines.start([SCORED] * 4, 0)
    for _ in range(4):
        lines.advance([SCORED])
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "4 requests to answer; tokens: 4,000 to score"
    assert rest == [
        "1/4 requests, 25% of the tokens, 20 s gone, about 60 s left",
        "3/4 requests, 75% of the tokens, 40 s gone, about 11 s left",
        "4 requests answered in 60 s",
    ]


TASKS = {  # what may be written, what is written on average, prompts: one task ends early, one late
    "long": (1024, 130, 300),
    "short": (64, 40, 500),
    "list": (512, 330, 150),
}


def served(seed: int, slower: float = 1.0, start: float = 30.0) -> list[tuple[float, Item]]:
    """(seconds, what was finished) of a run that writes for 24 requests at a time; the longest prompts are admitted first.

    A step takes longer the more rows write, and a prompt is read when it is admitted. `start` passes before the first token.
    """
    rng = random.Random(seed)
    waiting = []
    for task, (limit, written, count) in TASKS.items():
        for _ in range(count):
            read = round(rng.lognormvariate(5, 0.6))
            length = min(limit, max(1, round(rng.expovariate(1 / written))))
            waiting.append((read, length, Item("generate", read + limit, task)))
    waiting.sort(key=lambda one: one[0])
    now, finished = start, list[tuple[float, Item]]()
    rows: list[tuple[int, Item]] = []
    while waiting or rows:
        while waiting and len(rows) < 24:
            read, length, item = waiting.pop()
            now += slower * read * 0.002
            rows.append((length, item))
        steps = min(length for length, _ in rows)
        now += slower * steps * (0.02 + 0.002 * len(rows))
        finished += [(now, item) for length, item in rows if length == steps]
        rows = [(length - steps, item) for length, item in rows if length > steps]
    return finished


def ends(run: list[tuple[float, Item]], earlier: Earlier | None) -> tuple[list[tuple[float, float]], Pace]:
    """(time, the end that is told then) after every batch."""
    pace = Pace.of([item for _, item in run], 0.0, earlier)
    told = []
    for now, item in run:
        pace.advance([item], now)
        left = pace.left("generate")
        told += [(now, now + left)] if left is not None else []
    return told, pace


def test_the_end_that_is_told_is_steady_and_right_where_an_earlier_run_knows_the_work() -> None:
    """The earlier run had other documents and a faster machine; the end is told within a fifth from the first minute on."""
    earlier = Earlier(ends(served(1, 0.75), None)[1].rates())
    run = served(2)
    told, _ = ends(run, earlier)
    end, minute = run[-1][0], run[0][0] + 60
    assert end > 600
    later = [at for now, at in told if now > minute]
    assert max(later) < 1.25 * end and min(later) > 0.75 * end
    assert told[0][1] == pytest.approx(0.75 * end, rel=0.1)  # before anything is known of today


def test_without_an_earlier_run_the_end_moves_slowly() -> None:
    run = served(2)
    end, minute = run[-1][0], run[0][0] + 60
    later = [at for now, at in ends(run, None)[0] if now > minute]
    assert max(later) / min(later) < 1.3 and abs(later[-1] - end) < 5
    steps = [abs(after - before) / end for before, after in pairwise(later)]
    assert max(steps) < 0.05


def test_the_time_before_a_run_is_that_of_the_earlier_one() -> None:
    earlier = Earlier({"loglikelihood": {"t": 0.01}, "generate": {"t": 0.5}})
    assert opening([SCORED, WRITTEN], 0, 10.0, earlier).endswith("; about 4 min")
    other = Earlier({"loglikelihood": {"t": 0.01}})
    assert opening([SCORED, WRITTEN], 0, 10.0, other).endswith("; at most about 2 min")
    pace = Pace.of([SCORED, WRITTEN], 0.0, other)
    assert pace.told() == "about 10 s left, then 500 tokens of generating"


def test_a_task_that_the_earlier_run_did_not_do_is_like_the_others_of_its_kind() -> None:
    earlier = Earlier({"generate": {"a": 0.2, "b": 0.4}})
    assert earlier.of("generate", "c") == pytest.approx(0.3) and earlier.of("loglikelihood", "a") is None
