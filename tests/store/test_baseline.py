"""A baseline file is the run that it was, as far as scores and paired tests go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.invented import Made, answers, run_of
from evalkit.compare import compare
from evalkit.errors import ConfigError, DataError
from evalkit.gate import decide
from evalkit.store import load_run
from evalkit.store.baseline import read_baseline, write_baseline


def counts(rng: np.random.Generator, n: int) -> np.ndarray:
    """chrF++'s statistics as sentences of very different lengths have them."""
    length = np.maximum(8, rng.gamma(4.0, 20.0, n)).round()
    written = np.maximum(8, length * rng.normal(1, 0.1, n)).round()
    columns = []
    for order in range(8):
        scale, lost = (1, order) if order < 6 else (6, order - 6)
        have, want = (np.maximum(0, (x / scale).round() - lost) for x in (written, length))
        columns += [have, want, rng.binomial(np.minimum(have, want).astype(int), 0.6 ** (1 + order / 3))]
    return np.stack(columns, axis=1).astype(float)


def test_numbers_come_back_to_the_last_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = counts(rng, 300)
    clusters = [f"p{i // 3}" for i in range(300)]
    values = np.where(rng.random(300) < 0.1, np.nan, answers(rng, 300, 0.5))
    run = run_of(
        "base",
        {
            "right": Made(answers(rng, 300, 0.6), clusters=clusters),
            "graded": Made(rng.random(300)),
            "gaps": Made(values),
            "chrf": Made(rng.random(300), stats=table, corpus="chrf", languages=["hi", "ta", "bn"] * 100),
        },
    )
    write_baseline(run, tmp_path / "a.baseline")
    back = read_baseline(tmp_path / "a.baseline")
    for task, ours in run.columns.items():
        theirs = back.columns[task]
        assert theirs.docs == ours.docs and theirs.languages == ours.languages
        assert np.array_equal(theirs.metrics["acc"].values, ours.metrics["acc"].values, equal_nan=True)
    assert np.array_equal(back.columns["chrf"].metrics["acc"].stats, table)  # type: ignore[arg-type]
    assert len(set(back.columns["right"].clusters)) == 100
    assert back.result.tasks["graded"].score == run.result.tasks["graded"].score


@pytest.mark.parametrize("kind", ["right", "graded", "chrf"])
def test_ten_thousand_documents_take_less_than_200_kib(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    n = 10_000
    made = Made(answers(rng, n, 0.5), clusters=[f"scene {rng.integers(9000)}" for _ in range(n)])
    if kind == "graded":
        made = Made(rng.integers(0, 20, n) / rng.integers(20, 40, n))
    if kind == "chrf":
        made = Made(rng.random(n).round(2), stats=counts(rng, n), corpus="chrf", languages=[f"l{i % 12}" for i in range(n)])
    run = run_of("base", {"t": made})
    columns = run.columns["t"]
    columns.asked[:] = rng.integers(0, 2**32, n)  # hashes do not get smaller
    assert write_baseline(run, tmp_path / "b") < 200 * 1024


def test_a_baseline_is_taken_wherever_a_run_is(saved_runs: Any, evalkit: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    values = answers(rng, 800, 0.6).tolist()
    worse = [0.0 if i % 7 == 0 else v for i, v in enumerate(values)]
    base, candidate = saved_runs("base", {"t": values, "u": values}), saved_runs("candidate", {"t": worse, "u": values})
    said = evalkit("export", str(base), "to=baseline", "out=main.baseline")
    assert said.code == 0 and "main.baseline" in said.err
    assert "out=main.baseline" in evalkit("export", str(base), "to=baseline").error
    for command, code in (("compare", 10), ("gate", 10)):
        folders, file = (evalkit(command, str(first), str(candidate)) for first in (base, "main.baseline"))
        assert folders.code == file.code == code
        table = [[line for line in said.out.splitlines() if line.startswith(("t ", "u "))] for said in (folders, file)]
        assert table[0] == table[1] and table[0]
    assert evalkit("compare", "main.baseline", str(base)).code == 0
    report = evalkit("report", "main.baseline", str(candidate))
    assert report.code == 0 and "0.6" in report.out
    assert compare(load_run(Path("main.baseline")), load_run(base)).exit_code == 0
    swapped = evalkit("gate", str(candidate), "main.baseline")
    assert swapped.code == 2 and "the order is BASE CANDIDATE" in swapped.error


def test_other_prompts_are_noticed_through_a_baseline(saved_runs: Any, tmp_path: Path) -> None:
    values = {"t": [1.0, 0.0] * 50}
    write_baseline(load_run(saved_runs("base", values)), tmp_path / "b")
    other = load_run(saved_runs("candidate", values, prompt="!"))
    assert "the prompts differ on 100 of 100" in compare(read_baseline(tmp_path / "b"), other).tasks[0].reason
    assert decide(read_baseline(tmp_path / "b"), other).outcome == "cannot compare"


def test_what_is_no_baseline_is_said(tmp_path: Path, saved_runs: Any) -> None:
    (tmp_path / "x").write_text("hello")
    with pytest.raises(ConfigError, match="is no run: give a run's folder, or a file of evalkit export"):
        load_run(tmp_path / "x")
    write_baseline(load_run(saved_runs("base", {"t": [1.0, 0.0]})), tmp_path / "b")
    whole = (tmp_path / "b").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is damaged"):
        load_run(tmp_path / "cut")
    (tmp_path / "newer").write_bytes(b"evalkit baseline 9\n")
    with pytest.raises(ConfigError, match="another version"):
        load_run(tmp_path / "newer")
