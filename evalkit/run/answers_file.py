"""Answers made elsewhere, scored as ours are: `{"id": …, "response": …}` per line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.data import Source
from evalkit.errors import ConfigError, DataError
from evalkit.files import json_lines, sha256_file
from evalkit.identity import identity_of
from evalkit.results import RunResult
from evalkit.run.prepare import prepare
from evalkit.run.score import score_task
from evalkit.store.run_folder import save_scores
from evalkit.store.samples import Sample
from evalkit.task import Task
from evalkit.types import Doc, GenerateRequest, Response


def answers_identity(task: Task, source: Source, file: Path, limit: int | None, chat: bool | None) -> dict[str, Any]:
    """What makes these scores what they are: task, rows, settings and the content of the file.

    Raises:
        DataError: the file cannot be read.
    """
    about = {"data": identity_of(source), "limit": limit, "chat": chat, "tasks": {task.name: identity_of(task)}}
    return {"responses": sha256_file(file), **about}


def score_responses(
    task: Task, source: Source, file: Path, name: str, folder: Path, *, limit: int | None, chat: bool | None, overwrite: bool = False
) -> RunResult:
    """Score a file of texts against one task's documents and write `scores.json` and `samples.jsonl`.

    A document without a line is not measured; texts are taken as they are, no stop is applied.

    Raises:
        DataError: a line without id or response, an unknown or repeated id; with its line number.
        ConfigError: the task ranks choices by log-likelihood and cannot score texts, or the folder holds another run.
    """
    prepared = prepare(task, source, limit, chat)
    if not isinstance(prepared.requests[0], GenerateRequest):
        raise ConfigError(f"task {task.name} ranks choices by log-likelihood, so texts cannot be scored; use a generated form of it")
    answers = _read(file, prepared.loaded.docs, {doc.id for doc in prepared.evidence.docs}, task.data.split)
    result, scores = score_task(task, prepared.evidence, answers)
    place = {doc.id: row for row, doc in enumerate(prepared.loaded.docs)}
    samples = (
        Sample.of(task.name, doc, place[doc.id], request, answers.get(doc.id, ()), {m: s[i] for m, s in scores.items()})
        for i, (doc, request) in enumerate(zip(prepared.evidence.docs, prepared.requests, strict=True))
    )
    run = RunResult(name, {task.name: result})  # nothing to continue: what is unanswered is counted
    return save_scores(folder, run, samples, answers_identity(task, source, file, limit, chat), overwrite=overwrite)


def _read(file: Path, docs: Sequence[Doc], asked: set[str], split: str) -> dict[str, list[Response]]:
    by_id = {doc.id: doc.id for doc in docs}
    answers: dict[str, list[Response]] = {}
    for number, raw in json_lines(file):
        doc_id = _document(f"{file}:{number}", raw, docs, by_id, split)
        if doc_id in answers:
            raise DataError(
                f"{file}:{number}: document {raw['id']!r} was answered on an earlier line; give several samples as a list in one line"
            )
        texts = raw["response"] if isinstance(raw["response"], list) else [raw["response"]]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{file}:{number}: response must be a text or a list of texts, not {raw['response']!r:.80}")
        if doc_id in asked:
            answers[doc_id] = [Response(f"{doc_id}#{i}", "ok" if text.strip() else "empty", text=text) for i, text in enumerate(texts)]
    if not answers:
        raise DataError(f'{file} answers none of the {len(asked)} documents asked; give lines like {{"id": 0, "response": "…"}}')
    return answers


def _document(where: str, raw: Any, docs: Sequence[Doc], by_id: Mapping[str, str], split: str) -> str:
    if not isinstance(raw, dict) or "id" not in raw or "response" not in raw:
        raise DataError(f'{where}: expected {{"id": document id or row index, "response": text or list of texts}}')
    wanted = raw["id"]
    if isinstance(wanted, str) and wanted in by_id:
        return wanted
    if isinstance(wanted, bool) or not isinstance(wanted, (int, str)) or not str(wanted).isdecimal():
        raise DataError(
            f"{where}: no document has the id {wanted!r}; ids look like {docs[0].id!r}, or give the row index 0 to {len(docs) - 1}"
        )
    # Rows that the benchmark does not score have an index too, so the numbered id goes before the place in the list.
    if (numbered := f"{split}/{int(wanted)}") in by_id:
        return numbered
    if int(wanted) >= len(docs) or docs[0].id == f"{split}/0":
        raise DataError(
            f"{where}: row index {wanted} is out of range, or a row the benchmark does not score; ids go from {docs[0].id} to {docs[-1].id}"
        )
    return docs[int(wanted)].id
