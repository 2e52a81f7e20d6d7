"""The run directory: what is in it, how it is named, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, JournalError
from evalkit.score import Evidence
from evalkit.types import Doc

CONFIG, PLAN, SAMPLES, SCORES, MANIFEST = "config.json", "plan.jsonl", "samples.jsonl", "scores.json", "manifest.json"
# Settings that change speed or place, never an answer: they stay out of the run directory's name.
THROUGHPUT = frozenset({"device", "batch_tokens", "results_dir", "run_dir", "progress", "traffic", "api_key_env", "price", "max_cost"})


def run_dir(results_dir: Path, label: str, config: Mapping[str, Any]) -> Path:
    """The directory of a configuration: readable label plus a hash of all that can change an answer."""
    canonical = json.dumps(_without_throughput(config), sort_keys=True, ensure_ascii=False, default=str)
    safe = re.sub(r"[^\w.+-]+", "_", label)[:80]
    return results_dir / f"{safe}-{hashlib.sha256(canonical.encode()).hexdigest()[:10]}"


def _without_throughput(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_throughput(v) for k, v in value.items() if k not in THROUGHPUT}
    return value


def write_atomic(path: Path, content: str | Iterable[str]) -> None:
    """Write text whole or not at all; an unchanged file is left alone.

    Raises:
        JournalError: no space, or not allowed to write there.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as handle:
            handle.writelines([content] if isinstance(content, str) else content)
        os.replace(temporary, path)
    except OSError as error:
        if not isinstance(error, NotADirectoryError):
            temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise JournalError(
                f"no space left to write {path}; answers already saved are safe: free some space and run the same command again"
            ) from error
        raise JournalError(f"{path} cannot be written ({error.strerror or error}); choose another place with results_dir=DIR") from error


def dump(value: Any) -> str:
    """Readable JSON with a final newline."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"


def line(value: Any) -> str:
    """One line of JSON lines."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str) + "\n"


def write_plan(folder: Path, evidence: Mapping[str, Evidence], keys: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """`plan.jsonl`: per task a header, then one line a document with the keys of its answers.

    With the journal it is all that re-scoring needs: no rows, tokenizer or weights.
    """
    write_atomic(folder / PLAN, _plan_lines(evidence, keys))


def _plan_lines(evidence: Mapping[str, Evidence], keys: Mapping[str, Mapping[str, Sequence[str]]]) -> Iterator[str]:
    for task, found in evidence.items():
        header = {f.name: getattr(found, f.name) for f in fields(found) if f.name != "docs"}
        yield line({"task": task, "evidence": header})
        for doc in found.docs:
            # As it stands: a deep copy of every field would cost more than writing it.
            yield line({"task": task, "doc": {f.name: getattr(doc, f.name) for f in fields(doc)}, "keys": list(keys[task][doc.id])})


def read_plan(folder: Path) -> tuple[dict[str, Evidence], dict[str, dict[str, list[str]]]]:
    """Evidence and answer keys by task.

    Raises:
        ConfigError: no run there, or its plan is damaged.
    """
    path = folder / PLAN
    if not path.exists():
        raise ConfigError(f"{folder} is not a run directory (no {PLAN}); give a folder under results/runs, see `evalkit run`")
    headers: dict[str, dict[str, Any]] = {}
    docs: dict[str, list[Doc]] = {}
    keys: dict[str, dict[str, list[str]]] = {}
    with path.open(encoding="utf-8") as handle:
        for number, text in enumerate(handle, 1):
            try:
                raw = json.loads(text)
                task = raw["task"]
                if "evidence" in raw:
                    headers[task] = raw["evidence"] | {"notes": tuple(raw["evidence"]["notes"])}
                    docs[task], keys[task] = [], {}
                    continue
                doc = Doc(**{name: _frozen(value) if name != "fields" else value for name, value in raw["doc"].items()})
                docs[task].append(doc)
                keys[task][doc.id] = raw["keys"]
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(
                    f"{path}:{number} is damaged ({error}); run the same command again to rebuild it (answers are kept)"
                ) from error
    return {task: Evidence(docs=tuple(docs[task]), **header) for task, header in headers.items()}, keys


def _frozen(value: Any) -> Any:
    """JSON has no tuples; documents have no lists."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved configuration a run was made with.

    Raises:
        ConfigError: not a run directory, or the file is damaged.
    """
    path = folder / CONFIG
    if not path.exists():
        raise ConfigError(f"{folder} is not a run directory (no {CONFIG}); give a folder under results/runs")
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is damaged ({error}); run the same command again to rebuild it (answers are kept)") from error
    if not isinstance(loaded, dict) or not loaded.get("tasks"):
        raise ConfigError(f"{folder} was measured from Python objects, so its settings are not in {CONFIG}; score it from Python")
    return loaded
