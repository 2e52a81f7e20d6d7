"""A run as logs that inspect_ai and its viewer read: one JSON file per task (log format 2), written without that library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError
from evalkit.files import write_atomic
from evalkit.identity import short_hash
from evalkit.results import TaskResult
from evalkit.store import SavedRun
from evalkit.types import Summary

VERSION = 2  # of the log format
STOPS = {"length": "max_tokens", "filtered": "content_filter", "ok": "stop", "empty": "stop"}


def write_logs(run: SavedRun, folder: Path) -> list[Path]:
    """Write TASK.json for every task that was measured; returns the files.

    Raises:
        ConfigError: nothing was measured.
        FileError: the folder cannot be written.
        DataError: damaged samples.
    """
    measured = {name: task for name, task in run.result.tasks.items() if task.score.value is not None}
    if not measured:
        raise ConfigError(f"{run.path} has no measured task to export")
    files = []
    for name, task in measured.items():
        files.append(folder / f"{name}.json")
        write_atomic(files[-1], json.dumps(log_of(run, name, task), ensure_ascii=False, indent=1) + "\n", "out=DIR")
    return files


def log_of(run: SavedRun, name: str, task: TaskResult) -> dict[str, Any]:
    """The log of one task as plain JSON."""
    samples = [_sample(run.result.model, sample) for sample in run.samples(name)]
    part = task.n_docs < task.n_total
    data = (run.config.get("tasks", {}).get(name) or {}).get("data") or {}
    about = {"evalkit": run.result.manifest.get("evalkit"), "rows": task.source, "sample_rows": task.sample_rows, "notes": list(task.notes)}
    return {
        "version": VERSION,
        "status": "success" if run.result.complete else "cancelled",
        "eval": {
            "eval_id": short_hash([name, run.path.name]),
            "run_id": short_hash(run.path.name),
            "created": _written(run),
            "task": f"evalkit/{name}",
            "task_id": name,
            "task_version": task.version,
            "task_args": {"num_fewshot": task.shots},
            "dataset": {"name": data.get("path") or name, "samples": task.n_total, "sample_ids": [sample["id"] for sample in samples]},
            "model": run.result.model,
            "config": {"limit": task.n_docs} if part else {},
            "metadata": about | ({"part": f"{task.n_docs} of {task.n_total} documents"} if part else {}),
        },
        "plan": {"name": "evalkit", "steps": []},
        "stats": {"started_at": _written(run), "completed_at": _written(run), "model_usage": {}},
        "results": {
            "total_samples": task.n_docs,
            "completed_samples": task.score.n,
            "scores": [_score(metric, summary) for metric, summary in task.summaries.items() if summary.value is not None],
        },
        "samples": samples,
    }


def _written(run: SavedRun) -> str:
    file = run.path / "scores.json"
    return datetime.fromtimestamp(file.stat().st_mtime if file.is_file() else 0, UTC).isoformat(timespec="seconds")


def _score(metric: str, summary: Summary) -> dict[str, Any]:
    values = {metric: summary.value, "stderr": summary.stderr}
    metrics = {name: {"name": name, "value": value, "params": {}} for name, value in values.items() if value is not None}
    counted = {"scored_samples": summary.n, "unscored_samples": summary.n_not_measured}
    return {"name": metric, "scorer": metric, "params": {}, "metrics": metrics, "metadata": {"signature": summary.signature}, **counted}


def _sample(model: str, sample: Mapping[str, Any]) -> dict[str, Any]:
    """One document; ranked choices keep their log-likelihoods in the metadata."""
    pairs, responses, target = sample.get("pairs") or [], sample.get("responses") or [], sample.get("target")
    choices = [end for _, end in pairs]
    asked = sample["prompt"] if "prompt" in sample else pairs[0][0] if pairs else ""
    scores = {name: _verdict(score) for name, score in sample["scores"].items()}
    known = {"language": sample.get("language"), "group": sample.get("group"), "cluster": sample.get("cluster")}
    likely = {"loglikelihoods": responses[0]["loglikelihoods"]} if responses and responses[0].get("loglikelihoods") else {}
    answers = [str(response.get("text") or "") for response in responses] if not likely else _chosen(choices, likely["loglikelihoods"])
    return {
        "id": sample["doc"],
        "epoch": 1,
        "input": asked if isinstance(asked, str) else [{"role": turn["role"], "content": turn["content"]} for turn in asked],
        "choices": choices or None,
        "target": choices[target] if choices and isinstance(target, int) and target < len(choices) else _text(target),
        "messages": [],
        "output": {
            "model": model,
            "choices": [
                {
                    "message": {"role": "assistant", "content": text, "source": "generate"},
                    "stop_reason": STOPS.get(_status(responses, i), "unknown"),
                }
                for i, text in enumerate(answers)
            ],
        },
        "scores": {name: score for name, score in scores.items() if score},
        "metadata": {name: value for name, value in (known | likely).items() if value is not None},
    }


def _chosen(choices: Sequence[str], likely: Sequence[float]) -> list[str]:
    return [choices[max(range(len(likely)), key=lambda i: likely[i])]] if len(choices) == len(likely) else []


def _status(responses: Sequence[Mapping[str, Any]], place: int) -> str:
    return str(responses[min(place, len(responses) - 1)].get("status", "")) if responses else ""


def _verdict(score: Mapping[str, Any]) -> dict[str, Any] | None:
    if score.get("value") is None:
        return None  # not measured is no score
    return {"value": score["value"], "answer": _text(score.get("prediction")), "metadata": {"flags": list(score.get("flags") or ())}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
