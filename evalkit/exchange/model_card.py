"""A run as a model card's `model-index` and as the hub's evaluation-results YAML, built by huggingface_hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.results import TaskResult
from evalkit.store import SavedRun


@dataclass(frozen=True)
class Exported:
    """The text, and one line for each task that is not in it."""

    text: str
    left_out: tuple[str, ...]


def model_index(run: SavedRun) -> Exported:
    """The YAML block for the head of a model card (README.md): `model-index`, every metric of every benchmark."""
    import yaml
    from huggingface_hub import EvalResult
    from huggingface_hub.repocard_data import eval_results_to_model_index

    left_out: list[str] = []
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=data["path"],
            dataset_name=name,
            dataset_config=data.get("name"),
            dataset_split=data.get("split"),
            dataset_revision=data.get("revision"),
            dataset_args={"num_few_shot": task.num_fewshot},
            metric_type=metric,
            metric_name=f"{metric} ({_measured(task)})",
            metric_value=summary.value,
        )
        for name, task, data in _published(run, left_out)
        for metric, summary in task.summaries.items()
        if summary.value is not None
    ]
    index = eval_results_to_model_index(run.result.model, results) if results else []
    return Exported(yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True), tuple(left_out))


def eval_results(run: SavedRun) -> Exported:
    """The content of `.eval_results/NAME.yaml` in a model's repository: each benchmark's headline."""
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    left_out: list[str] = []
    entries = [
        EvalResultEntry(
            dataset_id=data["path"],
            task_id=name,
            value=task.score.value,
            dataset_revision=data.get("revision"),
            notes=f"{task.headline}, {task.num_fewshot}-shot, {_measured(task)}, {task.score.signature}",
        )
        for name, task, data in _published(run, left_out)
        if task.score.value is not None
    ]
    return Exported(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True), tuple(left_out))


def _published(run: SavedRun, left_out: list[str]) -> Iterator[tuple[str, TaskResult, Mapping[str, Any]]]:
    """The tasks that speak about a data set of the hub; the others are named in `left_out`."""
    for name, task in run.result.tasks.items():
        data = (run.config.get("tasks", {}).get(name) or {}).get("data") or {}
        if task.sample_rows:
            left_out.append(f"{name}: measured on sample rows, not the benchmark")
        elif not data.get("path"):
            left_out.append(f"{name}: the run does not say which data set of the hub it is")
        elif task.score.value is None:
            left_out.append(f"{name}: nothing was measured")
        else:
            yield name, task, data


def _measured(task: TaskResult) -> str:
    return f"{task.score.n} of {task.n_total} documents"
