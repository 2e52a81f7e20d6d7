"""Differences of scores that people gave know that raters repeat: leaderboard, compare, gate, and files between them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.invented import Made, run_of
from benchmarks.rating import Room, two_runs
from evalkit import stats
from evalkit.compare import compare
from evalkit.compare.pairs import pairs
from evalkit.compare.ranking import Ranked, rank_means, rank_task
from evalkit.compare.rated import TEST, rated_difference
from evalkit.compare.shared import units_of
from evalkit.gate import Policy, decide
from evalkit.gate.plan import plan
from evalkit.rating.means import difference
from evalkit.store import Ratings, SavedRun, load_run
from evalkit.store.baseline import read_baseline, write_baseline

ROOM = Room(6, 12, 3, 3, 0.6)


@pytest.fixture
def runs() -> list[SavedRun]:
    return two_runs(ROOM, 0.3, True, np.random.default_rng(3))


def rows(run: SavedRun, task: str) -> list[tuple[str, str, float]]:
    given = run.columns[task].metrics["acc"].ratings
    assert given is not None
    docs = run.columns[task].docs
    return [(docs[d], given.names[r], float(v)) for d, r, v in zip(given.docs, given.raters, given.values, strict=True)]


def test_the_difference_is_that_of_the_rating_report(runs: list[SavedRun]) -> None:
    base, candidate = (rows(run, "c0") for run in runs)
    docs, raters = [doc for doc, _, _ in base], [rater for _, rater, _ in base]
    told = difference([value for *_, value in candidate], [value for *_, value in base], docs, raters)
    row = compare(runs[0], runs[1]).tasks[0]
    assert row.test == TEST
    assert (row.difference, row.stderr, row.p) == pytest.approx((told.value, told.stderr, told.p))
    assert row.ci == pytest.approx(told.ci)


def test_the_mean_over_tasks_is_one_over_all_their_ratings(runs: list[SavedRun]) -> None:
    """Three tasks of twelve prompts, rated by the same six: as if all 36 prompts were one task with three strata."""
    overall = compare(runs[0], runs[1]).overall
    base, candidate = ([one for task in runs[0].columns for one in rows(run, task)] for run in runs)
    tasks = [task for task in runs[0].columns for _ in rows(runs[0], task)]
    told = difference(
        [value for *_, value in candidate], [value for *_, value in base], [d for d, *_ in base], [r for _, r, _ in base], tasks
    )
    assert overall is not None and overall.test == TEST
    assert (overall.difference, overall.stderr, overall.p) == pytest.approx((told.value, told.stderr, told.p))


def test_raters_who_lean_make_it_wider_than_prompts_say(runs: list[SavedRun]) -> None:
    blind = two_runs(ROOM, 0.3, False, np.random.default_rng(3))
    known, alone = compare(runs[0], runs[1]), compare(blind[0], blind[1])
    assert known.overall and alone.overall and known.overall.stderr and alone.overall.stderr
    assert known.overall.difference == pytest.approx(alone.overall.difference)
    assert known.overall.stderr > 1.5 * alone.overall.stderr
    loss, other = decide(runs[0], runs[1]).mean, decide(blind[0], blind[1]).mean
    assert loss and other and loss.interval and other.interval
    assert loss.interval[1] - loss.interval[0] > 1.5 * (other.interval[1] - other.interval[0])
    assert "evalkit rate plan" in loss.reason and loss.needed is None and loss.outcome == "not enough evidence"


def test_false_verdicts_are_rare_where_models_are_alike() -> None:
    """Without raters every third of these says that the mean got better or worse."""
    false = {known: 0 for known in (True, False)}
    for seed in range(30):
        for known in false:
            base, candidate = two_runs(Room(8, 12, 3, 3, 0.8), 0.0, known, np.random.default_rng([7, seed]))
            overall = compare(base, candidate).overall
            false[known] += overall is not None and (overall.p or 0) < 0.05
    assert false[True] <= 4 < 8 <= false[False]


def ranked(runs: list[SavedRun]) -> tuple[dict[Hashable, Ranked], dict[int, int]]:
    """Every task's ranks, and those by the mean."""
    found: dict[Hashable, Ranked] = {
        task: rank_task({i: run.result.tasks[task] for i, run in enumerate(runs)}, {i: run.columns[task] for i, run in enumerate(runs)})
        for task in runs[0].columns
    }
    return found, rank_means([0, 1], found, units_of({task: (runs[0], task) for task in runs[0].columns}))


