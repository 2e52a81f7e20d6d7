"""Classes of a user's own are looked at when a run starts: what they lack is one line, and no model is asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HEAD = """
from dataclasses import dataclass
from evalkit.metrics.base import Metric, mean_summary, sample
from evalkit.prompts.base import PromptFormatter

class Whole:
    name, higher_is_better = "whole", True
    def score(self, doc, responses):
        return sample(doc, responses, 1.0 if responses else None)
    def summarize(self, scores):
        return mean_summary(self.name, scores, [])
"""
RUN = ["run", "task=hellaswag", "model=fake", "data=samples", "run_dir=run"]
METRICS = {
    "no score": ("class Mine:\n    name, higher_is_better, summarize = 'm', True, Whole.summarize", "Mine has no score(doc, responses)"),
    "score is no method": ("class Mine(Whole):\n    score = 3", "Mine has no score(doc, responses)"),
    "only the protocol's score": (
        "class Mine(Metric):\n    name, higher_is_better = 'm', True\n    summarize = Whole.summarize",
        "Mine has no score(doc, responses)",
    ),
    "no summarize": ("class Mine(Whole):\n    summarize = None", "Mine has no summarize(scores)"),
    "too few arguments": ("class Mine(Whole):\n    def score(self, doc): ...", "Mine.score cannot be called as score(doc, responses)"),
    "too many arguments": ("class Mine(Whole):\n    def score(self, doc, responses, more): ...", "missing a required argument: 'more'"),
    "no name": ("class Mine(Whole):\n    name = None", "Mine has name=None"),
    "no direction": ("class Mine(Whole):\n    higher_is_better = 'yes'", "Mine has higher_is_better='yes'"),
    "a number": ("class Mine(Whole):\n    def score(self, doc, responses): return 0.5", "score() gives float 0.5"),
    "none": ("class Mine(Whole):\n    def score(self, doc, responses): ...", "score() gives NoneType None"),
    "no answer is wrong": (
        "class Mine(Whole):\n    def score(self, doc, responses): return sample(doc, responses, 0.0)",
        "score() gives 0.0 to a document without an answer, which is not measured",
    ),
    "no answer is a fault": (
        "class Mine(Whole):\n    def score(self, doc, responses): return responses[0]",
        "score() fails on a document without an answer (IndexError: tuple index out of range)",
    ),
}
PROMPTS = {
    "no render": ("class Mine:\n    pass", "tasks.hellaswag.prompt: Mine has no render(task, doc, shots, chat)"),
    "only the protocol's render": ("class Mine(PromptFormatter):\n    pass", "Mine has no render(task, doc, shots, chat)"),
    "too few arguments": ("class Mine:\n    def render(self, doc): ...", "Mine.render cannot be called as render(task, doc, shots, chat)"),
    "a text": ("class Mine:\n    def render(self, task, doc, shots, chat): return 'x'", "Mine.render gives str 'x'"),
}


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Writes a module and returns its name."""

    def write(text: str) -> str:
        (tmp_path / "checked_parts.py").write_text(HEAD + "\n" + text + "\n", encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        return "checked_parts"

    sys.modules.pop("checked_parts", None)
    yield write
    sys.modules.pop("checked_parts", None)


@pytest.mark.parametrize("case", METRICS)
def test_a_metric_that_lacks_something(evalkit: Callable[..., Any], module: Callable[[str], str], tmp_path: Path, case: str) -> None:
    text, says = METRICS[case]
    said = evalkit(*RUN, f"tasks.hellaswag.metrics=[{{_target_: {module(text)}.Mine}}]", "tasks.hellaswag.headline=whole")
    assert said.code == 2 and says in said.error and not (tmp_path / "run").exists()


@pytest.mark.parametrize("case", PROMPTS)
def test_a_prompt_that_lacks_something(evalkit: Callable[..., Any], module: Callable[[str], str], tmp_path: Path, case: str) -> None:
    text, says = PROMPTS[case]
    said = evalkit(*RUN, "~tasks.hellaswag.prompt", f"+tasks.hellaswag.prompt={{_target_: {module(text)}.Mine}}")
    assert said.code == 2 and says in said.error and not (tmp_path / "run").exists()


def test_a_whole_metric_is_taken(evalkit: Callable[..., Any], module: Callable[[str], str]) -> None:
    said = evalkit(*RUN, f"tasks.hellaswag.metrics=[{{_target_: {module('')}.Whole}}]", "tasks.hellaswag.headline=whole")
    assert said.code == 0, said.err


def test_no_metric_at_all(evalkit: Callable[..., Any]) -> None:
    assert "hellaswag has no metric" in evalkit(*RUN, "tasks.hellaswag.metrics=[]").error


def test_a_metric_without_its_class(evalkit: Callable[..., Any]) -> None:
    said = evalkit(*RUN, "tasks.hellaswag.metrics=[{name: acc}]")
    assert "tasks.hellaswag.metrics[0] is no Metric: {'name': 'acc'}; name its class with _target_" in said.error


def test_a_score_that_is_none_once_the_answers_are_there(evalkit: Callable[..., Any], module: Callable[[str], str], tmp_path: Path) -> None:
    name = module("class Mine(Whole):\n    def score(self, doc, responses): return 1.0 if responses else sample(doc, responses, None)")
    said = evalkit(*RUN, f"tasks.hellaswag.metrics=[{{_target_: {name}.Mine}}]", "tasks.hellaswag.headline=whole")
    assert said.code == 2 and "metric whole (Mine): score() gives float 1.0 for document" in said.error
    assert "answers are saved" in said.error
    assert len((tmp_path / "run/journal.jsonl").read_text().splitlines()) == 12
