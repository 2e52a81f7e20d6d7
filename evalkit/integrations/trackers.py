"""Trackers of experiments: what a run has measured, sent where people look. `evalkit run … track=[wandb,mlflow]`.

A tracker is one function of a `Tracked`. Where it writes (project, server, offline or not) is the tracker's own business, by its own
environment variables: WANDB_MODE, MLFLOW_TRACKING_URI, TRACKIO_DIR.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from evalkit.errors import ConfigError, EvalkitError, did_you_mean
from evalkit.extras import need
from evalkit.results import RunResult

PROJECT = "evalkit"


@dataclass(frozen=True)
class Tracked:
    """What a tracker is told of a run.

    Attributes:
        name: of the run, its folder's.
        settings: flat names and plain values: model, rows, shots, versions.
        scores: `{task}/{metric}`, for the headline with `_stderr`, `_ci_low`, `_ci_high` and `_n` behind it; finite numbers.
        table: the report as Markdown.
        files: report, page and scores, where they were written.
        folder: of the run, for trackers that keep files.
    """

    name: str
    settings: Mapping[str, str | int | float | bool]
    scores: Mapping[str, float]
    table: str
    files: tuple[Path, ...]
    folder: Path


def tracked(result: RunResult, table: str, folder: Path, files: Sequence[str] = ("scores.json", "report.md", "report.html")) -> Tracked:
    """A run as trackers take it."""
    settings: dict[str, str | int | float | bool] = {"model": result.model, "complete": result.complete}
    scores: dict[str, float] = {}
    for name, task in result.tasks.items():
        settings |= {f"{name}.num_fewshot": task.num_fewshot, f"{name}.version": task.version, f"{name}.source": task.source}
        settings[f"{name}.signature"] = task.score.signature
        scores |= {f"{name}/{metric}": one.value for metric, one in task.summaries.items() if one.value is not None}
        low, high = task.score.ci or (None, None)
        told = {"stderr": task.score.stderr, "ci_low": low, "ci_high": high, "n": float(task.score.n)}
        scores |= {f"{name}/{task.headline}_{key}": value for key, value in told.items() if value is not None}
    scores = {name: value for name, value in scores.items() if math.isfinite(value)}
    return Tracked(folder.name, settings, scores, table, tuple(folder / file for file in files if (folder / file).is_file()), folder)


def wandb(run: Tracked) -> None:
    import wandb as client

    with client.init(project=PROJECT, name=run.name, config=dict(run.settings), job_type="evaluation", dir=str(run.folder)) as opened:
        opened.log(dict(run.scores))
        artifact = client.Artifact(f"evalkit-{run.name}"[:128], type="evaluation")
        for file in run.files:
            artifact.add_file(str(file))
        opened.log_artifact(artifact)


def mlflow(run: Tracked) -> None:
    import mlflow as client

    client.set_experiment(PROJECT)
    with client.start_run(run_name=run.name):
        client.log_params({name: str(value)[:500] for name, value in run.settings.items()})
        client.log_metrics(dict(run.scores))
        for file in run.files:
            client.log_artifact(str(file))


def trackio(run: Tracked) -> None:
    import trackio as client

    client.init(project=PROJECT, name=run.name, config={**run.settings, "report": run.table})
    client.log(dict(run.scores))
    client.finish()


def tensorboard(run: Tracked) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run.folder / "tensorboard")) as writer:
        for name, value in run.scores.items():
            writer.add_scalar(name, value, 0)
        writer.add_text("report", run.table, 0)
        writer.add_text("settings", "\n".join(f"- {name}: {value}" for name, value in run.settings.items()), 0)


TRACKERS: Mapping[str, Callable[[Tracked], None]] = MappingProxyType(
    {"wandb": wandb, "mlflow": mlflow, "trackio": trackio, "tensorboard": tensorboard}
)


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """The trackers, once it is known that they are there; asked before anything is measured.

    Raises:
        ConfigError: an unknown one, or one whose package is not installed.
    """
    for name in names:
        if name not in TRACKERS:
            raise ConfigError(f"track={name} is unknown{did_you_mean(name, TRACKERS)}; there are {', '.join(TRACKERS)}")
        need(name, f"track={name}")
    return tuple(dict.fromkeys(names))


def send(names: Sequence[str], run: Tracked) -> list[str]:
    """Tell every tracker; returns a line for each that failed, since a run that was measured must not end in an error."""
    failed = []
    for name in names:
        try:
            TRACKERS[name](run)
        except EvalkitError:
            raise
        except Exception as error:  # each tracker has its own errors, without a common base
            failed.append(
                f"track={name} failed ({type(error).__name__}: {' '.join(str(error).split())[:200]}); the scores are in {run.folder}"
            )
    return failed


__all__ = ["TRACKERS", "Tracked", "checked", "send", "tracked"]
