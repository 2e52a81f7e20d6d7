"""lm-evaluation-harness results, read and written: `results_*.json` and, next to it, `samples_*.jsonl`.

The layout is that of lm-evaluation-harness 0.4.13: `results[task]["metric,filter"]`, standard errors as
`metric_stderr,filter`, one samples file a task with a line a document and filter.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit import stats
from evalkit.errors import DataError
from evalkit.metrics.base import TOO_FEW
from evalkit.paths import conf_dir
from evalkit.results import RunResult, TaskResult
from evalkit.store import SavedRun
from evalkit.store.run_folder import save_scores
from evalkit.store.samples import Sample
from evalkit.types import Signature, Summary

_PERCENT = ("chrf", "chrf++", "bleu", "ter")  # the harness prints these on a scale of 100
_OURS = {"chrf++": "chrf_pp"}
# A task of the harness's that is a metric of one of ours.
_RENAMED = {"truthfulqa_mc2": ("truthfulqa", "acc", "mc2")}
_SPLITS = ("test_split", "validation_split", "training_split")


def read_results(path: Path) -> RunResult:
    """A results file as a run; a group with subtasks (mmlu) becomes one task with its subtasks as groups.

    Raises:
        DataError: not such a file; one line that names it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "it does not exist" if isinstance(error, FileNotFoundError) else str(error)
        raise DataError(f"{path} cannot be read ({why}); give a results_*.json of lm-evaluation-harness") from error
    try:
        raw = json.loads(text)
        tasks = {task.task: task for task in (_task(name, raw) for name in _top_level(raw))}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"no JSON: {error}" if isinstance(error, json.JSONDecodeError) else f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is no lm-evaluation-harness results file ({why}); give a results_*.json that it wrote") from error
    if not tasks:
        raise DataError(f"{path} holds no task; give a results_*.json that lm-evaluation-harness wrote")
    return RunResult(_model(raw), tasks, manifest={"imported": {"from": path.name, "config": raw["config"]}})


def import_run(path: Path, folder: Path) -> RunResult:
    """Write a run directory from a results file and the samples files next to it (same time in the name).

    Raises:
        DataError: a damaged results or samples file.
    """
    run = read_results(path)
    stamp = path.stem.removeprefix("results_")
    raw = json.loads(path.read_text(encoding="utf-8"))
    samples: list[Sample] = []
    for name in raw["n-samples"]:
        file = path.with_name(f"samples_{name}_{stamp}.jsonl")
        if file.is_file():
            owner = next((top for top in _top_level(raw) if name in _leaves(top, raw)), name)
            samples += _samples(file, name, owner, raw)
    return save_scores(folder, run, samples, {"imported": stamp})


def _top_level(raw: Mapping[str, Any]) -> list[str]:
    """Tasks and groups of tasks, without what is part of a group that has its own score."""
    scored = {name for name, scores in raw["results"].items() if any("," in key for key in scores)}
    inside = {part for group, parts in raw.get("group_subtasks", {}).items() if group in scored for part in parts}
    return [name for name in raw["results"] if name in scored and name not in inside]


def _leaves(name: str, raw: Mapping[str, Any]) -> list[str]:
    parts = raw.get("group_subtasks", {}).get(name) or []
    return [leaf for part in parts for leaf in _leaves(part, raw)] if parts else [name]


def _task(name: str, raw: Mapping[str, Any]) -> TaskResult:
    leaves = _leaves(name, raw)
    counts = {leaf: raw["n-samples"][leaf] for leaf in leaves}
    summaries = _summaries(name, raw, sum(count["effective"] for count in counts.values()))
    if leaves != [name]:
        parts = {leaf: _summaries(leaf, raw, counts[leaf]["effective"]) for leaf in leaves}
        for metric, summary in summaries.items():
            groups = {leaf.removeprefix(f"{name}_"): found[metric] for leaf, found in parts.items() if metric in found}
            summaries[metric] = Summary(**{**_fields(summary), "groups": groups})
    shots = raw.get("n-shot", {})
    ours = _ours(name)
    program = " ".join(["lm-evaluation-harness", *filter(None, [raw.get("lm_eval_version")])])
    told = [f"{name} of {program}", f"task version {raw['versions'].get(name, raw['versions'].get(leaves[0]))}"]
    told += ["prompts in the model's chat template"] if raw.get("chat_template") else []
    return TaskResult(
        task=ours,
        headline=_headline(ours, list(summaries)),
        num_fewshot=int(shots.get(name, shots.get(leaves[0], 0)) or 0),
        version=int(float(raw["versions"].get(name) or raw["versions"].get(leaves[0]) or 0)),
        summaries=summaries,
        n_docs=sum(count["effective"] for count in counts.values()),
        n_total=sum(count["original"] for count in counts.values()),
        categories=_categories(name, raw),
        source="lm-evaluation-harness results, imported",
        notes=(f"imported: {', '.join(told)}; not measured by evalkit",),
        measured_by=program,
    )


