"""Tasks that ask about the same rows are no independent evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.invented import Made, answers, changed, run_of
from benchmarks.shared_documents import rates, twins
from evalkit import stats
from evalkit.compare import Comparison, compare
from evalkit.compare.shared import units_of
from evalkit.report import build
from evalkit.stats.shared import Terms, correlations, mean_of_scores
from evalkit.store import SavedRun, load_run


def overall(base: dict[str, Made], candidate: dict[str, Made]) -> Any:
    return compare(run_of("base", base), run_of("candidate", candidate)).overall


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_the_mean_cries_wolf_no_more_often_than_it_says(share: float) -> None:
    """300 comparisons without a change. Without the correction 34% at full sharing; benchmarks/shared_documents.py has more."""
    mean, false = rates(np.random.default_rng(7), 300, 100, share)
    assert mean <= 0.09 and false <= 0.08  # 5% and three standard errors


def test_ten_twins_are_as_uncertain_as_one_task() -> None:
    rng = np.random.default_rng(1)
    values = answers(rng, 300, 0.6)
    moved = changed(rng, values, 0.1, 0.15)
    one = compare(run_of("a", {"t": Made(values)}), run_of("b", {"t": Made(moved)})).tasks[0]
    ten = overall({f"t{i}": Made(values, rows="same") for i in range(10)}, {f"t{i}": Made(moved, rows="same") for i in range(10)})
    assert ten.stderr == pytest.approx(one.stderr) and ten.difference == pytest.approx(one.difference)
    assert "documents that tasks share as one" in ten.test
    apart = overall({f"t{i}": Made(values) for i in range(10)}, {f"t{i}": Made(moved) for i in range(10)})
    assert apart.stderr == pytest.approx((one.stderr or 0) / np.sqrt(10)) and "share" not in apart.test


def test_twins_that_never_differ_are_not_called_certain_twice() -> None:
    values = np.array([1.0, 0.0] * 50)
    found = overall({f"t{i}": Made(values, rows="same") for i in range(4)}, {f"t{i}": Made(values, rows="same") for i in range(4)})
    one = compare(run_of("a", {"t": Made(values)}), run_of("b", {"t": Made(values)})).tasks[0]
    assert found.stderr == pytest.approx(one.stderr) and found.p == 1.0


def test_corpus_scores_share_documents_too() -> None:
    """The same sentences scored twice: the mean's interval is that of one; a bootstrap over both together says the same."""
    rng = np.random.default_rng(3)
    wanted = rng.integers(5, 30, 200)
    made = []
    for share in (0.6, 0.55):
        right = rng.binomial(wanted, share)
        made.append(np.stack([right, right, wanted, 0 * wanted, 0 * wanted + 1], axis=1).astype(float))
    tasks = [{f"t{i}": Made(t[:, 0] / t[:, 2], rows="same", stats=t, corpus="entity_recall") for i in range(3)} for t in made]
    found = compare(run_of("a", tasks[0]), run_of("b", tasks[1]))
    assert found.overall is not None and found.overall.stderr == pytest.approx(found.tasks[0].stderr)


def test_the_jackknife_s_terms_give_the_usual_standard_errors() -> None:
    rng = np.random.default_rng(4)
    values = rng.random(50)
    mean = stats.Corpora.of(np.stack([values, np.ones(50)], axis=1), "")
    assert mean.influence() == pytest.approx((values - values.mean()) / 50)
    wanted = rng.integers(5, 30, 400)
    right = rng.binomial(wanted, 0.7)
    table = np.stack([right, right, wanted, 0 * wanted, 0 * wanted + 1], axis=1).astype(float)
    corpus = stats.Corpora.of(table, "entity_recall")
    spread = stats.paired.bootstrap_scores([corpus], 2000, 1)[0].std()
    assert float(np.sqrt(np.square(corpus.influence()).sum())) == pytest.approx(spread, rel=0.06)


def test_correlations_by_hand() -> None:
    a = Terms(np.array([0, 1, 2, 3]), np.array([1.0, -1.0, 1.0, -1.0]))
    b = Terms(np.array([0, 1, 4, 5]), np.array([1.0, -1.0, 1.0, -1.0]))
    still = Terms(np.array([0, 1, 2, 3]), np.zeros(4))
    assert correlations([a, b, still]) == pytest.approx(np.array([[1, 0.5, 1], [0.5, 1, 0.5], [1, 0.5, 1]]))
    assert mean_of_scores([0.2, 0.4], [0.1, 0.1], [a, b]).stderr == pytest.approx(np.sqrt(0.01 + 0.01 + 0.01) / 2)


