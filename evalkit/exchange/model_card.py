"""A run as a model card's `model-index` and as the hub's evaluation-results YAML, built by huggingface_hub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.results import TaskResult
from evalkit.store import SavedRun


@dataclass(frozen=True)
class Exported:
    """The text, one line for each task that is not in it, one for each that is a part of its benchmark, and the number of entries."""

    text: str
    left_out: tuple[str, ...]
    parts: tuple[str, ...] = ()
    entries: int = 1


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
            dataset_args={"num_few_shot": task.num_fewshot} | ({"part": _measured(task)} if is_part(task) else {}),
            metric_type=metric,
            metric_name=f"{metric} ({_measured(task)})",
            metric_value=summary.value,
        )
        for name, task, data in published(run, left_out)
        for metric, summary in task.summaries.items()
        if summary.value is not None
    ]
    index = eval_results_to_model_index(run.result.model, results) if results else []
    text = yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True)
    return Exported(text, tuple(left_out), _parts(run, left_out), len(results))


def eval_results(run: SavedRun) -> Exported:
    """The content of `.eval_results/NAME.yaml` in a model's repository: each benchmark's headline, under the hub's own task id.

    The hub takes results of data sets that name their tasks in `eval.yaml`; a benchmark whose data set has none, or where it cannot be
    read, is left out.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    left_out: list[str] = []
    entries, unreachable = [], ""
    for name, task, data in published(run, left_out):
        task_id, why, unreachable = ("", unreachable, unreachable) if unreachable else hub_task(data)
        if not task_id:
            left_out.append(f"{name}: {why}")
            continue
        part = f"a part of the benchmark, {_measured(task)}" if is_part(task) else _measured(task)
        entries.append(
            EvalResultEntry(
                dataset_id=data["path"],
                task_id=task_id,
                value=task.score.value,
                dataset_revision=data.get("revision"),
                notes=f"{part}, {task.headline}, {task.num_fewshot}-shot, {task.score.signature}",
            )
        )
    text = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)
    return Exported(text, tuple(left_out), _parts(run, left_out), len(entries))


def hub_task(data: Mapping[str, Any]) -> tuple[str, str, str]:
    """(the hub's id of the task, why there is none, the same where the hub cannot be reached) from the `eval.yaml` of a data set."""
    import yaml
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    path = str(data["path"])
    try:
        file = hf_hub_download(path, "eval.yaml", repo_type="dataset", endpoint=os.environ.get("HF_ENDPOINT"))
        told = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
        tasks = [task for task in told.get("tasks") or () if task.get("id")]
    except LocalEntryNotFoundError:
        why = "eval.yaml of its data set, which names the hub's task, is not in the cache, and the hub cannot be reached from here"
        return "", why, why
    except EntryNotFoundError:
        return "", f"the data set {path} has no eval.yaml on the hub, which therefore takes no results of it", ""
    except (OSError, ValueError, AttributeError, yaml.YAMLError) as error:
        return "", f"eval.yaml of {path}, which names the hub's task, cannot be read here ({str(error).splitlines()[0][:100]})", ""
    config, split = data.get("name"), data.get("split")
    fitting = [task for task in tasks if task.get("split") in (None, split) and task.get("config") in (None, "default", config)]
    found = fitting if len(tasks) > 1 else tasks
    if len(found) == 1:
        return str(found[0]["id"]), "", ""
    told = ", ".join(str(task["id"]) for task in tasks)
    return "", f"eval.yaml of {path} has no single task of configuration {config} and split {split}: {told}", ""


def is_part(task: TaskResult) -> bool:
    """Whether fewer documents were asked than the benchmark has (`limit=`, some languages, a shard)."""
    return task.n_docs < task.n_total


def _parts(run: SavedRun, left_out: Sequence[str]) -> tuple[str, ...]:
    gone = {line.partition(":")[0] for line in left_out}
    parts = [(name, task) for name, task in run.result.tasks.items() if name not in gone and is_part(task)]
    return tuple(f"{name}: a part of the benchmark, {_measured(task)}; its entry says so" for name, task in parts)


def published(run: SavedRun, left_out: list[str]) -> Iterator[tuple[str, TaskResult, Mapping[str, Any]]]:
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
