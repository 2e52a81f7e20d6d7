"""Verdicts that catch a regression and cry no wolf, and refusals that say why."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from evalkit.cli import main
from evalkit.compare import CANNOT_COMPARE, NO_REGRESSION, REGRESSION, Comparison, Settings, compare
from evalkit.errors import ConfigError
from evalkit.store import load_run


def answers(rng: np.random.Generator, n: int, p: float) -> list[float]:
    return (rng.random(n) < p).astype(float).tolist()


def changed(rng: np.random.Generator, values: list[float], lose: float, win: float) -> list[float]:
    """Right answers lost and wrong ones won with these probabilities, as a fine-tune does."""
    draws = rng.random(len(values))
    return [float(draw >= lose) if value else float(draw < win) for value, draw in zip(values, draws, strict=True)]


def compared(saved_runs: Any, base: dict[str, Any], candidate: dict[str, Any], settings: Settings | None = None, **more: Any) -> Comparison:
    a, b = saved_runs("base", base), saved_runs("candidate", candidate, **more)
    return compare(load_run(a), load_run(b), settings)


def test_a_regression_is_caught_beside_tasks_that_did_not_change(saved_runs: Any) -> None:
    rng = np.random.default_rng(1)
    base = {f"t{i}": answers(rng, 1000, 0.6) for i in range(6)}
    candidate = {name: changed(rng, values, 0.05, 0.075) for name, values in base.items()}
    candidate["t3"] = changed(rng, base["t3"], 0.14, 0.05)
    found = compared(saved_runs, base, candidate)
    assert found.exit_code == REGRESSION
    assert [row.task for row in found.tasks if row.verdict == "regressed"] == ["t3"]
    row = found.tasks[3]
    assert row.difference is not None and row.ci is not None and row.ci[0] < row.difference < row.ci[1] < 0
    assert len(row.worse) - len(row.better) == round(-row.difference * 1000) and row.adjusted > row.p  # type: ignore[operator]
    assert [flip.doc for flip in row.worse[:1]] == [next(f"test/{i}" for i in range(1000) if base["t3"][i] > candidate["t3"][i])]


def test_no_wolf_in_many_comparisons_of_equal_models(saved_runs: Any) -> None:
    """60 fine-tunes that change answers without changing ability, five tasks each: alpha is for the whole table."""
    rng, alarms = np.random.default_rng(2), 0
    for i in range(60):
        base = {f"t{t}": answers(rng, 150, 0.5) for t in range(5)}
        candidate = {name: changed(rng, values, 0.1, 0.1) for name, values in base.items()}
        pair = load_run(saved_runs(f"a{i}", base)), load_run(saved_runs(f"b{i}", candidate))
        alarms += compare(*pair).exit_code == REGRESSION
    assert alarms <= 5  # of 60; expected at most 60 * 0.025 = 1.5


def test_many_small_losses_show_in_the_mean_of_all_tasks(saved_runs: Any) -> None:
    rng = np.random.default_rng(4)
    base = {f"t{i}": answers(rng, 400, 0.6) for i in range(16)}
    candidate = {name: changed(rng, values, 0.07, 0.045) for name, values in base.items()}
    found = compared(saved_runs, base, candidate)
    assert found.overall is not None and found.overall.verdict == "regressed" and found.exit_code == REGRESSION
    assert not any(row.verdict == "regressed" for row in found.tasks)


def test_a_threshold_lets_small_real_losses_pass(saved_runs: Any) -> None:
    base = {"t": [1.0] * 900 + [0.0] * 100}
    candidate = {"t": [0.0] * 20 + [1.0] * 880 + [0.0] * 100}
    found = compared(saved_runs, base, candidate, Settings(threshold=0.025))
    assert (found.tasks[0].verdict, found.exit_code) == ("within threshold", NO_REGRESSION)
    plain = compare(load_run(saved_runs.folder / "base"), load_run(saved_runs.folder / "candidate"))
    assert plain.exit_code == REGRESSION


def test_clusters_are_one_observation_each(saved_runs: Any) -> None:
    """Ten passages of 20 questions, one of which went wrong altogether: 20 losses, but one piece of evidence."""
    clusters = [f"p{i // 20}" for i in range(200)]
    base, candidate = {"t": [1.0] * 200}, {"t": [0.0] * 20 + [1.0] * 180}
    row = compare(load_run(saved_runs("a", base, clusters=clusters)), load_run(saved_runs("b", candidate, clusters=clusters))).tasks[0]
    assert row.p == 1.0 and row.test == "sign flips of clusters" and row.verdict == "no difference seen"
    assert compare(load_run(saved_runs("c", base)), load_run(saved_runs("d", candidate))).exit_code == REGRESSION


def test_corpus_scores_are_tested_through_their_statistics(saved_runs: Any) -> None:
    rng = np.random.default_rng(6)
    wanted = rng.integers(5, 30, 150)
    languages = ["hi", "ta"] * 75

    def run(name: str, share: float, summary: dict[str, Any] | None = None) -> Any:
        right = rng.binomial(wanted, share)
        table = np.stack([right, right, wanted, 0 * wanted, 0 * wanted + 1], axis=1).astype(float)
        value = float(np.mean([right[k::2].sum() / wanted[k::2].sum() for k in (0, 1)]))
        fields = {"corpus": "entity_recall", "value": value} | (summary or {})
        values = {"t": (right / wanted).tolist()}
        return load_run(saved_runs(name, values, stats=table.tolist(), languages=languages, summary=fields))

    base, worse, same = run("a", 0.6), run("b", 0.5), run("c", 0.6)
    row = compare(base, worse).tasks[0]
    assert (
        row.verdict == "regressed"
        and row.test == "approximate randomisation"
        and row.base == pytest.approx(base.result.tasks["t"].score.value)
    )
    assert compare(base, same).tasks[0].verdict == "no difference seen"
    old = run("d", 0.5, {"corpus": ""})
    refused = compare(base, old).tasks[0]
    assert refused.verdict == "cannot compare" and "evalkit score" in refused.reason
    # Statistics that an older version wrote for another formula, and a formula that only a newer version knows.
    other, newer = run("e", 0.5, {"corpus": "instructions"}), run("f", 0.5, {"corpus": "wer"})
    assert "its samples hold no sufficient statistics; `evalkit score`" in compare(base, other).tasks[0].reason
    assert "acc is a corpus score of a kind this evalkit does not know (wer)" in compare(base, newer).tasks[0].reason


REFUSED = [
    ({"result": {"version": 2}}, "task version 2, not 1"),
    ({"result": {"num_fewshot": 5}}, "5-shot, not 0-shot"),
    ({"result": {"rows_sha256": "f" * 64}}, "different rows (sha256 000000000000 and ffffffffffff)"),
    ({"result": {"sample_rows": True}}, "sample rows, not rows of the benchmark"),
    ({"summary": {"signature": "acc|other"}}, "signature acc|other, not acc|invented"),
    ({"prompt": "!"}, "the prompts differ on 40 of 40 shared documents (first: test/0); allow=prompts"),
    ({"complete": False, "result": {"n_docs": 50}}, "candidate is unfinished (40 of 50 documents)"),
    ({"summary": {"value": 0.9}}, "is not the mean of its samples"),
]


@pytest.mark.parametrize(("more", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_cannot_be_compared_is_refused_with_the_reason(saved_runs: Any, more: dict[str, Any], said: str) -> None:
    values = {"t": [1.0, 0.0] * 20}
    found = compared(saved_runs, values, values, **more)
    assert found.exit_code == CANNOT_COMPARE and said in found.tasks[0].reason and found.overall is None


def test_how_an_interval_was_made_is_no_part_of_the_protocol(saved_runs: Any) -> None:
    """One run had enough documents for a bootstrap, the other had not."""
    values = {"t": [1.0, 0.0] * 20}
    base = load_run(saved_runs("base", values, summary={"signature": "acc|nw:2|ci:bootstrap-1000|seed:12345|average:macro"}))
    few, other = (
        load_run(saved_runs(name, values, summary={"signature": signature}))
        for name, signature in (("few", "acc|nw:2|ci:none|average:macro"), ("other", "acc|nw:0|ci:none|average:macro"))
    )
    assert compare(base, few).exit_code == NO_REGRESSION
    assert compare(base, other).tasks[0].reason == "the candidate has signature acc|nw:0|average:macro, not acc|nw:2|average:macro"


def test_a_missing_task_is_no_success_and_a_new_one_no_failure(saved_runs: Any) -> None:
    values = [1.0, 0.0] * 20
    found = compared(saved_runs, {"a": values, "b": values}, {"a": values, "c": values})
    assert found.exit_code == CANNOT_COMPARE and found.tasks[1].reason == "the candidate has not measured it"
    assert found.new_tasks == ("c",)
    runs = load_run(saved_runs.folder / "base"), load_run(saved_runs.folder / "candidate")
    assert compare(*runs, Settings(tasks=("a",))).exit_code == NO_REGRESSION
    with pytest.raises(ConfigError, match="no task 'x'"):
        compare(*runs, Settings(tasks=("x",)))


def test_documents_of_one_run_alone_are_left_out_and_counted(saved_runs: Any) -> None:
    found = compared(saved_runs, {"t": [1.0, 0.0] * 20}, {"t": [1.0, 0.0, None, 0.0, 1.0]})
    assert found.tasks[0].n == 4 and found.tasks[0].notes == ("36 documents that only one run measured are left out",)


def test_equal_runs_are_not_called_certain(saved_runs: Any) -> None:
    row = compared(saved_runs, {"t": [1.0] * 30}, {"t": [1.0] * 30}).tasks[0]
    assert row.p == 1.0 and row.detectable is not None and row.detectable > 0.05 and row.ci is not None and row.ci[0] < 0 < row.ci[1]


def test_the_command(saved_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = saved_runs("a", {"t": [1.0] * 60}), saved_runs("b", {"t": [0.0] * 20 + [1.0] * 40})
    out = saved_runs.folder / "out"
    assert main(["compare", str(a), str(b), f"out={out}", "flips=2"]) == REGRESSION
    printed = capsys.readouterr().out
    assert "REGRESSION: t." in printed and "t: 2 of 20 worse, 0 of 0 better" in printed and "test/1" in printed
    assert "REGRESSION" in (out / "compare.md").read_text(encoding="utf-8")
    saved = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    assert saved["exit_code"] == REGRESSION and len(saved["tasks"][0]["worse"]) == 20
    assert main(["compare", str(b), str(a)]) == NO_REGRESSION
    assert main(["compare", str(a), str(a), "tasks=nope"]) == 2


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["A"],
        ["A", "B", "C"],
        ["A", "B", "alpha=x"],
        ["A", "B", "alpha=2"],
        ["A", "B", "threshold=-1"],
        ["A", "B", "allow=all"],
        ["A", "B", "flips=x"],
        ["nowhere", "B"],
        ["A", "B", "beta=1"],
    ],
)
def test_bad_words_are_one_line(saved_runs: Any, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    folders = {name: str(saved_runs(name, {"t": [1.0] * 4})) for name in "AB"}
    assert main(["compare", *(folders.get(word, word) for word in words)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


def test_compare_loads_no_model_library() -> None:
    code = "import sys, evalkit.compare, evalkit.commands.compare; print([m for m in ('torch', 'datasets', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_silence_on_few_documents_says_that_it_is_silence(saved_runs: Any) -> None:
    from evalkit.report.regressions import regressions

    def title(n: int) -> str:
        tasks = {"t": [1.0, 0.0] * n, "u": [1.0] * n + [0.0] * n}
        pair = load_run(saved_runs(f"a{n}", tasks)), load_run(saved_runs(f"b{n}", tasks))
        return regressions(compare(*pair), *pair, 0).title

    assert title(15).startswith("No regression seen, but these documents could hardly have shown one: on t a loss below 0.")
    assert title(2000).startswith("No regression seen. ")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("threshold=5", "threshold=5 is 500 points; write 0.05 or 5% for 5 of them"),
        ("treshold=0.01", "unknown word 'treshold=0.01'; did you mean threshold?"),
        ("threshold=x", "threshold=x is no size of a difference; 0.01 or 1% is one point"),
        ("threshold=-1%", "a tolerance is 0 or more"),
        ("alpha=5", "alpha=5 is no probability between 0 and 1"),
    ],
)
def test_a_slip_in_a_word_is_named(saved_runs: Any, word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(saved_runs(name, {"t": [1.0] * 4})) for name in "AB"]
    assert main(["compare", *folders, word]) == 2 and said in capsys.readouterr().err
    assert main(["compare", *folders, "threshold=5%"]) == 0
