"""`scores.json`: every score of a run; written sorted where order carries no meaning, checked against its types when read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import msgspec

from evalkit.errors import DataError
from evalkit.results import RunResult, TaskResult

SCHEMA_VERSION = 1


def to_json(result: RunResult) -> str:
    """The text of `scores.json`: sorted where order carries no meaning, floats in full."""
    payload = {
        "schema": SCHEMA_VERSION,
        "model": result.model,
        "complete": result.complete,
        "tasks": {name: asdict(task) for name, task in result.tasks.items()},
    }
    return json.dumps(payload, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def from_json(text: str, *, path: Path | None = None) -> RunResult:
    """Read `scores.json` back.

    Raises:
        DataError: not a scores file, or one of another schema.
    """
    where = path or "scores.json"
    try:
        payload = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not valid JSON ({error}); run `evalkit score` on its folder to rebuild it") from error
    if not isinstance(payload, dict) or payload.get("schema") != SCHEMA_VERSION:
        found = payload.get("schema") if isinstance(payload, dict) else None
        raise DataError(f"{where} has schema {found!r}, not {SCHEMA_VERSION}; re-score the run with this version of evalkit")
    try:
        saved = msgspec.convert(payload, _Saved)
    except msgspec.ValidationError as error:
        raise DataError(f"{where} is no file of scores ({error}); run `evalkit score` on its folder to rebuild it") from error
    for name, task in saved.tasks.items():
        if task.headline not in task.summaries:
            raise DataError(f"{where} has no {task.headline} for {name}; run `evalkit score` on its folder to rebuild it")
    return RunResult(model=saved.model, tasks=saved.tasks, complete=saved.complete, path=path.parent if path else None)


class _Saved(msgspec.Struct):
    """What `scores.json` holds; every value is checked against the types of `TaskResult` and `Summary`."""

    model: str
    complete: bool
    tasks: dict[str, TaskResult]


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no score")
