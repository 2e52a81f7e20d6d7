"""The straight line: docs → shots → requests → journal → model → answers → scores."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit import folder as folders
from evalkit import manifest
from evalkit.data import Loaded, Source, draw, limit_docs, load
from evalkit.errors import ConfigError, ModelError
from evalkit.journal import NAME as JOURNAL
from evalkit.journal import Journal
from evalkit.journal import read as read_journal
from evalkit.metrics.base import ChecksDocs, NeedsReady
from evalkit.models.base import Model, WorkItem, check_capabilities
from evalkit.progress import Progress, Silent
from evalkit.results import RunResult, TaskResult, to_json
from evalkit.score import Evidence, sample_line, score_task, scores_json
from evalkit.task import Task
from evalkit.types import Doc, GenerateRequest, Message, Prompt, Request, Response, SampleScore

log = logging.getLogger("evalkit")


@dataclass(frozen=True)
class Prepared:
    """A task with its documents and rendered requests; exists before any work is split up."""

    task: Task
    evidence: Evidence
    shots: Mapping[str, tuple[Doc, ...]]
    requests: tuple[Request, ...]
    loaded: Loaded


def prepare(task: Task, source: Source, limit: int | None, chat: bool | None, template: bool = False) -> Prepared:
    """Load documents, draw shots over all of them, then limit, then render.

    Args:
        chat: the run's wish; the task's own `chat` wins when it has one. None means plain text.
        template: whether the model has a chat template, for tasks that ask for it where there is one.
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
    evidence = Evidence(docs, loaded.n_total, loaded.where, loaded.rows_sha256, loaded.sample_rows, (*loaded.notes, *dropped, *way))
    return Prepared(task, evidence, shots, requests, loaded)


