"""Tasks whose rows are out of reach: all are named at once, and the rest is measured where that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RUN = ["run", "task=[mmlu,hellaswag,gsm8k,arc_easy]", "model=fake", "data=local", "data.root=rows", "run_dir=run"]
SKIP = [*RUN, "missing=skip"]


@pytest.fixture
def rows(evalkit: Callable[..., Any]) -> None:
    """Of two of the four tasks."""
    assert evalkit("data", "pull", "task=[mmlu,gsm8k]", "data=samples", "data.root=rows").code == 0


def test_all_are_named(evalkit: Callable[..., Any], rows: None, tmp_path: Path) -> None:
    said = evalkit(*RUN)
    assert said.code == 3 and "2 of 4 tasks have no rows here: hellaswag, arc_easy; the first: task hellaswag: no file" in said.error
    assert said.error.endswith("missing=skip measures the other 2 tasks") and not (tmp_path / "run").exists()


def test_one_says_why(evalkit: Callable[..., Any], rows: None) -> None:
    error = evalkit(*RUN, "task=[mmlu,hellaswag]").error
    assert error.startswith("error: task hellaswag: no file") and error.endswith("missing=skip measures the other task")
    alone = evalkit(*RUN, "task=hellaswag", "missing=skip")
    assert alone.code == 3 and "missing=skip" not in alone.error
    none = evalkit(*RUN, "task=[hellaswag,arc_easy]", "missing=skip")
    assert none.code == 3 and "2 of 2 tasks have no rows here: hellaswag, arc_easy" in none.error and "missing=skip" not in none.error


def test_the_rest_is_measured_and_the_table_says_which_have_none(evalkit: Callable[..., Any], rows: None, tmp_path: Path) -> None:
    said = evalkit(*SKIP)
    assert said.code == 0, said.err
    table = (tmp_path / "run/report.md").read_text()
    assert table.count("not measured") >= 2 and "no rows: no file" in table and "of 0 documents" not in table
    tasks = json.loads((tmp_path / "run/scores.json").read_text())["tasks"]
    assert list(tasks) == ["mmlu", "gsm8k", "hellaswag", "arc_easy"] and tasks["mmlu"]["n_docs"] == 12 and tasks["hellaswag"]["n_docs"] == 0


def test_every_later_command_takes_such_a_run(evalkit: Callable[..., Any], rows: None, tmp_path: Path) -> None:
    evalkit(*SKIP)
    scores = (tmp_path / "run/scores.json").read_bytes()
    assert evalkit("score", "run").code == 0 and (tmp_path / "run/scores.json").read_bytes() == scores
    assert evalkit("report", "run").code == 0 and (tmp_path / "run/report.html").is_file()
    assert evalkit("compare", "run", "run").code in (0, 11)
    (tmp_path / "run/scores.json").unlink()
    assert evalkit("report", "run", "out=elsewhere").code == 0


def test_rows_that_come_later_are_measured_then(evalkit: Callable[..., Any], rows: None, tmp_path: Path) -> None:
    evalkit(*SKIP)
    evalkit("data", "pull", "task=hellaswag", "data=samples", "data.root=rows")
    said = evalkit(*SKIP)
    assert said.code == 0, said.err
    tasks = json.loads((tmp_path / "run/scores.json").read_text())["tasks"]
    assert {name: task["n_docs"] for name, task in tasks.items()} == {"mmlu": 12, "hellaswag": 12, "gsm8k": 12, "arc_easy": 0}


def test_rows_that_are_there_and_wrong_are_not_skipped(evalkit: Callable[..., Any], rows: None, tmp_path: Path) -> None:
    (tmp_path / "rows/gsm8k/test.jsonl").write_text("{oops\n")
    assert evalkit(*SKIP).code == 3 and "test.jsonl:1" in evalkit(*SKIP).error


def test_other_words_are_not_taken(evalkit: Callable[..., Any]) -> None:
    assert "missing=ignore does not fit; use refuse, or skip" in evalkit(*RUN, "missing=ignore").error
