"""Saved answers scored again, without model or rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError
from evalkit.results import RunResult
from evalkit.run.score import score_task
from evalkit.store.journal import Journal
from evalkit.store.journal import read as read_journal
from evalkit.store.layout import JOURNAL
from evalkit.store.plan import read_plan
from evalkit.store.run_folder import replace_scores
from evalkit.store.samples import scores_json
from evalkit.task import Task
from evalkit.types import SampleScore


def rescore(folder: Path, tasks: Sequence[Task], name: str, *, save: bool = True) -> RunResult:
    """Score a run's saved answers again.

    Args:
        save: rewrite `scores.json` and the scores in `samples.jsonl`; False only reads, and so works while another process
            is still measuring.

    Raises:
        ConfigError: not a run directory, or a task that the run did not measure.
        JournalError: the journal is damaged, or (when saving) in use.
    """
    plan = read_plan(folder)
    if missing := [task.name for task in tasks if task.name not in plan.evidence]:
        raise ConfigError(f"{folder} holds no answers for {', '.join(missing)}; it has: {', '.join(plan.evidence)}")
    with Journal(folder) if save else nullcontext():
        answers, _ = read_journal(folder / JOURNAL)
        scored = {task.name: score_task(task, plan.evidence[task.name], plan.answers(task.name, answers)) for task in tasks}
        complete = all(plan.complete(answers.keys(), task.name) for task in tasks)
        run = RunResult(name, {task: result for task, (result, _) in scored.items()}, complete, path=folder)
        if save:
            replace_scores(folder, run, {task: scores_by_document(samples) for task, (_, samples) in scored.items()})
    return run


def scores_by_document(scores: Mapping[str, Sequence[SampleScore]]) -> dict[str, Mapping[str, Any]]:
    """A sample's `scores` by document id."""
    docs: dict[str, dict[str, SampleScore]] = {}
    for metric, of_metric in scores.items():
        for score in of_metric:
            docs.setdefault(score.doc_id, {})[metric] = score
    return {doc: scores_json(by_metric) for doc, by_metric in docs.items()}
