"""Documents, shots and rendered requests: everything that exists before any work is split up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.data import Loaded, Source, draw, limit_docs, load
from evalkit.identity import identity_of
from evalkit.metrics.base import ChecksDocs
from evalkit.models.base import Model
from evalkit.task import Task
from evalkit.types import Doc, Evidence, Request


@dataclass(frozen=True)
class Prepared:
    """A task with its documents and rendered requests."""

    task: Task
    evidence: Evidence
    shots: Mapping[str, tuple[Doc, ...]]
    requests: tuple[Request, ...]
    loaded: Loaded


def prepare(task: Task, source: Source, limit: int | None, chat: bool | None, template: bool = False, told: Sequence[str] = ()) -> Prepared:
    """Load documents, draw shots over all of them, then limit, then render.

    Args:
        chat: the run's wish; the task's own `chat` wins when it has one. None means plain text.
        template: whether the model has a chat template, for tasks that ask for it where there is one.
        told: what a footnote says of the model.
    """
    loaded = load(task.name, task.data, source, task.languages, task.num_fewshot > 0)
    shots = draw(loaded.docs, loaded.pool, task.num_fewshot, task.fewshot, loaded.pool_is_eval)
    docs = limit_docs(loaded.docs, limit)
    for metric in task.metrics:
        if isinstance(metric, ChecksDocs):
            for doc in docs:
                metric.check(doc)
    as_chat = task.as_chat(chat, template)
    requests = tuple(task.prompt.render(task.name, doc, shots[doc.id], as_chat) for doc in docs)
    dropped = (f"{loaded.n_dropped} rows the benchmark does not score were left out",) if loaded.n_dropped else ()
    way = ("prompted through the model's chat template",) if as_chat else ()
    evidence = Evidence(docs, loaded.n_total, loaded.where, loaded.rows_sha256, loaded.sample_rows, (*loaded.notes, *dropped, *way, *told))
    return Prepared(task, evidence, shots, requests, loaded)


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