def _categories(name: str, raw: Mapping[str, Any]) -> dict[str, dict[str, Summary]]:
    """Groups within the group (mmlu_stem), by metric."""
    found: dict[str, dict[str, Summary]] = {}
    for part in raw.get("group_subtasks", {}).get(name) or ():
        leaves = _leaves(part, raw)
        if leaves == [part] or part not in raw["results"]:
            continue
        n = sum(raw["n-samples"][leaf]["effective"] for leaf in leaves)
        for metric, summary in _summaries(part, raw, n).items():
            found.setdefault(metric, {})[part.removeprefix(f"{name}_")] = summary
    return found


def _ours(name: str) -> str:
    """What evalkit calls a task of the harness."""
    return _RENAMED.get(name, (name,))[0]


def _fields(summary: Summary) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in Summary.__slots__}


def _summaries(name: str, raw: Mapping[str, Any], n: int) -> dict[str, Summary]:
    scores = raw["results"][name]
    keys = [key for key, value in scores.items() if "," in key and "_stderr," not in key and isinstance(value, (int, float))]
    version = raw["versions"].get(name, raw["versions"].get(_leaves(name, raw)[0]))
    found = {}
    for key in keys:
        metric, _, kept = key.partition(",")
        title, scale = _title(name, metric, kept, keys), 0.01 if metric in _PERCENT else 1.0
        raw_stderr = scores.get(f"{metric}_stderr,{kept}")
        stderr = raw_stderr * scale if isinstance(raw_stderr, (int, float)) and math.isfinite(raw_stderr) else None
        value = scores[key] * scale
        ci = _interval(value, stderr, n)
        higher = raw.get("higher_is_better", {}).get(name, {}).get(metric, metric != "ter")
        signature = str(Signature.of(metric, f"filter:{kept}", f"lm-eval task version:{version}"))
        why = "" if ci else TOO_FEW if n < stats.ENOUGH_UNITS else "no interval: the harness gives no standard error"
        found[title] = Summary(title, value, stderr, ci, n, signature=signature, higher_is_better=bool(higher), no_interval=why)
    return found


def _interval(value: float, stderr: float | None, n: int) -> stats.Interval | None:
    """Student's from the harness's standard error; Wilson's where all documents are wrong or all are right, which is no certainty."""
    if stderr is None or n < stats.ENOUGH_UNITS:
        return None
    if stderr == 0 and value in (0, 1):
        return stats.wilson(value * n, n)
    ci = stats.t_interval(value, stderr, n - 1)
    return (max(0.0, ci[0]), min(1.0, ci[1])) if ci and 0 <= value <= 1 else ci


def _title(task: str, metric: str, kept: str, keys: Sequence[str]) -> str:
    """`acc`; where a metric has several filters, exact matches are named after theirs, as evalkit's gsm8k names them."""
    if task in _RENAMED and metric == _RENAMED[task][1]:
        return _RENAMED[task][2]
    several = sum(key.partition(",")[0] == metric for key in keys) > 1
    name = _OURS.get(metric, metric)
    if not several:
        return name
    return kept.replace("-", "_") if metric == "exact_match" else f"{name}_{kept.replace('-', '_')}"


def _headline(name: str, metrics: Sequence[str]) -> str:
    """evalkit's own headline for the task where the harness has it, else the harness's first metric."""
    ours = _configured(f"{name}.yaml", "headline")
    return str(ours) if ours in metrics else metrics[0]


def _configured(file: str, setting: str) -> Any:
    """A task's setting, its own or that of a base it builds on (`defaults: [base/cloze@_here_, _self_]`); None without one."""
    import yaml

    path = conf_dir() / "task" / file
    held = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
    bases = [item.removesuffix("@_here_") for item in held.get("defaults", ()) if isinstance(item, str) and item.endswith("@_here_")]
    found = (_configured(f"{base}.yaml", setting) for base in reversed(bases))
    return held.get(setting) or next((value for value in found if value is not None), None)


def _model(raw: Mapping[str, Any]) -> str:
    config = raw["config"]
    arguments = config.get("model_args") or {}
    if isinstance(arguments, str):
        arguments = dict(part.partition("=")[::2] for part in arguments.split(","))
    path = raw.get("model_name") or config.get("model_name") or arguments.get("pretrained") or arguments.get("model") or config["model"]
    return str(path).rstrip("/").rpartition("/")[2]