def run(
    model: Model,
    tasks: Sequence[Task],
    source: Source,
    *,
    limit: int | None = None,
    chat: bool | None = None,
    folder: Path | None = None,
    config: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Measure `model` on `tasks`.

    Args:
        limit: documents a task, spread evenly over its languages and subjects; None = all.
        folder: the run directory; answers found there are reused, new ones appended as they finish.
        config: the resolved configuration, for the manifest and for re-scoring.

    Raises:
        EvalkitError: anything a user can mend, in one line; whatever was measured is saved.
    """
    progress = progress or Silent()
    clock = _Clock()
    with clock("prepare"):
        prepared = [prepare(task, source, limit, chat, _has_template(model, task)) for task in tasks]
    requests = [request for p in prepared for request in p.requests]
    check_capabilities(model, requests)
    for metric in [metric for task in tasks for metric in task.metrics]:
        if isinstance(metric, NeedsReady):
            metric.ready()  # a sandbox that does not work says so before anything is generated
    with Journal(folder) as journal:
        with clock("encode"):
            items = model.encode(requests)
        keys = _keys(items)
        if folder:
            folders.write_atomic(folder / folders.CONFIG, folders.dump(dict(config or {})))
            folders.write_plan(folder, {p.task.name: p.evidence for p in prepared}, keys)
        reused = len({item.key for item in items} & journal.answers.keys())
        if folder and any(item.key not in journal.answers for item in items):
            (folder / folders.SCORES).unlink(missing_ok=True)  # never scores of other answers beside this plan
        with clock("answer"):
            measured = _answer(model, items, journal, progress)
        journal.compact([item.key for item in items])
        with clock("score"):
            result, samples = _score(model.name, prepared, keys, journal.answers)
        about = _manifest(model, prepared, config or {}, clock, {"asked": len(items), "reused": reused, "measured": measured})
        if folder:
            _write(folder, prepared, result, samples, keys, journal.answers, about, measured > 0)
    return RunResult(result.model, result.tasks, result.complete, about, folder)


def _has_template(model: Model, task: Task) -> bool:
    """Asked only where it decides something: a back end may have to load a tokenizer to know."""
    return task.chat == "auto" and model.capabilities.chat


def _answer(model: Model, items: Sequence[WorkItem], journal: Journal, progress: Progress) -> int:
    """Ask what is missing, journalling every batch as it finishes; returns the number of new answers."""
    left: dict[str, WorkItem] = {item.key: item for item in items if item.key not in journal.answers}
    if not left:
        return 0
    before = len(journal.answers)
    failed: dict[str, str] = {}
    progress.start(list(left.values()), len(items) - len(left))
    try:
        for batch in model.answer(items, set(journal.answers)):
            responses = [_checked(response) for response in batch]
            journal.append(responses)
            failed |= {r.key: r.error or "no reason given" for r in responses if r.status == "error" and r.key in left}
            if finished := [item for r in responses if (item := left.pop(r.key, None))]:
                progress.advance(finished)
    finally:
        progress.stop()
    if failed and not any(item.key in journal.answers for item in items):
        raise ModelError(f"every one of {len(failed)} requests failed, so nothing was measured; the first: {next(iter(failed.values()))}")
    if failed:
        log.warning(
            "%d of %d requests failed and are not scored (first: %s); the same command asks them again",
            len(failed),
            len(items),
            next(iter(failed.values())),
        )
    return len(journal.answers) - before


def _checked(response: Response) -> Response:
    """A log-likelihood that is no number is no answer (half-precision overflow, damaged weights)."""
    if response.loglikelihoods and any(math.isnan(value) for value in response.loglikelihoods):
        return Response(response.key, "error", error="a log-likelihood came back as NaN; try model.dtype=float32")
    return response


def _keys(items: Sequence[WorkItem]) -> dict[str, dict[str, list[str]]]:
    keys: dict[str, dict[str, list[str]]] = {}
    for item in items:
        keys.setdefault(item.task, {}).setdefault(item.doc_id, []).append(item.key)
    return keys


Samples = dict[str, dict[str, list[SampleScore]]]


def _score(
    name: str, prepared: Sequence[Prepared], keys: Mapping[str, Mapping[str, list[str]]], answers: Mapping[str, Response]
) -> tuple[RunResult, Samples]:
    results: dict[str, TaskResult] = {}
    samples: Samples = {}
    for p in prepared:
        results[p.task.name], samples[p.task.name] = score_task(p.task, p.evidence, answers_of(keys[p.task.name], answers))
    return RunResult(name, results, complete=all(key in answers for by in keys.values() for ks in by.values() for key in ks)), samples


def answers_of(keys: Mapping[str, Sequence[str]], answers: Mapping[str, Response]) -> dict[str, list[Response]]:
    """Responses by document; a document that lacks one of its samples is left out, since its score would be another."""
    return {doc: [answers[key] for key in wanted] for doc, wanted in keys.items() if all(key in answers for key in wanted)}


def rescore(folder: Path, tasks: Sequence[Task], name: str, *, save: bool = True) -> RunResult:
    """Score a run's saved answers again, without model or rows.

    Args:
        save: rewrite `scores.json`; False only reads, and so works beside a process that is still measuring.

    Raises:
        ConfigError: not a run directory, or a task that the run did not measure.
        JournalError: the journal is damaged, or (when saving) in use.
    """
    evidence, keys = folders.read_plan(folder)
    missing = [task.name for task in tasks if task.name not in evidence]
    if missing:
        raise ConfigError(f"{folder} holds no answers for {', '.join(missing)}; it has: {', '.join(evidence)}")
    with Journal(folder) if save else nullcontext():
        answers, _ = read_journal(folder / JOURNAL)
        scored = {task.name: score_task(task, evidence[task.name], answers_of(keys[task.name], answers)) for task in tasks}
        results = {name: result for name, (result, _) in scored.items()}
        complete = all(key in answers for task in tasks for ks in keys[task.name].values() for key in ks)
        result = RunResult(name, results, complete, path=folder)
        if save:
            folders.write_atomic(folder / folders.SCORES, to_json(result))
            if (folder / folders.SAMPLES).exists():
                folders.write_atomic(folder / folders.SAMPLES, _rescored_lines(folder, {name: s for name, (_, s) in scored.items()}))
    return result


def _rescored_lines(folder: Path, scores: Mapping[str, Mapping[str, Sequence[SampleScore]]]) -> list[str]:
    """The lines of `samples.jsonl` with new scores; everything else in them as it was."""
    by_doc = {task: {m: {s.doc_id: s for s in of} for m, of in by.items()} for task, by in scores.items()}
    lines = []
    with (folder / folders.SAMPLES).open(encoding="utf-8") as handle:
        for text in handle:
            sample = json.loads(text)
            if sample["task"] in by_doc:
                sample["scores"] = scores_json({m: of[sample["doc"]] for m, of in by_doc[sample["task"]].items()})
            lines.append(folders.line(sample))
    return lines


def _manifest(
    model: Model, prepared: Sequence[Prepared], config: Mapping[str, Any], clock: _Clock, counts: Mapping[str, int]
) -> dict[str, Any]:
    tasks = {
        p.task.name: {
            "source": p.evidence.source,
            "data_revision": p.loaded.revision,
            "rows_sha256": p.evidence.rows_sha256,
            "documents": len(p.evidence.docs),
            "num_fewshot": p.task.num_fewshot,
            "fewshot_seed": p.task.fewshot.seed,
            "version": p.task.version,
        }
        for p in prepared
    }
    return manifest.build(model=model.describe(), tasks=tasks, config=config, durations=clock.seconds, counts=counts)


def _write(
    folder: Path,
    prepared: Sequence[Prepared],
    result: RunResult,
    samples: Samples,
    keys: Mapping[str, Mapping[str, list[str]]],
    answers: Mapping[str, Response],
    about: Mapping[str, Any],
    fresh: bool,
) -> None:
    """Scores, samples and manifest; the manifest of the session that measured last stays."""
    folders.write_atomic(folder / folders.SAMPLES, _sample_lines(prepared, samples, keys, answers))
    folders.write_atomic(folder / folders.SCORES, to_json(result))
    if fresh or not (folder / folders.MANIFEST).exists():
        folders.write_atomic(folder / folders.MANIFEST, folders.dump(about))


def _sample_lines(
    prepared: Sequence[Prepared], samples: Samples, keys: Mapping[str, Mapping[str, list[str]]], answers: Mapping[str, Response]
) -> Iterator[str]:
    for p in prepared:
        place = {doc.id: row for row, doc in enumerate(p.loaded.docs)}
        for index, (doc, request) in enumerate(zip(p.evidence.docs, p.requests, strict=True)):
            scores = {name: by_doc[index] for name, by_doc in samples[p.task.name].items()}
            given = [answers[key] for key in keys[p.task.name][doc.id] if key in answers]
            yield folders.line(sample_line(p.task, doc, place[doc.id], request_json(request), given, scores))


def request_json(request: Request) -> dict[str, Any]:
    """A request as people read it: the rendered prompt, or its (context, continuation) pairs."""
    if isinstance(request, GenerateRequest):
        return {"prompt": _prompt_json(request.prompt)}
    return {"pairs": [[_prompt_json(context), continuation] for context, continuation in request.pairs]}


def _prompt_json(prompt: Prompt) -> str | list[dict[str, str]]:
    if isinstance(prompt, str):
        return prompt
    return [{"role": turn.role, "content": turn.content} for turn in prompt if isinstance(turn, Message)]


class _Clock:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = time.monotonic() - started
