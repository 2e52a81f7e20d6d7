"""A run as logs of Every Eval Ever, a shared data set of results: one file per benchmark, built and checked by its library.

evalkit export RUN to=every-eval-ever out=DIR    # DIR/data/BENCHMARK/DEVELOPER/MODEL/UUID.json, as that data set has them
"""

from __future__ import annotations

import hashlib
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.exchange.model_card import is_part, published
from evalkit.extras import need
from evalkit.files import write_atomic
from evalkit.results import TaskResult
from evalkit.stats import LEVEL
from evalkit.store import SavedRun
from evalkit.types import Signature, Summary

LIBRARY = "every_eval_ever"
NEEDS_PYTHON = (3, 12)
RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
NOT_STATED = "not stated"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Written:
    """The files, and one line for each task that is in none."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...]


def write_logs(run: SavedRun, folder: Path, organization: str = NOT_STATED, relationship: str = "other") -> Written:
    """Write a log for every benchmark that was measured.

    Args:
        organization: who ran it.
        relationship: of whom to the model's maker: one of RELATIONSHIPS.

    Raises:
        ConfigError: the library is not installed, Python is too old for it, an unknown relationship, or nothing to write.
        DataError: the library refuses a log; says where and why.
        FileError: the folder cannot be written.
    """
    if relationship not in RELATIONSHIPS:
        near = did_you_mean(relationship, RELATIONSHIPS)
        raise ConfigError(f"relationship={relationship} is unknown{near}; one of {', '.join(RELATIONSHIPS)}")
    if sys.version_info < NEEDS_PYTHON:
        here, least = (".".join(map(str, version)) for version in (sys.version_info[:3], NEEDS_PYTHON))
        raise ConfigError(f"to=every-eval-ever needs Python {least} or newer, as its library does; this is {here}")
    need(LIBRARY, "to=every-eval-ever")
    left_out: list[str] = []
    files = []
    for name, task, data in published(run, left_out):
        log = log_of(run, name, task, data, organization, relationship)
        developer, _, model = log["model_info"]["id"].partition("/")
        number = uuid.UUID(bytes=hashlib.sha256(log["evaluation_id"].encode()).digest()[:16], version=4)
        files.append(folder / "data" / name / developer / model / f"{number}.json")
        write_atomic(files[-1], checked(log, name), "out=DIR")
    if not files:
        why = f": {'; '.join(left_out)}" if left_out else ""
        raise ConfigError(f"{run.path} has no benchmark to export{why}")
    return Written(tuple(files), tuple(left_out))


def checked(log: Mapping[str, Any], name: str) -> str:
    """The text of a log, by the library's own model of it.

    Raises:
        DataError: it does not fit.
    """
    from every_eval_ever.eval_types import EvaluationLog
    from every_eval_ever.schema import get_schema_version
    from pydantic import ValidationError

    try:
        found = EvaluationLog.model_validate({**log, "schema_version": get_schema_version()})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        why = f"every-eval-ever refuses the log at {where}: {first['msg']}"
        raise DataError(f"{name}: {why}; report it, with the library's version") from error
    return str(found.model_dump_json(exclude_none=True, indent=2)) + "\n"


def log_of(
    run: SavedRun, name: str, task: TaskResult, data: Mapping[str, Any], organization: str = NOT_STATED, relationship: str = "other"
) -> dict[str, Any]:
    """One benchmark as plain JSON; the library adds the version of its schema."""
    model = model_info(run)
    written = str(_written(run))
    own = run.result.manifest.get("evalkit") or {}
    return {
        "evaluation_id": f"{name}/{model['id']}/{written}",
        "evaluation_timestamp": written,
        "retrieved_timestamp": written,
        "source_metadata": {
            "source_name": "evalkit",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": relationship,
        },
        "eval_library": {
            "name": "evalkit",
            "version": str(own.get("version") or "unknown"),
            **_details(commit=own.get("commit"), task=name, task_version=task.version),
        },
        "model_info": model,
        "evaluation_results": [
            _result(name, task, data, metric, summary) for metric, summary in task.summaries.items() if summary.value is not None
        ],
    }


def model_info(run: SavedRun) -> dict[str, Any]:
    """The model under its id of the hub; one that is not from there has no developer that anybody could look up."""
    about = run.config.get("model") or {}
    path = str(about.get("path") or "")
    known = bool(_HUB_ID.fullmatch(path)) and not Path(path).exists()
    safe = re.sub(r"[^\w.-]+", "_", run.result.model).strip("_") or "model"
    described = run.result.manifest.get("model") or {}
    engine = str(about.get("_target_") or "").split(".")
    packages = run.result.manifest.get("packages") or {}
    back_end = next((kind for kind in ("vllm", "openai", "hf") if kind in engine), "")
    library = {"hf": "transformers", "vllm": "vllm"}.get(back_end)
    return {
        "name": run.result.model,
        "id": path if known else f"unknown/{safe}",
        **({"inference_engine": {"name": library, "version": str(packages.get(library, "unknown"))}} if library else {}),
        **_details(
            deployment_type="self_deployed" if library else None,
            revision=described.get("revision"),
            dtype=described.get("dtype"),
            fingerprint=described.get("fingerprint"),
        ),
    }


def _result(name: str, task: TaskResult, data: Mapping[str, Any], metric: str, summary: Summary) -> dict[str, Any]:
    part = f"{task.n_docs} of {task.n_total} documents" if is_part(task) else None
    return {
        "evaluation_result_id": f"{name}/{metric}",
        "evaluation_name": name,
        "source_data": {
            "dataset_name": name,
            "source_type": "hf_dataset",
            "hf_repo": data["path"],
            **({"hf_split": str(data["split"])} if data.get("split") else {}),
            "samples_number": task.n_total,
            **_details(revision=data.get("revision"), configuration=data.get("name"), rows_sha256=task.rows_sha256 or None, part=part),
        },
        "metric_config": {
            "metric_id": metric,
            "metric_name": metric,
            "lower_is_better": not summary.higher_is_better,
            **_bounds(summary),
            **_details(signature=summary.signature or None),
        },
        "score_details": {
            "score": summary.value,
            "uncertainty": _uncertainty(summary),
            **_details("details", not_measured=summary.n_not_measured or None, invalid=summary.n_invalid or None, part=part),
        },
        "generation_config": _details(num_fewshot=task.num_fewshot),
    }


def _bounds(summary: Summary) -> dict[str, Any]:
    """The ends of the scale, where they are known: the signature's `scale:1-5`, else 0 and 1 for a score between them."""
    scale = next((part.removeprefix("scale:") for part in Signature.read(summary.signature).parts if part.startswith("scale:")), "")
    low, _, high = scale.partition("-")
    if low.isdecimal() and high.isdecimal():
        return {"score_type": "continuous", "min_score": float(low), "max_score": float(high)}
    between = summary.value is not None and 0 <= summary.value <= 1 and summary.higher_is_better
    return {"score_type": "continuous", "min_score": 0.0, "max_score": 1.0} if between else {}


def _uncertainty(summary: Summary) -> dict[str, Any]:
    method = next((part.removeprefix("ci:") for part in Signature.read(summary.signature).parts if part.startswith("ci:")), None)
    found: dict[str, Any] = {"num_samples": summary.n}
    if summary.stderr is not None:
        found["standard_error"] = {"value": summary.stderr}
    if summary.ci is not None:
        found["confidence_interval"] = {
            "lower": summary.ci[0],
            "upper": summary.ci[1],
            "confidence_level": LEVEL,
            **({"method": method} if method else {}),
        }
    return found


def _details(field: str = "additional_details", **values: Any) -> dict[str, dict[str, str]]:
    """Under `field`, what is known, as text: the schema has text alone there."""
    known = {name: str(value) for name, value in values.items() if value is not None}
    return {field: known} if known else {}


def _written(run: SavedRun) -> int:
    """When the scores were written, in seconds since 1970."""
    file = run.path / "scores.json"
    return int(file.stat().st_mtime) if file.is_file() else 0