def _samples(file: Path, name: str, owner: str, raw: Mapping[str, Any]) -> Iterator[Sample]:
    """One sample per document with every filter's scores."""
    config = raw["configs"].get(name, {})
    split = next((config[key] for key in _SPLITS if config.get(key)), "test")
    keys = [key for key in raw["results"][name] if "," in key and "_stderr," not in key]
    found: dict[int, dict[str, Any]] = {}
    with file.open(encoding="utf-8") as handle:
        for number, text in enumerate(handle, 1):
            try:
                sample = json.loads(text)
                place = sample["doc_id"]
                if place not in found:
                    part = {} if owner == name else {"group": name.removeprefix(f"{owner}_")}
                    doc = f"{split}/{place}" if owner == name else f"{part['group']}/{split}/{place}"
                    found[place] = {"task": _ours(owner), "doc": doc, "row": place, **part, **_asked(sample)}
                    found[place]["target"] = _target(sample, found[place])
                    found[place] |= {"responses": _responses(sample), "scores": {}}
                found[place]["scores"] |= _scores(name, sample, keys)
            except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
                raise DataError(f"{file}:{number} is no sample of lm-evaluation-harness ({error!r}); restore the file") from error
    yield from (_sample(found[place]) for place in sorted(found))


def _sample(told: Mapping[str, Any]) -> Sample:
    """A typed sample of the fields gathered over a document's lines."""
    asked = {name: told[name] for name in ("prompt", "pairs") if name in told}
    return Sample(told["task"], told["doc"], told["row"], asked, told["target"], told["responses"], told["scores"], group=told.get("group"))


def _asked(sample: Mapping[str, Any]) -> dict[str, Any]:
    pairs = [[call["arg_0"], call["arg_1"]] for call in sample["arguments"].values()]
    return {"pairs": pairs} if all(isinstance(continuation, str) for _, continuation in pairs) else {"prompt": pairs[0][0]}


def _target(sample: Mapping[str, Any], asked: Mapping[str, Any]) -> Any:
    """The number of the right choice where the harness wrote it as text, else what it wrote."""
    target = sample["target"]
    choice = isinstance(target, str) and target.isdecimal() and int(target) < len(asked.get("pairs", ()))
    return int(target) if choice else target


def _responses(sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = sample["resps"]
    if given and isinstance(given[0][0], list):
        lls = [float(call[0][0]) for call in given]
        return [{"status": "ok", "loglikelihoods": lls, "greedy": [str(call[0][1]) == "True" for call in given]}]
    return [{"status": "ok" if str(text).strip() else "empty", "text": str(text)} for text in given[0]]


def _scores(task: str, sample: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Means alone: what a corpus metric keeps of a sample (reference and answer) is no score of it."""
    kept, answers = sample["filter"], sample["filtered_resps"]
    prediction = answers[0] if answers and isinstance(answers[0], str) else None
    flags = ["invalid"] if prediction == "[invalid]" else []
    scores = {}
    for metric in sample["metrics"]:
        if f"{metric},{kept}" in keys and isinstance(value := sample.get(metric), (int, float)):
            scores[_title(task, metric, kept, keys)] = {"value": float(value), "prediction": prediction, "flags": flags}
    return scores


def to_results(run: SavedRun) -> str:
    """A run in the layout of `results_*.json`, for tools that read it; metrics keep evalkit's names, filter `none`."""
    tasks = run.result.tasks
    results = {}
    for name, task in tasks.items():
        results[name] = {"alias": name, "sample_len": task.score.n}
        for metric, summary in task.summaries.items():
            results[name] |= {f"{metric},none": summary.value, f"{metric}_stderr,none": "N/A" if summary.stderr is None else summary.stderr}
    configs = {n: {"task": n, "num_fewshot": task.shots, "metadata": {"version": task.version}} for n, task in tasks.items()}
    payload = {
        "results": results,
        "group_subtasks": {},
        "configs": configs,
        "versions": {name: task.version for name, task in tasks.items()},
        "n-shot": {name: task.shots for name, task in tasks.items()},
        "higher_is_better": {name: {m: s.higher_is_better for m, s in task.summaries.items()} for name, task in tasks.items()},
        "n-samples": {name: {"original": task.n_total, "effective": task.score.n} for name, task in tasks.items()},
        "config": {"model": "evalkit", "model_args": {"pretrained": run.result.model}},
        "evalkit": run.result.manifest.get("evalkit"),
    }
    return json.dumps(payload, ensure_ascii=False, indent=1) + "\n"
