"""`evalkit report` on no run, one, several, an unfinished one, other versions, a damaged one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit import cli
from evalkit.commands import report as command


@pytest.fixture(autouse=True)
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and the page have their own tests, and take seconds."""
    monkeypatch.setattr(command, "draw_page", lambda *_, **__: None)


def report(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = cli.main(["report", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_no_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, error = report(capsys)
    assert code == 2 and error.startswith("error: evalkit report needs at least one run directory")
    code, _, error = report(capsys, tmp_path)
    assert code == 2 and "is not a run directory" in error


def test_one_run_is_written_beside_its_scores(saved_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved_runs("x", {"hellaswag": [1.0, 0.0]}, column="Krutrim-2-12B", metric="acc_norm")
    code, out, _ = report(capsys, folder)
    assert code == 0 and "Leaderboard" not in out and "Krutrim-2-12B is among the top 3 on" in out
    assert {"report.md", "report.csv", "report.tex", "report.json"} <= {path.name for path in folder.iterdir()}


def test_many_runs_have_a_leaderboard(saved_runs: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folders = [saved_runs(f"m{i}", {"hellaswag": [1.0] * (10 + i * 20) + [0.0] * (90 - i * 20)}) for i in range(4)]
    code, out, _ = report(capsys, *folders, f"out={tmp_path / 'out'}")
    assert code == 0 and "Leaderboard" in out and "Rank: 1 + the models" in out
    assert "## Leaderboard" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_other_versions_are_refused_one_row(saved_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [saved_runs(f"v{v}", {"hellaswag": [1.0, 0.0]}, result={"version": v}) for v in (1, 2)]
    code, out, _ = report(capsys, *folders)
    assert code == 0 and "Hellaswag (v1)" in out and "Hellaswag (v2)" in out
    assert "not in one row with v1: task version 2, not 1" in " ".join(out.split())


def test_an_unfinished_run_says_what_is_missing(saved_runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = saved_runs("x", {"hellaswag": [1.0, 0.0, None]}, complete=False)
    code, out, _ = report(capsys, folder)
    assert code == 0 and "unfinished run" in out and "Measured so far: hellaswag 2 of 3" in " ".join(out.split())


@pytest.mark.parametrize("name", ["scores.json", "config.json", "samples.jsonl"])
def test_a_damaged_run_is_one_line(saved_runs: Any, capsys: pytest.CaptureFixture[str], name: str) -> None:
    whole, broken = saved_runs("whole", {"hellaswag": [1.0, 0.0]}), saved_runs("broken", {"hellaswag": [1.0, 0.0]})
    (broken / name).write_text("{nope\n")
    code, _, error = report(capsys, whole, broken)
    assert code == 3 and error.startswith("error: ") and name in error and error.count("\n") == 1
