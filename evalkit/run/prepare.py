"""Documents, shots and rendered requests: everything that exists before any work is split up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.data import Loaded, Source, TokenCounter, draw, limit_docs, load
from evalkit.errors import ModelError
from evalkit.identity import identity_of
from evalkit.metrics.base import ChecksDocs, ChecksSamples
from evalkit.models.base import Model, WorkItem, tokens_of
from evalkit.task import Task
from evalkit.types import Doc, Evidence, GenerateRequest, Request

CHAT_NOTE = "prompted through the model's chat template"


@dataclass(frozen=True)
class Prepared:
    """A task with its documents and rendered requests."""

    task: Task
    evidence: Evidence
    shots: Mapping[str, tuple[Doc, ...]]
    requests: tuple[Request, ...]
    loaded: Loaded


def prepare(
    task: Task,
    source: Source,
    limit: int | None,
    chat: bool | None,
    template: bool = False,
    *,
    elsewhere: bool = False,
    tokens: TokenCounter | None = None,
) -> Prepared:
    """Load documents, draw shots over all of them, then limit, then render.

    Args:
        chat: the run's wish; the task's own `chat` wins when it has one. None means plain text.
        template: whether the model has a chat template, for tasks that ask for it where there is one.
        tokens: the model's tokenizer, for tasks that build their prompts to an asked length.
        elsewhere: the answers were not made with these requests, so nothing is said of how they were asked for.
    """
    wanted = (task.languages, task.num_fewshot > 0, task.benchmark_languages)
    loaded = load(task.name, task.data, source, *wanted, tokens=tokens, limit=limit)
    shots = draw(loaded.docs, loaded.pool, task.num_fewshot, task.fewshot, loaded.pool_is_eval)
    docs = limit_docs(loaded.docs, limit)
    for metric in task.metrics:
        if isinstance(metric, ChecksDocs):
            for doc in docs:
                metric.check(doc)
    as_chat = task.as_chat(chat, template)
    requests = tuple(task.prompt.render(task.name, doc, shots[doc.id], as_chat) for doc in docs)
    check_samples(task, max((r.num_samples for r in requests if isinstance(r, GenerateRequest)), default=1))
    dropped = (f"{loaded.n_dropped} rows the benchmark does not score were left out",) if loaded.n_dropped else ()
    notes = [note for note in loaded.notes if not elsewhere or note not in loaded.pool_notes]
    way = (CHAT_NOTE,) if as_chat and not elsewhere else ()
    evidence = Evidence(
        docs=docs,
        n_total=loaded.n_total,
        source=loaded.where,
        rows_sha256=loaded.rows_sha256,
        sample_rows=loaded.sample_rows,
        notes=(*notes, *_languages(task, loaded), *dropped, *way),
        chat=as_chat,
        languages_missing=loaded.languages_missing,
    )
    return Prepared(task, evidence, shots, requests, loaded)


def _languages(task: Task, loaded: Loaded) -> tuple[str, ...]:
    """A line about languages that are left out."""
    every, missing = len(task.benchmark_languages or task.languages), len(loaded.languages_missing)
    counted = "in the coverage each of the others counts as large as these are on average"
    return (f"languages measured: {every - missing} of {every}; {counted}",) if missing else ()


def check_samples(task: Task, n: int) -> None:
    """Raises ConfigError when a metric of the task cannot score `n` samples per document."""
    for metric in task.metrics:
        if isinstance(metric, ChecksSamples):
            metric.check_samples(n)


def prepare_for(model: Model, task: Task, source: Source, limit: int | None, chat: bool | None) -> Prepared:
    """`prepare`, with what this model knows of templates and tokens; each is asked for only where it decides something."""
    tokens = tokens_of(model) if task.data.generate else None
    return prepare(task, source, limit, chat, has_template(model, task), tokens=tokens)


def refuse_cut(tasks: Sequence[Task], items: Sequence[WorkItem]) -> None:
    """Raises ModelError when a prompt was cut that a task needs whole (`truncation: error`)."""
    whole = {task.name: task for task in tasks if task.truncation == "error"}
    for item in items:
        if item.truncated_tokens and item.task in whole:
            over = f"the prompt has {item.truncated_tokens} tokens more than the model holds with its answer"
            advice = whole[item.task].cut_advice
            raise ModelError(f"task {item.task}, document {item.doc_id}: {over}, and a cut prompt would measure nothing; {advice}")


def has_template(model: Model, task: Task) -> bool:
    """Asked only where it decides something: a back end may have to load a tokenizer to know."""
    return task.chat == "auto" and model.capabilities.chat


def run_identity(model: Model, tasks: Sequence[Task], source: Source, limit: int | None, chat: bool | None) -> dict[str, Any]:
    """Everything that can change an answer or a score of a run. Devices, batch sizes, folders, names and notes stay out."""
    return {
        "model": identity_of(model),
        "data": identity_of(source),
        "limit": limit,
        "chat": chat,
        "tasks": {task.name: identity_of(task) for task in tasks},
    }
