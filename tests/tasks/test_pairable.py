"""`evalkit compare` can speak about every metric of every shipped task: run on the sample rows, then held against itself."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import evalkit
from evalkit.compare import NO_REGRESSION, compare
from evalkit.models.base import WorkItem
from evalkit.models.fake import FakeModel
from evalkit.paths import conf_dir
from evalkit.results import RunResult
from evalkit.store import SavedRun, load_run
from evalkit.types import Response

# Not in this test: their answers are programs, which only a sandbox scores.
SANDBOX = ("humaneval", "humaneval_instruct")
# Not in this test: an encoder's weights score it, and none is shipped. It is a plain mean, as accuracies are.
ENCODER = "bertscore"
TASKS = sorted(file.stem for file in (conf_dir() / "task").glob("*.yaml") if file.stem not in SANDBOX)
ANSWERS = (
    "Answer: 0",
    "Answer: B",
    "यह एक पुराना किला है, जो नदी के किनारे बना है।\n",
    "The answer is 12. It is an old fort near the river, and it opens at sunrise.",
    "NONE",
    "Answer: 1",
)


class Talking(FakeModel):
    """The fake model with text in its answers: numbers alone have no language, entity or word in common with a reference."""

    def _one(self, item: WorkItem) -> Response:
        plain = super()._one(item)
        if plain.text is None:
            return plain
        prompt = bytes(item.prompt_ids).decode()
        said = [*ANSWERS, *re.findall(r"into one of: ([^,.]+)", prompt)[:1]]
        for sentence in re.findall(r"Sentence: ([^\\]+)", prompt)[-1:]:
            said += ["\n".join(f"{kind}: {word}" for word in sentence.split()) for kind in ("PER", "LOC", "ORG")]
        return replace(plain, text=said[int(plain.text) % len(said)])


def measured(tasks: str | list[str], folder: Path, seed: int) -> SavedRun:
    evalkit.evaluate(Talking(seed=seed), tasks, data="samples", run_dir=folder, progress=False)
    return load_run(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SavedRun:
    """One run of all tasks."""
    return measured(TASKS, tmp_path_factory.mktemp("whole"), seed=0)


def headed(run: SavedRun, task: str, metric: str) -> SavedRun:
    """The part of a run that is this task, as if this metric were its headline, which is what is compared."""
    result = RunResult(run.result.model, {task: replace(run.result.tasks[task], headline=metric)}, run.result.complete)
    return replace(run, result=result, kept={task: run.columns[task]})


@pytest.mark.parametrize("task", TASKS)
def test_every_metric_of_a_shipped_task_can_be_compared(whole: SavedRun, task: str) -> None:
    metrics = [name for name in whole.result.tasks[task].summaries if name != ENCODER]
    assert metrics
    for metric in metrics:
        found = compare(headed(whole, task, metric), headed(whole, task, metric))
        assert [(row.reason, row.verdict) for row in found.tasks if row.verdict != "no difference seen"] == [], metric
        assert found.exit_code == NO_REGRESSION and found.tasks[0].difference == 0


def test_two_models_are_compared_on_named_entities(tmp_path: Path) -> None:
    runs = measured("bharatbench_ner", tmp_path / "0", 0), measured("bharatbench_ner", tmp_path / "1", 1)
    row = compare(*runs).tasks[0]
    assert row.verdict != "cannot compare" and row.test == "approximate randomisation"
    scores = [run.result.tasks["bharatbench_ner"].score for run in runs]
    assert (row.base, row.candidate) == pytest.approx(tuple(score.value for score in scores)) and row.base != row.candidate
    assert scores[0].corpus == "entity_recall"
    assert compare(runs[0], runs[0]).exit_code == NO_REGRESSION