def test_ranks_use_the_same_test(runs: list[SavedRun]) -> None:
    found, by_mean = ranked(runs)
    row = compare(runs[0], runs[1]).tasks[0]
    gap = found["c0"].differences[0, 1]
    assert (gap.value, gap.stderr, gap.p) == pytest.approx((-(row.difference or 0), row.stderr, row.p))
    assert by_mean == {0: 1, 1: 1}
    assert ranked(two_runs(ROOM, 3.0, True, np.random.default_rng(3)))[1] == {0: 1, 1: 2}


def test_a_rater_who_judged_one_model_alone_counts_there(runs: list[SavedRun]) -> None:
    """The difference stays that of the two printed scores, though a rating is missing on one side."""
    columns = runs[0].columns["c0"]
    metric = columns.metrics["acc"]
    given = metric.ratings
    assert given is not None
    kept = np.arange(len(given.docs)) != 0
    fewer = Ratings(given.docs[kept], given.raters[kept], given.values[kept], given.names)
    values = np.bincount(fewer.docs, weights=fewer.values) / np.bincount(fewer.docs)
    changed = replace(columns, metrics={"acc": replace(metric, values=values, ratings=fewer)})
    summary = replace(runs[0].result.tasks["c0"].score, value=float(values.mean()))
    found = pairs([changed, runs[1].columns["c0"]], summary)
    gap = rated_difference(found)
    assert gap is not None and gap.value == pytest.approx(float(found.values[1].mean() - found.values[0].mean())) and gap.stderr > 0


def test_one_rater_says_nothing_of_others(runs: list[SavedRun]) -> None:
    alone = [only_rater(run) for run in runs]
    found = compare(alone[0], alone[1])
    assert found.exit_code == 11 and {row.reason for row in found.tasks} == {
        "the base cannot be paired: one person rated it, so nothing can be said of other raters; "
        "the candidate cannot be paired: one person rated it, so nothing can be said of other raters"
    }
    row = ranked(alone)[0]["c0"]
    assert dict(row.ranks) == {0: 1, 1: 1} and not row.differences


def only_rater(run: SavedRun) -> SavedRun:
    made = {}
    for task, columns in run.columns.items():
        values = columns.metrics["acc"].values
        at = np.arange(len(values))
        made[task] = Made(values, columns.docs, ratings=Ratings(at, at * 0, values, ("r0",)))
    return run_of(str(run.path), made)


def test_ratings_without_raters_are_not_taken_for_answers(runs: list[SavedRun]) -> None:
    """A run that an older version collected has the interval of `rating`, and no raters in its samples."""
    old = two_runs(ROOM, 0.3, False, np.random.default_rng(3))
    for run in old:
        for task in run.result.tasks.values():
            task.summaries["acc"] = replace(task.score, signature=f"acc|{stats.TWO_WAY_CI}")  # type: ignore[index]
    assert "collected without raters" in compare(old[0], old[1]).tasks[0].reason


def test_a_baseline_keeps_who_rated_what(runs: list[SavedRun], tmp_path: Path) -> None:
    write_baseline(runs[0], tmp_path / "main.baseline")
    again = read_baseline(tmp_path / "main.baseline")
    assert rows(again, "c1") == rows(runs[0], "c1")
    assert load_run(tmp_path / "main.baseline").columns["c1"].metrics["acc"].ratings is not None


def test_a_gate_for_ratings_is_planned_elsewhere(runs: list[SavedRun]) -> None:
    assert "evalkit rate plan" in plan(runs[0], Policy()).tasks[0].reason


def test_one_rating_per_prompt_and_rater_is_the_plain_t_test() -> None:
    """As many raters as prompts: no one repeats, so nothing is clustered."""
    rng = np.random.default_rng(5)
    values = rng.random((2, 20))
    at = np.arange(20)
    names = tuple(f"r{i}" for i in at)
    made = [run_of(str(i), {"t": Made(values[i], ratings=Ratings(at, at, values[i], names))}) for i in range(2)]
    row = compare(made[0], made[1]).tasks[0]
    assert row.stderr == pytest.approx(stats.stderr_of_mean((values[1] - values[0]).tolist()))
