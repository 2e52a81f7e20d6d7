"""A run from start to end: prepare, ask what is missing, score, keep."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.data import Source
from evalkit.errors import ModelError
from evalkit.metrics.base import NeedsReady
from evalkit.models.base import Model, Partial, Remarks, WorkItem, check_capabilities
from evalkit.pace import Pace
from evalkit.progress import Progress, Silent
from evalkit.results import RunResult
from evalkit.run.prepare import Prepared, prepare_all, refuse_cut, run_identity
from evalkit.run.score import judged, score_task
from evalkit.store import manifest
from evalkit.store.plan import Plan
from evalkit.store.run_folder import RunFolder
from evalkit.store.samples import Sample
from evalkit.task import Task
from evalkit.types import Response, SampleScore

log = logging.getLogger("evalkit")


def run(
    model: Model,
    tasks: Sequence[Task],
    source: Source,
    *,
    limit: int | None = None,
    chat: bool | None = None,
    folder: Path | None = None,
    config: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    missing: str = "refuse",
    progress: Progress | None = None,
) -> RunResult:
    """Measure `model` on `tasks`.

    Args:
        limit: documents per task, spread evenly over its languages and subjects; None = all.
        folder: the run directory; answers found there are reused, new ones appended as they finish. Tasks it holds
            already stay in it, and in the result.
        config: the resolved configuration, for the manifest and for re-scoring.
        missing: what to do with tasks whose rows are out of reach: `refuse`, or `skip`, which measures the others.
        overwrite: take a folder that holds another run, and replace its scores.

    Raises:
        EvalkitError: one line that says what to do; whatever was measured is saved.
    """
    progress, clock = progress or Silent(), _Clock()
    with clock("prepare"):
        prepared, absent = prepare_all(tasks, source, limit, chat, model, missing)
    if absent:
        log.warning("not measured, as their rows are out of reach: %s", ", ".join(absent))
    requests = [request for p in prepared for request in p.requests]
    check_capabilities(model, requests)
    for metric in [metric for task in tasks for metric in task.metrics]:
        if isinstance(metric, NeedsReady):
            metric.ready()  # a sandbox that does not work says so before anything is generated
    identity = run_identity(model, tasks, source, limit, chat)
    with RunFolder.open(folder, identity, overwrite=overwrite) as kept:
        with clock("encode"):
            items = model.encode(requests)
            refuse_cut(tasks, items)
            prepared = [_remarked(p, model) for p in prepared]
        plan = Plan.of({p.task.name: p.evidence for p in prepared}, items)
        kept.begin(plan, config or {})
        _say(prepared, len(items), kept)
        reused = len({item.key for item in items} & kept.answers.keys())
        with clock("answer"):
            measured, pace = _answer(model, items, kept, progress)
        with clock("score"):
            scored = {p.task.name: score_task(p.task, p.evidence, plan.answers(p.task.name, kept.answers)) for p in prepared}
        results = {name: result for name, (result, _) in scored.items()}
        samples = (s for p in prepared for s in _samples(p, scored[p.task.name][1], plan, kept.answers))
        log.info("seconds: %s", ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in clock.seconds.items()))
        counts = {"asked": len(items), "reused": reused, "measured": measured}
        about = manifest.build(
            model=model.describe(),
            tasks=_tasks(prepared),
            config=config or {},
            durations=clock.seconds,
            counts=counts,
            rates=pace.rates(),
        )
        return kept.finish(model.name, results, samples, about, absent=absent, fresh=measured > 0)


def _say(prepared: Sequence[Prepared], requests: int, kept: RunFolder) -> None:
    """What is about to be asked, for those who want to know more (`-v`)."""
    if kept.path:
        log.info("run directory: %s", kept.path)
    for p in prepared:
        log.info("%s: %d documents, %d shots; rows: %s", p.task.name, len(p.evidence.docs), p.task.num_fewshot, p.evidence.source)
    log.info("%d requests, %d answers kept from before", requests, len(kept.answers))


def _remarked(prepared: Prepared, model: Model) -> Prepared:
    """With what the model has to say of how this task asks it, for under the table."""
    remarks = model.remarks(prepared.requests) if isinstance(model, Remarks) else ()
    notes = (*prepared.evidence.notes, *remarks)
    return replace(prepared, evidence=replace(prepared.evidence, notes=notes)) if remarks else prepared


def _answer(model: Model, items: Sequence[WorkItem], kept: RunFolder, progress: Progress) -> tuple[int, Pace]:
    """Ask what is missing, keeping every batch as it finishes; returns the number of new answers, and how fast they came."""
    asked = model.wanted(items) if isinstance(model, Partial) else items
    left: dict[str, WorkItem] = {item.key: item for item in asked if item.key not in kept.answers}
    if not left:
        progress.start([], len(asked))
        return 0, Pace(0.0)
    before = len(kept.answers)
    failed: dict[str, str] = {}
    pace = Pace.of(list(left.values()), time.monotonic())
    progress.start(list(left.values()), len(asked) - len(left))
    try:
        for batch in model.answer(items, set(kept.answers)):
            responses = [judged(response) for response in batch]
            kept.append(responses)
            failed |= {r.key: r.error or "no reason given" for r in responses if r.status == "error" and r.key in left}
            if finished := [item for r in responses if (item := left.pop(r.key, None))]:
                pace.advance(finished, time.monotonic())
                progress.advance(finished)
    finally:
        progress.stop()
    if failed and not any(item.key in kept.answers for item in items):
        raise ModelError(f"every one of {len(failed)} requests failed, so nothing was measured; the first: {next(iter(failed.values()))}")
    if failed:
        log.warning(
            "%d of %d requests failed and are not scored (first: %s); the same command asks them again",
            len(failed),
            len(items),
            next(iter(failed.values())),
        )
    return len(kept.answers) - before, pace


def _samples(p: Prepared, scores: Mapping[str, Sequence[SampleScore]], plan: Plan, answers: Mapping[str, Response]) -> Iterator[Sample]:
    place = {doc.id: row for row, doc in enumerate(p.loaded.docs)}
    for index, (doc, request) in enumerate(zip(p.evidence.docs, p.requests, strict=True)):
        given = plan.given(p.task.name, doc.id, answers)
        yield Sample.of(p.task.name, doc, place[doc.id], request, given, {name: by_doc[index] for name, by_doc in scores.items()})


def _tasks(prepared: Sequence[Prepared]) -> dict[str, dict[str, Any]]:
    """What the manifest says of each task."""
    return {
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
