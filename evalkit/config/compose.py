"""Hydra: words to a configuration, a configuration to objects. The only module that imports it."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.config.cards import card_nodes, narrowed
from evalkit.config.explain import explain
from evalkit.config.words import check_words
from evalkit.errors import ConfigError, EvalkitError
from evalkit.extras import missing
from evalkit.files import line
from evalkit.paths import conf_dir

JOBS = "jobs.jsonl"  # of a sweep: one line per job, with its folder and its value
Job = Callable[[dict[str, Any]], tuple[float, Path]]


def run(words: Sequence[str], job: Job) -> int:
    """Hand the words to Hydra itself, so that sweeps, launchers and flags work as in any Hydra program.

    Args:
        job: measures one plain configuration; returns the value a sweeper optimises, and the run's folder.

    Returns:
        The exit code: 0, or that of the worst job. A sweep goes on after a job that failed.
    """
    import hydra

    # With this set Hydra lets exceptions through instead of printing them its own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    words = list(words)
    check_words(words, flags=True)
    _importable(words)
    _, own = config_folder(words)
    _register_cards(own)
    if {"--help", "-h"} & set(words) and not any(word.startswith("model=") for word in words):
        words = [*words, "model=hf"]  # Hydra's help shows a whole configuration, and a model has no default
    main_process, failed = os.getpid(), [0]

    def one(config: Any) -> float:
        value, folder = math.nan, None
        try:
            value, folder = job(_narrowed(plain(config), _task_words(), own))
        except Exception as error:
            # Another process (a launcher's worker) must see the job fail; here one line says it all,
            # and a sweep goes on with its next job.
            ours = as_ours(error)
            if ours is None or os.getpid() != main_process:
                raise
            print(f"error: {ours}", file=sys.stderr)
            failed[0] = max(failed[0], ours.exit_code)
        _note_job(value, folder)
        return value

    outer, sys.argv = sys.argv, ["evalkit run", *words]
    try:
        hydra.main(**_base(), **_trusted("execution_whitelist"), config_path=str(conf_dir()), config_name="config")(one)()
    finally:
        sys.argv = outer
    return failed[0]


class SweepWords:
    """Hydra's callback around a sweep: says where its jobs write, wherever they run."""

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        if logs := config.hydra.launcher.get("submitit_folder"):
            print(f"the jobs' logs, a folder per job: {Path(logs).parent}", file=sys.stderr)

    def on_multirun_end(self, config: Any, **_: Any) -> None:
        print(f"the jobs of this sweep, with their folders and scores: {Path(config.hydra.sweep.dir) / JOBS}", file=sys.stderr)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Nothing to say at Hydra's other moments."""
        if name.startswith("on_"):
            return lambda **_: None
        raise AttributeError(name)


def _note_job(value: float, folder: Path | None) -> None:
    """Append a sweep's job to its list."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    about = HydraConfig.get()
    if about.mode != RunMode.MULTIRUN:
        return
    sweep = Path(about.sweep.dir)
    sweep.mkdir(parents=True, exist_ok=True)
    told = {
        "job": about.job.get("num", 0),
        "overrides": list(about.overrides.task),
        "folder": str(folder) if folder else None,
        "value": value if math.isfinite(value) else None,
    }
    with (sweep / JOBS).open("a", encoding="utf-8") as file:
        file.write(line(told))


def compose(words: Sequence[str]) -> dict[str, Any]:
    """The configuration `evalkit run WORDS` would use, as plain values; `--config-dir DIR` may be among the words.

    Without `model=` it has no model, for commands that need none.

    Raises:
        ConfigError: an unknown task, model or setting, naming the nearest.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra

    words = list(words)
    _importable(words)
    words, folder = config_folder(words)
    check_words(words)
    _register_cards(folder)
    asked = list(words)
    if folder:
        words.append(f"hydra.searchpath=[{quoted(f'file://{folder.resolve()}')}]")
    if not any(re.match(r"\+{0,2}model=", word) for word in words):
        words.append("~model")
    # A notebook may already hold an initialised Hydra: leave it as it was.
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(**_base(), config_dir=str(conf_dir())):
            config = plain(hydra_compose(config_name="config", overrides=words))
    except Exception as error:
        if ours := as_ours(error):
            raise ours from error
        raise
    finally:
        GlobalHydra.instance().hydra = outer
        vars(ConfigStore.instance()).pop("__deepcopy__", None)  # another user of Hydra in this process finds it as it was
    return _narrowed(config, asked, folder)


def _register_cards(folder: Path | None) -> None:
    """Make `card=NAME` and the cards' suites known to Hydra, as if each had a file in conf/card or conf/suite."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    # Hydra copies its store at every composition, and what it takes out of it once more: with all the cards in it, the
    # first copy was half of the time.
    store.__deepcopy__ = partial(_itself, store)
    for (group, name), node in card_nodes([folder] if folder else []).items():
        known = (store.repo.get(group) or {}).get(f"{name}.yaml")
        # Storing makes a copy of every value, which takes longer than to see that it is the one of the last time.
        if known is None or vars(known).get("made_of") is not node:
            held = {key: value for key, value in node.items() if key != "description"}
            store.store(group=group, name=name, node=held, package="_global_", provider="evalkit")
            store.repo[group][f"{name}.yaml"].made_of = node


def _itself(held: Any, memo: Mapping[int, Any]) -> Any:
    return held


def _narrowed(config: dict[str, Any], words: Sequence[str], folder: Path | None) -> dict[str, Any]:
    """Of a card's rows, those of its tables; with `task=` or `suite=` given too, those that these name."""
    _check_back_end(config.get("model"), words)
    config = {**config, "tasks": _chosen(config.get("tasks") or {}, words)}
    by_hand = [word for word in words if re.match(r"(task|suite)=", word)]
    chosen = None
    if by_hand and any(re.match(r"card=(?!null$)", word) for word in words):
        chosen = compose([*by_hand, *(["--config-dir", str(folder)] if folder else [])])["tasks"].keys()
    return narrowed(config, chosen)


