"""Documents and answers to scores: pure, no model; the right half of the straight line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalkit.metrics import score_baselines, score_documents
from evalkit.metrics.by_length import by_length
from evalkit.metrics.checks import check_scores
from evalkit.results import TaskResult
from evalkit.task import Task
from evalkit.types import Doc, Evidence, Response, SampleScore, Summary


def score_task(
    task: Task, evidence: Evidence, answers: Mapping[str, Sequence[Response]], *, answers_from: str = ""
) -> tuple[TaskResult, dict[str, list[SampleScore]]]:
    """Score every document with every metric of the task.

    Args:
        answers: responses by document id; a document without any is not measured, never wrong.
        answers_from: the file that answers made elsewhere were read from; empty for a model's own.

    Returns:
        The task's result, and per metric one SampleScore a document, in order.
    """
    answers = {doc: [judged(response) for response in given] for doc, given in answers.items()}
    # A document that lacks one of its samples is not scored: its score would be another.
    whole = {doc: given for doc, given in answers.items() if all(response.status != "error" for response in given)}
    scores = {m.name: score_documents(m, evidence.docs, whole) for m in task.metrics}
    for metric in task.metrics:
        check_scores(metric, scores[metric.name], evidence.docs)
    headline = next(m for m in task.metrics if m.name == task.headline)
    summaries = {m.name: task.summarize(m, scores[m.name]) for m in task.metrics}
    result = TaskResult(
        task=task.name,
        headline=task.headline,
        num_fewshot=task.num_fewshot,
        version=task.version,
        summaries=summaries,
        n_docs=len(evidence.docs),
        n_total=evidence.n_total,
        counts=_counts(evidence.docs, answers, scores[task.headline]),
        categories=_categories(task, scores),
        source=evidence.source,
        rows_sha256=evidence.rows_sha256,
        sample_rows=evidence.sample_rows,
        notes=(*_how(task, answers_from), *evidence.notes, *dict.fromkeys(note for m in task.metrics for note in getattr(m, "notes", ()))),
        baselines=score_baselines(task.baselines, task.metrics, evidence.docs, task.summarize),
        answers_from=answers_from,
        languages_missing=evidence.languages_missing,
        by_length=by_length(headline, evidence.docs, scores[task.headline], whole),
    )
    return result, scores


def judged(response: Response) -> Response:
    """Log-likelihoods as an answer: none where one is no number, or where none tells one choice from another.

    A value that is NaN or infinitely likely is an error (half-precision overflow, damaged weights). All values equal, or all
    infinitely unlikely, choose nothing: status `flat`.
    """
    values = response.loglikelihoods
    if not values or response.status == "error":
        return response
    if odd := [value for value in values if math.isnan(value) or value == math.inf]:
        said = "NaN" if math.isnan(odd[0]) else "infinite"
        return Response(response.key, "error", error=f"a log-likelihood came back as {said}; try model.dtype=float32")
    same = len(set(values)) == 1 and (len(values) > 1 or values[0] == -math.inf)
    return replace(response, status="flat") if same else response


def _how(task: Task, answers_from: str) -> tuple[str, ...]:
    """What the task says of itself; of answers made elsewhere nothing about how they were asked for."""
    if not answers_from:
        return (*task.notes, *task.prompt_notes)
    known = "thoughts and stops were cut as a run does it; prompt, shots, template, sampling and length limit are not known"
    return (f"{task.name}: answers made elsewhere, read from {answers_from}: {known} (prompts shown are the task's own)", *task.notes)


def _categories(task: Task, scores: Mapping[str, Sequence[SampleScore]]) -> dict[str, dict[str, Summary]]:
    categories: dict[str, dict[str, Summary]] = {}
    for metric in task.metrics:
        for category, members in task.groups.items():
            chosen = [s for s in scores[metric.name] if s.group in set(members)]
            if chosen:
                categories.setdefault(metric.name, {})[category] = replace(metric.summarize(chosen), groups={}, macro=None)
    return categories


def _counts(docs: Sequence[Doc], answers: Mapping[str, Sequence[Response]], headline: Sequence[SampleScore]) -> dict[str, int]:
    """Documents per remark; a document counts once a remark."""
    remarks: dict[str, set[str]] = {}
    for doc in docs:
        given = answers.get(doc.id, ())
        if not given:
            remarks.setdefault("unanswered", set()).add(doc.id)
        for response in given:
            if response.status != "ok":
                remarks.setdefault(response.status, set()).add(doc.id)
            if response.truncated_tokens:
                remarks.setdefault("truncated", set()).add(doc.id)
    for sample in headline:
        if "invalid" in sample.flags:
            remarks.setdefault("invalid", set()).add(sample.doc_id)
    return {name: len(ids) for name, ids in sorted(remarks.items())}
