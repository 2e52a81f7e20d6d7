"""Documents and answers to scores: pure, no model; the right half of the straight line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.metrics import score_baselines, score_documents
from evalkit.results import TaskResult
from evalkit.task import Task
from evalkit.types import Doc, Response, SampleScore, Summary


@dataclass(frozen=True)
class Evidence:
    """One task's documents with what was loaded about them; survives in `plan.jsonl`.

    Attributes:
        docs: the documents asked, in file order.
        n_total: documents of the whole evaluated split.
    """

    docs: tuple[Doc, ...]
    n_total: int
    source: str
    rows_sha256: str
    sample_rows: bool
    notes: tuple[str, ...] = ()


def score_task(
    task: Task, evidence: Evidence, answers: Mapping[str, Sequence[Response]]
) -> tuple[TaskResult, dict[str, list[SampleScore]]]:
    """Score every document with every metric of the task.

    Args:
        answers: responses by document id; a document without any is not measured, never wrong.

    Returns:
        The task's result, and per metric one SampleScore a document, in order.
    """
    scores = {m.name: score_documents(m, evidence.docs, answers) for m in task.metrics}
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
        notes=(*task.notes, *evidence.notes, *dict.fromkeys(note for m in task.metrics for note in getattr(m, "notes", ()))),
        baselines=score_baselines(task.baselines, task.metrics, evidence.docs, task.summarize),
    )
    return result, scores


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


def sample_line(
    task: Task, doc: Doc, row: int, request: Mapping[str, Any], responses: Sequence[Response], scores: Mapping[str, SampleScore]
) -> dict[str, Any]:
    """One document of `samples.jsonl`: what was asked, answered, extracted and given."""
    return {
        "task": task.name,
        "doc": doc.id,
        "row": row,
        **({"language": doc.language} if doc.language else {}),
        **({"group": doc.group} if doc.group else {}),
        **({"cluster": doc.cluster} if doc.cluster is not None else {}),
        **request,
        "target": doc.target,
        "responses": [_plain(response) for response in responses],
        "scores": scores_json(scores),
    }


def scores_json(scores: Mapping[str, SampleScore]) -> dict[str, Any]:
    """Each metric's verdict on one document, as `samples.jsonl` has it; `stats` is there for corpus metrics alone."""
    return {
        name: {"value": s.value, "prediction": s.prediction, "flags": list(s.flags), **({"stats": s.stats} if s.stats else {})}
        for name, s in scores.items()
    }


def _plain(response: Response) -> dict[str, Any]:
    names = ("status", "text", "loglikelihoods", "greedy", "context_tokens", "output_tokens", "truncated_tokens")
    return {name: value for name in names if (value := getattr(response, name)) not in (None, 0) or name == "status"}