def _chosen(tasks: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """Without the settings that a suite has for tasks that `task=` did not choose.

    Raises:
        ConfigError: a word of the command line sets something of such a task.
    """
    named = {name for word in words if word.startswith("task=") for name in re.findall(r"\w+", word)}
    absent = [name for name, task in tasks.items() if isinstance(task, Mapping) and "_target_" not in task and name not in named]
    for word in words:
        if (found := re.match(r"\+{0,2}tasks\.(\w+)\.", word)) and found[1] in absent:
            raise ConfigError(f"{word}: the task {found[1]} was not chosen; choose it with task=, or leave the word out")
    return {name: task for name, task in tasks.items() if name not in absent}


def _check_back_end(model: Any, words: Sequence[str]) -> None:
    """`backend=NAME` chooses what reads the weights of a shipped model; raises ConfigError where the model does not ask."""
    target = str((model or {}).get("_target_", ""))
    for word in words:
        name, _, wanted = word.partition("=")
        if name == "backend" and target.startswith("evalkit.models.") and target.split(".")[2] != wanted:
            raise ConfigError(
                f"{word} changes nothing: this model runs on {target.split('.')[2]}; leave the word out, or choose another model"
            )


def _task_words() -> list[str]:
    """The words of the job that Hydra is running."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task)


def merged(saved: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A saved configuration with `a.b=value` words over it.

    Raises:
        ConfigError: a word names no setting of it.
    """
    from omegaconf import OmegaConf

    config = OmegaConf.create(dict(saved))
    OmegaConf.set_struct(config, True)
    try:
        return plain(OmegaConf.merge(config, OmegaConf.from_dotlist(list(overrides))))
    except Exception as error:
        raise ConfigError(f"{' '.join(overrides)}: {explain(error)}") from error


def plain(config: Any) -> dict[str, Any]:
    """Dictionaries and lists, interpolations resolved, without Hydra's own part."""
    from omegaconf import OmegaConf

    held: dict[str, Any] = OmegaConf.to_container(config, resolve=True)
    held.pop("hydra", None)
    return held


def config_folder(words: Sequence[str]) -> tuple[list[str], Path | None]:
    """The words without Hydra's `--config-dir DIR` (`-cd DIR`, `--config-dir=DIR`), and its folder.

    Raises:
        ConfigError: the folder is not named or does not exist.
    """
    rest, folder, following = [], None, iter(words)
    for word in following:
        flag, equals, value = word.partition("=")
        if flag not in ("--config-dir", "-cd"):
            rest.append(word)
            continue
        folder = Path(value if equals else next(following, ""))
        if not str(value or folder.name) or not folder.is_dir():
            raise ConfigError(f"{flag} {folder}: no such folder; give one laid out like evalkit's conf/")
    return rest, folder


def quoted(value: str) -> str:
    """A value as Hydra's override grammar takes it literally, whatever commas, spaces or brackets it has."""
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", re.sub(r"(\\+)$", r"\1\1", value)) + "'"


def instantiate(node: Mapping[str, Any], where: str) -> Any:
    """Hydra's instantiate with plain containers; an error of ours inside comes out as itself.

    Raises:
        ConfigError: no such class, or it does not take these settings; begins with `where`.
    """
    from hydra.errors import HydraException
    from hydra.utils import instantiate as hydra_instantiate

    try:
        return hydra_instantiate(dict(node), _convert_="all", **_trusted())
    except Exception as error:
        ours = as_ours(error)
        if isinstance(ours, ConfigError) and isinstance(error, HydraException) and not _inside(error):
            raise ConfigError(f"{where}: {ours}") from error
        if ours is None:
            raise
        raise ours from error


def _base() -> dict[str, Any]:
    """Hydra 1.3 wants to be told which version's habits to take; from 1.4 on there is nothing to tell."""
    from hydra.version import __version__

    return {"version_base": "1.3"} if __version__.startswith("1.3.") else {}


def _trusted(name: str = "_execution_whitelist_") -> dict[str, Any]:
    """From Hydra 1.4 on, a configuration names which classes it may make; ours may make any, as its user's tasks are code."""
    from hydra import utils

    unchecked = getattr(utils, "UNSAFE_DISABLE_EXECUTION_CHECKS", None)
    return {} if unchecked is None else {name: unchecked}


def _importable(words: Sequence[str]) -> None:
    """Users' own tasks import from the current folder and from the one that holds their configuration."""
    _, folder = config_folder(words)
    places = [Path.cwd(), *([folder.resolve().parent] if folder else [])]
    for place in places:
        if str(place) not in sys.path:
            sys.path.append(str(place))


def _inside(error: BaseException | None) -> EvalkitError | None:
    met: set[int] = set()
    while error is not None and id(error) not in met:  # `raise error from error` leads back to itself
        if isinstance(error, EvalkitError):
            return error
        met.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def as_ours(error: BaseException | None) -> EvalkitError | None:
    """Our own error inside whatever Hydra wrapped around it, or Hydra's made into one of ours; None for any other."""
    if own := _inside(error):
        return own
    if isinstance(error, OSError) and error.filename:
        return ConfigError(f"{error.filename}: {error.strerror}; see that it exists and may be read and written")
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("evalkit"):
        return ConfigError(missing(error.name))
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if error is not None and type(error).__module__.startswith("submitit."):
        return EvalkitError(f"a job on the queue did not end ({explain(error)}); its log says why, and the same command continues")
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return None
    return ConfigError(explain(error))
