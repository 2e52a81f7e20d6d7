"""What a configuration means, typed: tasks, source, limits, folders, and how to make the model."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from evalkit.cluster.shard import Shard, ShardModel
from evalkit.config.compose import instantiate
from evalkit.data import Source
from evalkit.errors import ConfigError
from evalkit.models.base import Model
from evalkit.store.layout import run_path
from evalkit.task import Task

log = logging.getLogger("evalkit")

# What fits a setting, for the error that names one that does not.
_FITS = {
    "limit": "use a whole number of documents from 1, or null for all",
    "chat": "use true, false or null",
    "languages": "give 'languages=[hi,ta]'",
    "progress": "use auto or none",
    "track": "give 'track=[wandb,mlflow]'",
    "overwrite": "use true or false",
    "results_dir": "give the folder that run directories are made in",
    "run_dir": "give a folder, or null",
    "detail": "use comparison or all",
    "page": "use auto, true or false",
    "missing": "use refuse, or skip to measure the tasks that have rows here",
    "shard": "give shard=1/8 to shard=8/8, or null",
}


# `evalkit ls` shows a description; runs of earlier versions also named a card's column here, and its row in their tasks.
_NOT_FOR_CLASSES = ("description", "card_name")


class Settings(msgspec.Struct, frozen=True):
    """The settings of a run that are no objects; msgspec checks them against these types."""

    results_dir: str | None = None
    run_dir: str | None = None
    overwrite: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None
    chat: bool | None = None
    languages: list[str] | str | None = None
    progress: Literal["auto", "none"] | None = "auto"
    shard: str | None = None
    missing: Literal["refuse", "skip"] = "refuse"
    detail: Literal["comparison", "all"] = "comparison"
    page: bool | Literal["auto"] = "auto"
    track: list[str] | str | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """Raises ConfigError naming setting, value and what fits."""
        try:
            found = msgspec.convert({name: config[name] for name in cls.__struct_fields__ if name in config}, cls)
        except msgspec.ValidationError as error:
            at = re.search(r"`\$\.(\w+)", str(error))
            name = at[1] if at else ""
            raise ConfigError(f"{name}={config.get(name)} does not fit; {_FITS.get(name, str(error))}") from error
        if found.run_dir == "":
            raise ConfigError("run_dir= is empty; give a folder, or leave the word out")
        if not found.run_dir and not found.results_dir:
            raise ConfigError("results_dir is empty; give the folder that run directories are made in, or run_dir=DIR")
        return found

    @property
    def codes(self) -> list[str]:
        """The languages asked for; empty for each task's own."""
        return [self.languages] if isinstance(self.languages, str) else list(self.languages or ())

    @property
    def trackers(self) -> list[str]:
        """The trackers that are told of the run."""
        return [self.track] if isinstance(self.track, str) else list(self.track or ())


@dataclass(frozen=True)
class Setup:
    """A run that could be started.

    Attributes:
        tasks: by name, in the order asked for.
        make_model: loads nothing heavy by itself; a new back end per call. None where no model was named.
        model_name: as printed in tables.
        config: the resolved configuration as plain values, for the manifest and for re-scoring.
    """

    tasks: Mapping[str, Task]
    source: Source
    settings: Settings
    make_model: Callable[[], Model] | None = None
    model_name: str = "model"
    config: Mapping[str, Any] = field(default_factory=dict)

    def model(self) -> Model:
        """A new back end: one model, its replicas on a cluster, or its part of a run.

        Raises:
            ConfigError: no model was named, or its settings do not fit.
        """
        if self.make_model is None:
            raise ConfigError("no model was chosen; give model=NAME (see: evalkit ls models)")
        cluster = self.config.get("cluster")
        if self.settings.shard and cluster:
            raise ConfigError(f"shard={self.settings.shard} is for runs without a cluster; leave out shard= or cluster=")
        if cluster:
            made: Model = instantiate(cluster, "cluster").model(self.make_model, self.model_name, self.config["model"])
            return made
        if self.settings.shard:
            return ShardModel(self.make_model(), Shard.read(self.settings.shard))
        return self.make_model()

    def folder(self, identity: Mapping[str, Any], label: str = "") -> Path:
        """The run directory: the one given by hand, or one named after what is measured."""
        if self.settings.run_dir:
            return Path(self.settings.run_dir)
        what = "+".join(self.tasks) if len(self.tasks) < 4 else f"{len(self.tasks)}_tasks"
        return run_path(Path(self.settings.results_dir or "."), f"{label or self.model_name}-{what}", identity)


def build(config: Mapping[str, Any], *, allow_no_task: bool = False) -> Setup:
    """Objects from a composed (or saved) configuration.

    Raises:
        ConfigError: no task, an unknown language, or a setting some class does not take.
    """
    held = {**config, "tasks": {name: dict(task) for name, task in (config.get("tasks") or {}).items()}}
    for group in ("model", "data"):
        if held.get(group):
            held[group] = {name: value for name, value in held[group].items() if name not in _NOT_FOR_CLASSES}
    for task in held["tasks"].values():
        task.pop("card_row", None)
    held.pop("sandbox", None)  # by now part of every metric that runs programs
    settings = Settings.of(held)
    if not held["tasks"] and not allow_no_task:
        raise ConfigError("no task was chosen; give task=NAME, 'task=[A,B]', suite=NAME or card=NAME (see: evalkit ls tasks)")
    _select_languages(held["tasks"], settings.codes)
    for name, task in held["tasks"].items():
        if "_target_" not in task:
            raise ConfigError(
                f"tasks.{name} has no _target_, so it is no task; build it on a whole one, or write _target_: evalkit.task.Task"
            )
    tasks = {name: instantiate(task, f"tasks.{name}") for name, task in held["tasks"].items()}
    model = held.get("model")
    return Setup(
        tasks=tasks,
        source=instantiate(held["data"], "data"),
        settings=settings,
        make_model=partial(instantiate, model, "model") if model and "_target_" in model else None,
        model_name=str((model or {}).get("name") or "model"),
        config=held,
    )


def _select_languages(tasks: Mapping[str, dict[str, Any]], wanted: Sequence[str]) -> None:
    """Leave every multilingual task those of its languages that are wanted.

    Raises:
        ConfigError: a wanted language is none of any task's, a task would be left without one, or no task has languages.
    """
    lists = {name: task["languages"] for name, task in tasks.items() if task.get("languages")}
    if not wanted:
        return
    if tasks and not lists:
        raise ConfigError(f"languages={','.join(wanted)} changes nothing: {', '.join(tasks)} has no languages; leave the word out")
    if without := [name for name in tasks if name not in lists]:
        log.warning("languages=%s leaves these as they are, which have no languages: %s", ",".join(wanted), ", ".join(without))
    somewhere = {code for has in lists.values() for code in has}
    for name, has in lists.items():
        missing = [code for code in wanted if code not in has]
        if len(missing) == len(wanted) or not somewhere.issuperset(missing):
            raise ConfigError(f"task {name} has no language {', '.join(missing)}; it has {', '.join(has)}")
        if missing:
            log.warning("task %s has no language %s and is measured without", name, ", ".join(missing))
        tasks[name].setdefault("benchmark_languages", list(has))
        tasks[name]["languages"] = [code for code in has if code in wanted]