def with_data(folder: Path, tasks: dict[str, dict[str, Any]]) -> SavedRun:
    """The run as if it had been configured so."""
    config = json.loads((folder / "config.json").read_text()) | {"tasks": {name: {"data": data} for name, data in tasks.items()}}
    (folder / "config.json").write_text(json.dumps(config))
    return load_run(folder)


def links(run: SavedRun) -> int:
    """How many numbers tasks a and b have in common."""
    units = units_of({name: (run, name) for name in run.result.tasks})
    a, b = (set(units.of(name, run.columns[name].docs).tolist()) for name in "ab")
    return len(a & b)


HELLASWAG = {"path": "Rowan/hellaswag", "split": "validation"}
SAME = [
    ({"a": HELLASWAG, "b": HELLASWAG}, 20),
    ({"a": HELLASWAG, "b": {**HELLASWAG, "split": "train"}}, 0),
    ({"a": {"path": "allenai/ai2_arc", "name": "ARC-Easy", "split": "test"}, "b": {"path": "allenai/ai2_arc", "name": "ARC-Challenge"}}, 0),
    ({"a": HELLASWAG, "b": {"path": "cais/mmlu", "split": "validation"}}, 0),
    ({}, 0),
]


@pytest.mark.parametrize(("data", "shared"), SAME)
def test_a_row_is_known_by_its_data_set(saved_runs: Any, data: dict[str, dict[str, Any]], shared: int) -> None:
    folder = saved_runs("run", {"a": [1.0, 0.0] * 10, "b": [0.0, 1.0] * 10})
    assert links(with_data(folder, data)) == shared


def test_rows_are_known_by_their_hash_where_no_configuration_says(saved_runs: Any) -> None:
    folder = saved_runs("run", {"a": [1.0, 0.0] * 10, "b": [0.0, 1.0] * 10}, result={"source": "somewhere"})
    assert links(load_run(folder)) == 20


def test_directions_of_a_translation_are_known_by_their_passage(saved_runs: Any) -> None:
    """Other files, in another order; the cluster says which sentence it is. One cluster for everything says nothing."""
    data = {"path": "google/IndicGenBench_flores_in", "split": "test"}
    tasks = {"a": {**data, "files": {"test": "en_xx.json"}}, "b": {**data, "files": {"test": "xx_en.json"}}}
    values = {"a": [1.0, 0.0] * 10, "b": [0.0, 1.0] * 10}
    assert links(with_data(saved_runs("run", values, clusters=[f"s{i}" for i in range(20)]), tasks)) == 20
    assert links(with_data(saved_runs("pairs", values, clusters=[f"s{i // 2}" for i in range(20)]), tasks)) == 10
    assert links(with_data(saved_runs("one", values, clusters=["s"] * 20), tasks)) == 0


def test_a_leaderboard_s_means_know_it_too(saved_runs: Any) -> None:
    rng = np.random.default_rng(5)
    values = (rng.random(200) < 0.5).astype(float).tolist()
    better = [1.0 if rng.random() < 0.06 else v for v in values]
    more = {"result": {"source": "rows"}}
    tables = {}
    for shared in (True, False):
        tasks = [{f"t{i}": v for i in range(9)} for v in (values, better)]
        runs = [load_run(saved_runs(f"{name}{shared}", t, **(more if shared else {}))) for name, t in zip("xy", tasks, strict=True)]
        tables[shared] = build([run.result for run in runs], (), runs).leaderboard[0]
    width = {}
    for shared, table in tables.items():
        low, high = (float(part) for part in table.rows[0][2].text.split("[")[1].rstrip("]").split(", "))
        width[shared] = high - low
    assert width[True] == pytest.approx(3 * width[False], rel=0.02)  # nine twins are one benchmark, not nine


def test_two_documents_are_no_trouble() -> None:
    rng = np.random.default_rng(6)
    base, candidate = twins(rng, 2, 1.0)
    found: Comparison = compare(run_of("a", base), run_of("b", candidate))
    assert found.overall is not None and found.overall.verdict == "no difference seen"
