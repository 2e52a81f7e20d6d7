"""Answers made elsewhere, scored as ours are: `{"id": …, "response": …}` per line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit import numbers
from evalkit.data import Source, TokenCounter
from evalkit.errors import ConfigError, DataError
from evalkit.files import json_lines, sha256_file
from evalkit.identity import identity_of
from evalkit.models.thinking import Marks, pairs_of
from evalkit.results import RunResult
from evalkit.run.answer_ids import rows_meant
from evalkit.run.prepare import Prepared, check_samples, prepare
from evalkit.run.recut import heard
from evalkit.run.score import score_task
from evalkit.store.run_folder import save_scores
from evalkit.store.samples import Sample
from evalkit.task import Task
from evalkit.types import GenerateRequest, Response


@dataclass(frozen=True)
class Asked:
    """How a file of answers is read.

    Attributes:
        limit: documents that count, spread evenly; None = all.
        chat: the run's wish about the chat template; it decides about stops that only a plain prompt has.
        thinking: `auto`, `off` or a pair of marks, as `model.thinking`.
    """

    limit: int | None = None
    chat: bool | None = None
    thinking: str | Marks = "auto"

    def identity(self) -> dict[str, Any]:
        """Nothing of the thoughts where they are looked for in the usual way, so that no scored folder is orphaned."""
        thinking = {} if self.thinking == "auto" else {"thinking": identity_of(self.thinking)}
        return {"limit": self.limit, "chat": self.chat, **thinking}


@dataclass(frozen=True)
class Answers:
    """What a file says.

    Attributes:
        given: responses by document id; a document without a line is not in it.
        unscored: lines about rows that the benchmark does not score.
    """

    given: Mapping[str, Sequence[Response]]
    unscored: int


def answers_identity(task: Task, source: Source, file: Path, asked: Asked) -> dict[str, Any]:
    """What makes these scores what they are: task, rows, settings and the content of the file.

    Raises:
        DataError: the file cannot be read.
    """
    return {"responses": sha256_file(file), "data": identity_of(source), **asked.identity(), "tasks": {task.name: identity_of(task)}}


def score_responses(
    task: Task,
    source: Source,
    file: Path,
    name: str,
    folder: Path,
    asked: Asked,
    *,
    overwrite: bool = False,
    tokens: TokenCounter | None = None,
) -> RunResult:
    """Score a file of texts against one task's documents and write `scores.json` and `samples.jsonl`.

    A text is taken as a run takes what a model says: its thought is taken off, its answer is cut at the task's stops. A document
    without a line, or with a response that is null, is not measured.

    Raises:
        DataError: a line without id or response, an id that is unknown, repeated or could mean two rows; with its line number.
        ConfigError: the task ranks choices by log-likelihood and cannot score texts, or the folder holds another run.
    """
    prepared = prepare(task, source, asked.limit, asked.chat, elsewhere=True, tokens=tokens)
    answers = _read(file, prepared, pairs_of(asked.thinking))
    check_samples(task, max(len(given) for given in answers.given.values()))
    evidence = replace(prepared.evidence, notes=(*prepared.evidence.notes, *_notes(answers)))
    result, scores = score_task(task, evidence, answers.given, answers_from=file.name)
    place = {doc.id: row for row, doc in enumerate(prepared.loaded.docs)}
    samples = (
        Sample.of(task.name, doc, place[doc.id], request, answers.given.get(doc.id, ()), {m: s[i] for m, s in scores.items()})
        for i, (doc, request) in enumerate(zip(evidence.docs, prepared.requests, strict=True))
    )
    run = RunResult(name, {task.name: result})  # nothing to continue: what is unanswered is counted
    return save_scores(folder, run, samples, answers_identity(task, source, file, asked), overwrite=overwrite)


def _notes(answers: Answers) -> tuple[str, ...]:
    if not answers.unscored:
        return ()
    return (f"{numbers.plural(answers.unscored, 'answer')} to rows that the benchmark does not score left out",)


def _read(file: Path, prepared: Prepared, marks: Sequence[Marks]) -> Answers:
    lines = [(f"{file}:{number}", raw) for number, raw in json_lines(file)]
    for where, raw in lines:
        if not isinstance(raw, dict) or "id" not in raw or "response" not in raw:
            raise DataError(f'{where}: expected {{"id": document id, key or row of the file, "response": text, list of texts or null}}')
    rows = rows_meant(prepared.loaded.origins, [(where, raw["id"]) for where, raw in lines])
    stops = {request.doc_id: _stops(prepared.task, request) for request in prepared.requests}
    seen: set[str] = set()
    answers: dict[str, list[Response]] = {}
    for (where, raw), row in zip(lines, rows, strict=True):
        if row.name in seen:
            again = "was answered on an earlier line; give several samples as a list in one line"
            raise DataError(f"{where}: document {raw['id']!r} {again}")
        seen.add(row.name)
        texts = raw["response"] if isinstance(raw["response"], list) else [raw["response"]]
        if not texts or not all(text is None or isinstance(text, str) for text in texts):
            fits = "a text or a list of texts (null where the request failed)"
            raise DataError(f"{where}: response must be {fits}, not {raw['response']!r:.80}")
        if row.doc in stops:
            answers[row.doc] = [_response(f"{row.doc}#{i}", text, stops[row.doc], marks) for i, text in enumerate(texts)]
    if not answers:
        raise DataError(f'{file} answers none of the {len(stops)} documents asked; give lines like {{"id": 0, "response": "…"}}')
    return Answers(answers, sum(row.doc is None for row in rows))


def _stops(task: Task, request: object) -> Sequence[str]:
    if not isinstance(request, GenerateRequest):
        raise ConfigError(f"task {task.name} ranks choices by log-likelihood, so texts cannot be scored; use a generated form of it")
    return request.params.stop


def _response(key: str, text: str | None, stops: Sequence[str], marks: Sequence[Marks]) -> Response:
    if text is None:
        return Response(key, "error", error="the file has null for it")
    return heard(key, text, stops, marks)
