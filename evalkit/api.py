"""evalkit from Python: `evaluate` returns what `evalkit run` measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.data import Source
from evalkit.errors import ConfigError, did_you_mean
from evalkit.models.base import Model
from evalkit.paths import conf_dir
from evalkit.progress import Silent, default_progress
from evalkit.results import RunResult
from evalkit.task import Task

if TYPE_CHECKING:
    import pandas

    from evalkit.cards import Card


def evaluate(
    model: str | Model | Any,
    tasks: str | Task | Sequence[str | Task],
    *,
    tokenizer: Any = None,
    limit: int | None = None,
    data: str | Source = "auto",
    chat: bool | None = None,
    num_fewshot: int | None = None,
    languages: Sequence[str] = (),
    system: str | None = None,
    run_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
    progress: bool = True,
) -> Run:
    """Measure a model on tasks and return the run.

    Args:
        model: a configured name (`smollm2_135m`), a checkpoint (folder, hub id or .gguf file), a back end object, or a
            transformers model in memory, which is measured as it is and left as it was.
        tokenizer: of a model in memory.
        tasks: configured names, `Task` objects, or both; `[]` with `overrides=["suite=NAME"]` for a suite.
        limit: documents per task, spread evenly over its languages and subjects; None = all.
        data: a configured source (`auto`, `hub`, `wheel`, `samples`; for `local` also give
            `overrides=["data.root=DIR"]`), or a source object.
        num_fewshot: shots of every task; None = each task's own.
        languages: of multilingual tasks, these alone (ISO 639 codes); empty = each task's own.
        system: a system turn before every conversation that has none.
        run_dir: where answers are kept; None = in memory for objects, else the command line's own directory.
        overrides: further settings as on the command line, `["tasks.mmlu.num_fewshot=0"]`.

    Raises:
        EvalkitError: anything a user can fix, in one line.
    """
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.run.measure import run
    from evalkit.run.prepare import run_identity

    if is_loaded(model):
        asked: dict[str, Any] = {"limit": limit, "data": data, "chat": chat, "num_fewshot": num_fewshot, "languages": languages}
        asked |= {"run_dir": run_dir, "overrides": overrides, "progress": progress}
        return _evaluate_loaded(model, tokenizer, system, tasks, asked)
    if tokenizer is not None:
        raise ConfigError("tokenizer= belongs to a transformers model in memory; a named model or a checkpoint brings its own")
    wanted = [tasks] if isinstance(tasks, (str, Task)) else list(tasks)
    names = [task for task in wanted if isinstance(task, str)]
    named = len(names) == len(wanted)
    words = _words(model, names if wanted else None, data, limit, chat) + _asked_words(model, wanted, languages, system)
    if num_fewshot is not None:
        known = names if wanted else compose([*words, *overrides])["tasks"]
        words += [f"tasks.{name}.num_fewshot={num_fewshot}" for name in known]
    setup = build(compose([*words, *overrides]), allow_no_task=not named)
    chosen = [setup.tasks[task] if isinstance(task, str) else _with_shots(task, num_fewshot) for task in wanted]
    chosen = chosen or list(setup.tasks.values())
    back_end = setup.model() if isinstance(model, str) else model
    source, settings = setup.source if isinstance(data, str) else data, setup.settings
    folder = Path(run_dir) if run_dir else None
    if folder is None and isinstance(model, str) and isinstance(data, str) and named:
        folder = setup.folder(run_identity(back_end, chosen, source, settings.limit, settings.chat))
    result = run(
        back_end,
        chosen,
        source,
        limit=settings.limit,
        chat=settings.chat,
        folder=folder,
        config=_config(setup.config, model, named),
        overwrite=settings.overwrite,
        missing=settings.missing,
        progress=default_progress() if progress else Silent(),
    )
    return Run(**{field.name: getattr(result, field.name) for field in fields(result)})


def _evaluate_loaded(model: Any, tokenizer: Any, system: str | None, tasks: Any, asked: Mapping[str, Any]) -> Run:
    """A transformers model in memory, measured as it is and left as it was."""
    from evalkit.models.hf.loaded import LoadedModel, untouched

    held = LoadedModel(model, tokenizer, system=system)
    with untouched(held.given):
        try:
            return evaluate(held, tasks, **asked)
        finally:
            held.release()


@dataclass(frozen=True)
class Run(RunResult):
    """A run as `evaluate` returns it: scores by task, its table in a notebook, its numbers as a frame."""

    def to_frame(self) -> pandas.DataFrame:
        """Every score in full precision, one row per metric and level (`evalkit.report.to_frame`), next to the card's numbers."""
        from evalkit.report import to_frame

        return to_frame([self], self._cards())

    def _repr_html_(self) -> str:
        from evalkit.report import build
        from evalkit.report.html import fragment

        return fragment(build([self], self._cards()))

    def _cards(self) -> list[Card]:
        from evalkit.config.cards import cards_of

        return cards_of([self.manifest.get("config") or {}])[0]


def _words(model: object, tasks: Sequence[str] | None, data: object, limit: int | None, chat: bool | None) -> list[str]:
    """Command-line words for what is given by name or number; no `task=` where the tasks are a suite's (None)."""
    words = [f"task=[{','.join(tasks)}]"] if tasks is not None else []
    words += _model_words(model) if isinstance(model, str) else []
    words += [f"data={data}"] if isinstance(data, str) else []
    words += [f"limit={limit}"] if limit is not None else []
    return words + ([f"chat={str(chat).lower()}"] if chat is not None else [])


def _asked_words(model: object, tasks: Sequence[str | Task], languages: Sequence[str], system: str | None) -> list[str]:
    """Command-line words for languages and system turn.

    Raises:
        ConfigError: they are for an object, which brings its own.
    """
    from evalkit.config.compose import quoted

    words = []
    if languages:
        if any(isinstance(task, Task) for task in tasks):
            raise ConfigError("languages= is for tasks by name; a Task object brings its own languages")
        codes = [languages] if isinstance(languages, str) else list(languages)
        words.append(f"languages=[{','.join(codes)}]")
    if system is not None and isinstance(model, str):
        words.append(f"model.system={quoted(system)}")
    elif system is not None:
        raise ConfigError("system= is for a model by name, a checkpoint or a model in memory; a back end object brings its own")
    return words


def _with_shots(task: Task, shots: int | None) -> Task:
    return task if shots is None else replace(task, num_fewshot=shots)


def is_loaded(model: object) -> bool:
    """Whether this is a model object of torch rather than a name or a back end; imports nothing."""
    return any(base.__module__.startswith("torch.nn.") for base in type(model).__mro__)


def _model_words(model: str) -> list[str]:
    """Command-line words for a model given by name or as a checkpoint."""
    from evalkit.config.compose import quoted

    known = [file.stem for file in (conf_dir() / "model").glob("*.yaml")]
    if model in known:
        return [f"model={model}"]
    if "/" in model or model.endswith(".gguf") or Path(model).exists():
        return ["model=hf", f"model.path={quoted(model)}", f"model.name={quoted(Path(model).name)}"]
    raise ConfigError(
        f"unknown model {model!r}{did_you_mean(model, known)}; a configured name (evalkit ls models), a folder or a hub id owner/name"
    )


def _config(config: Mapping[str, Any], model: str | Model, named: bool) -> dict[str, Any]:
    """What the manifest keeps: only what really was configured, so nothing of a stand-in for an object."""
    kept = dict(config) if named else {key: value for key, value in config.items() if key != "tasks"}
    return kept if isinstance(model, str) else kept | {"model": {"name": model.name}}
