"""Saved answers scored again, without model or rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit import numbers
from evalkit.errors import ConfigError
from evalkit.models.thinking import Marks
from evalkit.prompts.base import CutsAnswers
from evalkit.results import RunResult
from evalkit.run.prepare import CHAT_NOTE
from evalkit.run.recut import recut
from evalkit.run.score import judged, score_task
from evalkit.store.journal import Journal
from evalkit.store.journal import read as read_journal
from evalkit.store.layout import JOURNAL, SCORES
from evalkit.store.plan import Plan, read_plan
from evalkit.store.run_folder import Rescored, replace_scores
from evalkit.store.samples import response_json, scores_json
from evalkit.store.scores import from_json
from evalkit.task import Task
from evalkit.types import Evidence, Response, SampleScore


def rescore(
    folder: Path,
    tasks: Sequence[Task],
    name: str,
    *,
    thinking: Sequence[Marks] | None = None,
    save: bool = True,
    missing: str = "refuse",
) -> RunResult:
    """Score a run's saved answers again.

    Of everything the model said the thought is taken off again and the answer cut at the stops of `tasks`, so that a wrong stop
    can be repaired. What was said stays as it was.

    Args:
        thinking: pairs of marks around a thought, where they are to be looked for in another way than the run did.
        save: rewrite `scores.json` and the scores in `samples.jsonl`; False only reads, and so works while another process
            is still measuring.
        missing: `skip` where the run left out tasks without rows; they stay as they are.

    Raises:
        ConfigError: not a run directory, or a task that the run did not measure.
        JournalError: the journal is damaged, or (when saving) in use.
    """
    plan = read_plan(folder)
    absent = [task.name for task in tasks if task.name not in plan.evidence]
    if absent and missing != "skip":
        raise ConfigError(f"{folder} holds no answers for {', '.join(absent)}; it has: {', '.join(plan.evidence)}")
    tasks = [task for task in tasks if task.name in plan.evidence]
    scores = folder / SCORES
    told = from_json(scores.read_text(encoding="utf-8"), path=scores).tasks if absent and scores.is_file() else {}
    with Journal(folder) if save else nullcontext():
        answers, _ = read_journal(folder / JOURNAL)
        cut = {task.name: _cut(task, plan, answers, thinking) for task in tasks}
        scored = {
            task.name: score_task(task, _evidence(task.name, plan, answers, cut), plan.answers(task.name, cut[task.name])) for task in tasks
        }
        complete = all(plan.complete(answers.keys(), task.name) for task in tasks)
        results = {task: result for task, (result, _) in scored.items()} | {task: told[task] for task in absent if task in told}
        run = RunResult(name, results, complete, path=folder)
        if save:
            replace_scores(folder, run, {task: _rescored(plan, task, samples, cut[task]) for task, (_, samples) in scored.items()})
    return run


def _cut(task: Task, plan: Plan, answers: Mapping[str, Response], thinking: Sequence[Marks] | None) -> Mapping[str, Response]:
    """The answers, by key, with those of the task judged, and cut again where the task asks for texts."""
    asked = [key for keys in plan.keys[task.name].values() for key in keys if key in answers]
    if not isinstance(task.prompt, CutsAnswers):
        return {**answers, **{key: judged(answers[key]) for key in asked}}
    evidence = plan.evidence[task.name]
    chat = any(CHAT_NOTE in note for note in evidence.notes) if evidence.chat is None else evidence.chat
    stops = task.prompt.stops(chat)
    return {**answers, **{key: recut(answers[key], stops, thinking) for key in asked}}


def _evidence(task: str, plan: Plan, answers: Mapping[str, Response], cut: Mapping[str, Mapping[str, Response]]) -> Evidence:
    """The task's evidence, with a line about answers that the run had cut otherwise."""
    evidence = plan.evidence[task]
    keys = [key for keys in plan.keys[task].values() for key in keys if key in answers]
    other = sum(answers[key].text != cut[task][key].text for key in keys)
    note = f"{numbers.plural(other, 'answer')} cut otherwise than when the run was made (stops or marks of a thought)"
    return replace(evidence, notes=(*evidence.notes, note)) if other else evidence


def _rescored(plan: Plan, task: str, scores: Mapping[str, Sequence[SampleScore]], answers: Mapping[str, Response]) -> dict[str, Rescored]:
    """What changes in the line of each document."""
    return {
        doc: Rescored(by_metric, [response_json(response) for response in plan.given(task, doc, answers)])
        for doc, by_metric in scores_by_document(scores).items()
    }


def scores_by_document(scores: Mapping[str, Sequence[SampleScore]]) -> dict[str, Mapping[str, Any]]:
    """A sample's `scores` by document id."""
    docs: dict[str, dict[str, SampleScore]] = {}
    for metric, of_metric in scores.items():
        for score in of_metric:
            docs.setdefault(score.doc_id, {})[metric] = score
    return {doc: scores_json(by_metric) for doc, by_metric in docs.items()}
