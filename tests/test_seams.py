"""CONTRIBUTING's table, lived: one of each made outside the repository, in as many places as the table says."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

METRIC = '''
from dataclasses import dataclass
from evalkit.metrics.base import mean_summary, sample, usable

@dataclass(frozen=True)
class Length:
    """Characters of the answer, out of a hundred."""

    name: str = "length"
    higher_is_better: bool = False

    def score(self, doc, responses):
        answers = usable(responses)
        return sample(doc, responses, min(len(answers[0].text or ""), 100) / 100 if answers else None)

    def summarize(self, scores):
        return mean_summary(self.name, scores, ["of:100"], higher_is_better=False)
'''
BACK_END = """
from evalkit.models.fake import FakeModel

class Echo(FakeModel):
    def identity(self):
        return {"back_end": "echo"}
"""
TO_DOC = """
from evalkit.types import Doc

def to_doc(row):
    return Doc(id="", fields=dict(row), target=row["answer"])
"""
TASK = """# @package tasks.capital
defaults: [/task/base/generated@_here_, _self_]
description: "Capitals, written"
name: capital
data: {path: nowhere, split: test, to_doc: seam_parts.rows.to_doc, folder: capital, required: [country, answer]}
prompt: {template: "The capital of {country} is", params: {max_new_tokens: 8}}
metrics:
  - {_target_: evalkit.metrics.ExactMatch, name: exact_match, ignore_case: true}
  - {_target_: seam_parts.length.Length}
headline: exact_match
num_fewshot: 0
"""
MODEL = """description: "Says something"
_target_: seam_parts.echo.Echo
name: echo
"""
CARD = """title: Capital card
edition: first
source: nowhere
columns: {Echo: [echo]}
tables: {main: {title: Main, rows: {capital: {label: Capitals, metric: length, shots: 0}}}}
"""
ROWS = '{"country": "France", "answer": "Paris"}\n' * 3
CELLS = "table,row,column,score,note\nmain,capital,Echo,0.05,\n"
PLACES = {
    "task": {"seam_parts/rows.py": TO_DOC, "conf/task/capital.yaml": TASK, "rows/capital/test.jsonl": ROWS},
    "metric": {"seam_parts/length.py": METRIC},
    "back end": {"seam_parts/echo.py": BACK_END, "conf/model/echo.yaml": MODEL},
    "card": {"conf/card/capitals/card.yaml": CARD, "conf/card/capitals/cells.csv": CELLS},
}


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for files in PLACES.values():
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "seam_parts"]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def test_one_of_each_from_outside(outside: Path, evalkit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(outside))
    words = ["--config-dir", "conf", "card=capitals", "model=echo", "data=local", "data.root=rows", "progress=none", "run_dir=run"]
    said = evalkit("run", *words)
    assert said.code == 0, said.err
    assert "Capital card" in said.out and "length" in said.out and "Echo," in said.out


def test_an_output_form_is_one_function(outside: Path, evalkit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.report import Report, build
    from evalkit.store import load_run

    monkeypatch.syspath_prepend(str(outside))
    assert evalkit("run", "--config-dir", "conf", "task=capital", "model=echo", "data=local", "data.root=rows", "run_dir=run").code == 0

    def shouted(report: Report) -> str:
        return "\n".join(" ".join(cell.text for cell in row).upper() for table in report.comparison for row in table.rows)

    assert "CAPITAL" in shouted(build([load_run(outside / "run").result]))


def test_the_places_are_as_many_as_contributing_says() -> None:
    table = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for what, files in PLACES.items():
        folders = {name.rpartition("/")[0] for name in files} if what == "card" else set(files)
        assert f"| {what} | {len(folders)}: " in table, what
