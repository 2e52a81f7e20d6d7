"""Documents, shots and rendered requests: everything that exists before any work is split up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.data import Loaded, NoRows, Source, TokenCounter, draw, limit_docs, load
from evalkit.errors import ConfigError, DataError, ModelError
from evalkit.identity import identity_of
from evalkit.metrics.base import BatchMetric, ChecksDocs, ChecksSamples
from evalkit.metrics.checks import check_without_answer
from evalkit.models.base import Model, WorkItem, tokens_of
from evalkit.numbers import plural
from evalkit.results import TaskResult
from evalkit.task import Task
from evalkit.types import Doc, Evidence, GenerateRequest, LoglikelihoodRequest, Request, Summary

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
        if docs and not isinstance(metric, BatchMetric):
            check_without_answer(metric, docs[0])
    as_chat = task.as_chat(chat, template)
    requests = tuple(_rendered(task, doc, shots[doc.id], as_chat) for doc in docs)
    check_samples(task, max((r.num_samples for r in requests if isinstance(r, GenerateRequest)), default=1))
    dropped = (f"left out: {plural(loaded.n_dropped, 'row')} that the benchmark does not score",) if loaded.n_dropped else ()
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


def prepare_all(
    tasks: Sequence[Task], source: Source, limit: int | None, chat: bool | None, model: Model, missing: str = "refuse"
) -> tuple[list[Prepared], dict[str, TaskResult]]:
    """Every task prepared; rows that are out of reach are told of all tasks at once.

    Args:
        missing: `refuse`, or `skip` to leave out the tasks without rows.

    Returns:
        What can be measured, and a result without a score per task left out.

    Raises:
        DataError: a task has no rows here and none are to be left out, or none has any. Names all of them.
    """
    prepared, gone = [], dict[str, NoRows]()
    for task in tasks:
        try:
            prepared.append(prepare_for(model, task, source, limit, chat))
        except NoRows as error:
            gone[task.name] = error
    if gone and (missing != "skip" or not prepared):
        others = "the other task" if len(prepared) == 1 else f"the other {len(prepared)} tasks"
        first, rest = next(iter(gone.values())), f"missing=skip measures {others}" if prepared else ""
        if len(gone) == 1:
            raise DataError(f"{first}; {rest}") if rest else first
        names = f"{len(gone)} of {len(tasks)} tasks have no rows here: {', '.join(gone)}"
        raise DataError("; ".join(filter(None, (names, f"the first: {first}", rest)))) from first
    return prepared, {task.name: _without_rows(task, str(gone[task.name])) for task in tasks if task.name in gone}


def _without_rows(task: Task, reason: str) -> TaskResult:
    note = f"no rows: {reason.removeprefix(f'task {task.name}: ')}"
    summaries = {m.name: Summary(m.name, None, None, None, 0, higher_is_better=m.higher_is_better, note=note) for m in task.metrics}
    total = task.data.sizes.get(task.data.split, 0)
    return TaskResult(task.name, task.headline, task.num_fewshot, task.version, summaries, n_docs=0, n_total=total)


def _rendered(task: Task, doc: Doc, shots: Sequence[Doc], chat: bool) -> Request:
    """The task's request for a document.

    Raises:
        ConfigError: its formatter gave something else.
    """
    request: object = task.prompt.render(task.name, doc, shots, chat)
    if not isinstance(request, (LoglikelihoodRequest, GenerateRequest)):
        name, given = type(task.prompt).__name__, f"{type(request).__name__} {request!r:.60}"
        raise ConfigError(f"tasks.{task.name}.prompt: {name}.render gives {given}; give a LoglikelihoodRequest or a GenerateRequest")
    return request


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
