"""Runs of one model on different tasks are one column; where two measured a task, nothing is chosen in silence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evalkit.store import MergedRun, load_run, merge


def named(folder: Path, **model: Any) -> Path:
    """The same model under every run: what its configuration says of it."""
    config = json.loads((folder / "config.json").read_text())
    config["model"] = {"name": "m", "path": "checkpoint", **model}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def split(saved_runs: Any) -> list[Path]:
    return [
        named(saved_runs("a", {"hellaswag": [1.0, 0.0]}, model="m")),
        named(saved_runs("b", {"gsm8k": [1.0, 1.0], "mine": [0.0]}, model="m"), device="cuda"),
    ]


def test_a_suite_split_over_jobs_is_one_column(split: list[Path], evalkit: Any) -> None:
    (one,) = merge([load_run(folder) for folder in split]).runs
    assert isinstance(one, MergedRun) and list(one.result.tasks) == ["hellaswag", "gsm8k", "mine"]
    assert [one.sample_at(one.columns[task].offsets[0])["task"] for task in one.columns] == ["hellaswag", "gsm8k", "mine"]
    assert [sample["doc"] for sample in one.samples("gsm8k")] == ["test/0", "test/1"]
    said = evalkit("report", *map(str, split), "card=null")
    table = said.out.split("Measured scores")[1].split("\n\n")[0]
    assert said.code == 0 and "Leaderboard" not in said.out and "not run" not in table and table.count(" m\n") <= 1
    assert all(task in table for task in ("hellaswag", "gsm8k", "mine"))


def test_a_task_measured_twice_is_named_and_not_chosen(split: list[Path], saved_runs: Any, evalkit: Any) -> None:
    again = named(saved_runs("c", {"hellaswag": [1.0, 1.0]}, model="m"))
    os.utime(split[0] / "scores.json", (1, 1))
    runs = [load_run(folder) for folder in (*split, again)]
    apart = merge(runs)
    assert len(apart.runs) == 3 and len(apart.warnings) == 1
    assert all(word in apart.warnings[0] for word in ("hellaswag", str(split[0]), str(again), "newest=true"))
    newest = merge(runs, newest=True)
    (one,) = newest.runs
    assert one.result.tasks["hellaswag"].score.value == 1.0 and f"from {again}" in newest.warnings[0]
    said = evalkit("report", *(str(run.path) for run in runs), "newest=true")
    assert said.code == 0 and "the newer" in " ".join((said.out + said.err).split())


def test_a_task_without_rows_is_taken_from_the_run_that_had_them(split: list[Path], saved_runs: Any) -> None:
    nothing = named(saved_runs("c", {"hellaswag": [], "late": []}, model="m"))
    for folders in ([nothing, *split], [*split, nothing]):
        found = merge([load_run(folder) for folder in folders])
        (one,) = found.runs
        assert not found.warnings and one.result.tasks["hellaswag"].n_docs == 2 and one.result.tasks["late"].n_docs == 0


@pytest.mark.parametrize("other", [{"name": "m", "path": "elsewhere"}, {"dtype": "bfloat16"}])
def test_other_models_stay_apart(saved_runs: Any, other: dict[str, Any]) -> None:
    first = named(saved_runs("a", {"hellaswag": [1.0, 0.0]}, model="m"))
    second = named(saved_runs("b", {"gsm8k": [1.0]}, model="m"), **other)
    assert len(merge([load_run(first), load_run(second)]).runs) == 2


def test_a_wrong_word_is_one_line(split: list[Path], evalkit: Any) -> None:
    assert "newest=maybe is neither true nor false" in evalkit("report", str(split[0]), "newest=maybe").error
    assert "did you mean krutrim2" in evalkit("report", str(split[0]), "card=krutrim3").error
