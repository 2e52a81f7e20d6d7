"""Ranks that respect uncertainty, and averages that hide no gap."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evalkit import stats
from evalkit.compare.ranking import Difference, rank_task, ranks
from evalkit.report import build, markdown
from evalkit.report.table import Report
from evalkit.store import SavedRun, load_run


def board(runs: list[SavedRun], make: SimpleNamespace) -> Report:
    return build([run.result for run in runs], [make.card], runs)


def right(rng: np.random.Generator, n: int, p: float) -> list[float]:
    return (rng.random(n) < p).astype(float).tolist()


def rows(report: Report, which: int = 0) -> list[list[str]]:
    """Texts of the cells, means without their intervals."""
    return [[cell.text.split(" [")[0] for cell in row] for row in report.leaderboard[which].rows]


def test_models_that_cannot_be_told_apart_share_a_rank(saved_runs: Any, make: SimpleNamespace) -> None:
    rng = np.random.default_rng(3)
    best = right(rng, 500, 0.8)
    near = [1 - v if i in (3, 90, 200) else v for i, v in enumerate(best)]
    runs = [load_run(saved_runs(name, {"a": values})) for name, values in (("weak", right(rng, 500, 0.5)), ("best", best), ("near", near))]
    report = board(runs, make)
    assert {row[1]: row[0] for row in rows(report)} == {"best": "1", "near": "1", "weak": "3"}
    assert rows(report, 1) == [
        ["a", "acc", *(f"{run.result.tasks['a'].score.value:.3f} #{r}" for run, r in ((runs[i], k) for i, k in order(runs)))]
    ]


def order(runs: list[SavedRun]) -> list[tuple[int, int]]:
    """(index, rank) by score, as the board sorts them: the weak run is third."""
    by_score = sorted(range(3), key=lambda i: -(runs[i].result.tasks["a"].score.value or 0))
    return [(i, 3 if i == 0 else 1) for i in by_score]


def test_pairing_tells_apart_what_intervals_cannot(saved_runs: Any, make: SimpleNamespace) -> None:
    base = right(np.random.default_rng(1), 400, 0.6)
    better = [1.0 if i % 40 == 0 else v for i, v in enumerate(base)] + [1.0] * 12
    worse = [*base, *[0.0] * 12]
    runs = [load_run(saved_runs(name, {"a": values})) for name, values in (("x", worse), ("y", better))]
    a, b = (run.result.tasks["a"].score for run in runs)
    assert a.ci and b.ci and a.ci[1] > b.ci[0]  # the intervals overlap
    assert [row[:2] for row in rows(board(runs, make))] == [["1", "y"], ["2", "x"]]


def test_a_gap_is_shown_and_never_averaged_away(saved_runs: Any, make: SimpleNamespace) -> None:
    values = [1.0, 0.0] * 30
    runs = [load_run(saved_runs("full", {"hellaswag": values, "b": values})), load_run(saved_runs("part", {"hellaswag": [1.0] * 60}))]
    report = board(runs, make)
    heads = ["Rank", "Model", "Mean of all", "Mean of 1 that all have", "English / Code / Math", "Other tasks"]
    assert [c.title for c in report.leaderboard[0].columns] == heads
    assert rows(report) == [
        ["1", "part", "1 of 2 measured", "1.000", "1.000", "0 of 1 measured"],
        ["2", "full", "0.500", "0.500", "0.500", "0.500"],
    ]
    assert rows(report, 1)[1] == ["b", "acc", "not measured", "0.500"]  # alone, so without a rank
    assert "1 of 2 measured" in markdown(report)


def test_too_little_in_common_ranks_only_those_that_have_all(saved_runs: Any, make: SimpleNamespace) -> None:
    values = [1.0, 0.0] * 30
    every = {name: values for name in "abc"}
    runs = [load_run(saved_runs(name, tasks)) for name, tasks in (("x", every), ("y", every), ("part", {"a": [1.0] * 60}))]
    assert [row[:2] for row in rows(board(runs, make))] == [["1", "x"], ["1", "y"], ["–", "part"]]


def test_sample_rows_and_other_programs_have_their_own_boards(saved_runs: Any, make: SimpleNamespace) -> None:
    right, wrong = [1.0] * 40, [0.0] * 40
    more = {"m": {}, "n": {}, "s": {"sample_rows": True}, "t": {"sample_rows": True}, "lone": {"measured_by": "harness 1"}}
    values = {"m": right, "n": wrong, "s": wrong, "t": right, "lone": wrong}
    runs = [load_run(saved_runs(name, {"a": values[name]}, result=result)) for name, result in more.items()]
    tables = {table.title: [[cell.text.split(" [")[0] for cell in row] for row in table.rows] for table in board(runs, make).leaderboard}
    assert tables == {
        "Leaderboard": [["1", "m", "1.000"], ["2", "n", "0.000"]],
        "Benchmarks, score and rank": [["a (benchmark)", "acc", "1.000 #1", "0.000 #2"]],
        "Leaderboard (scores of harness 1, whose prompts and rows were not compared)": [["–", "lone", "0.000"]],
        "Leaderboard (sample rows, not the benchmark)": [["1", "t", "1.000"], ["2", "s", "0.000"]],
        "Benchmarks, score and rank (sample rows, not the benchmark)": [["a (samples)", "acc", "1.000 #1", "0.000 #2"]],
    }


def test_languages_are_averaged_over_benchmarks_that_have_them(saved_runs: Any, make: SimpleNamespace) -> None:
    languages = ["hi", "ta"] * 10
    hi_only = {"a": [1.0, 0.0] * 10, "b": [0.0, 1.0] * 10}
    runs = [load_run(saved_runs(name, tasks, languages=languages)) for name, tasks in (("x", hi_only), ("y", {"a": [1.0, 1.0] * 10}))]
    assert rows(board(runs, make), 2) == [["hi", "2", "1 of 2 measured", "0.500"], ["ta", "2", "1 of 2 measured", "0.500"]]


def test_other_versions_never_share_a_column(saved_runs: Any, make: SimpleNamespace) -> None:
    runs = [load_run(saved_runs(f"v{v}", {"a": [1.0, 0.0] * 20}, result={"version": v})) for v in (1, 2)]
    report = board(runs, make)
    assert [row[0] for row in rows(report, 1)] == ["a (v1)", "a (v2)"]
    assert {row[2] for row in rows(report)} == {"1 of 2 measured"}
    assert "task version 2, not 1" in dict(report.leaderboard[1].footnotes)["a"]


def test_without_samples_ranks_are_unpaired_and_say_so(saved_runs: Any, make: SimpleNamespace) -> None:
    folders = [saved_runs(name, {"a": values}) for name, values in (("x", [1.0] * 90 + [0.0] * 10), ("y", [1.0] * 50 + [0.0] * 50))]
    (folders[0] / "samples.jsonl").unlink()
    report = board([load_run(folder) for folder in folders], make)
    assert [row[:2] for row in rows(report)] == [["1", "x"], ["2", "y"]]
    assert "without pairing" in report.leaderboard[1].footnotes[0][1]


def test_every_kind_of_score_is_tested_as_it_is_made(saved_runs: Any) -> None:
    rng = np.random.default_rng(9)
    clusters = [f"p{i // 5}" for i in range(200)]
    graded = [load_run(saved_runs(f"g{k}", {"a": (rng.beta(2 + k, 2, 200)).tolist()}, clusters=clusters)) for k in (0, 2)]
    found = rank_task({i: r.result.tasks["a"] for i, r in enumerate(graded)}, {i: r.columns["a"] for i, r in enumerate(graded)})
    difference = found.differences[0, 1]
    values = (graded[0].columns["a"].metrics["acc"].values - graded[1].columns["a"].metrics["acc"].values).tolist()
    assert difference.stderr == pytest.approx(stats.clustered_stderr(values, clusters)) and dict(found.ranks) == {0: 2, 1: 1}
    wanted = rng.integers(5, 30, 100)
    corpora = []
    for name, share in (("c0", 0.7), ("c1", 0.5)):
        right = rng.binomial(wanted, share)
        table = np.stack([right, right, wanted, 0 * wanted, 0 * wanted + 1], axis=1).astype(float)
        more = {"stats": table.tolist(), "summary": {"corpus": "entity_recall", "value": float(right.sum() / wanted.sum())}}
        corpora.append(load_run(saved_runs(name, {"a": (right / wanted).tolist()}, **more)))
    found = rank_task({i: r.result.tasks["a"] for i, r in enumerate(corpora)}, {i: r.columns["a"] for i, r in enumerate(corpora)})
    assert dict(found.ranks) == {0: 1, 1: 2} and found.differences[0, 1].paired


def test_ranks_count_the_models_that_are_surely_better() -> None:
    differences = {
        (0, 1): Difference(0.1, 0.01, 1e-9, True),
        (0, 2): Difference(0.05, 0.02, 0.04, True),
        (1, 2): Difference(-0.05, 0.02, 0.03, True),
    }
    assert ranks([0, 1, 2], differences) == {0: 1, 1: 2, 2: 1}  # after Holm only 0 before 1 is sure


def test_one_run_and_none_have_no_board(saved_runs: Any, make: SimpleNamespace) -> None:
    run = load_run(saved_runs("x", {"a": [1.0, 0.0]}))
    assert board([run], make).leaderboard == () and board([], make).leaderboard == ()


def test_a_mean_has_the_interval_of_independent_benchmarks(saved_runs: Any, make: SimpleNamespace) -> None:
    values = {"a": [1.0, 0.0] * 50, "b": [1.0, 0.0, 0.0, 0.0] * 25}
    runs = [load_run(saved_runs(name, values)) for name in ("x", "y")]
    a, b = (runs[0].result.tasks[name].score.stderr or 0.0 for name in "ab")
    half = 1.959964 * np.hypot(a, b) / 2
    [cell, _] = [row[2].text for row in board(runs, make).leaderboard[0].rows]
    assert cell == f"0.375 [{0.375 - half:.3f}, {0.375 + half:.3f}]"


def test_where_nobody_has_everything_ranks_are_of_what_all_have(saved_runs: Any, make: SimpleNamespace) -> None:
    rng = np.random.default_rng(5)
    good, bad = right(rng, 400, 0.8), right(rng, 400, 0.3)
    runs = [load_run(saved_runs("x", {"a": bad, "b": good})), load_run(saved_runs("y", {"a": good, "c": good}))]
    found = rows(board(runs, make))
    assert [row[:3] for row in found] == [["1", "y", "2 of 3 measured"], ["2", "x", "2 of 3 measured"]]
