"""evalkit from Python: `evaluate` returns what `evalkit run` measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.data import Source
from evalkit.errors import ConfigError, did_you_mean
from evalkit.models.base import Model
from evalkit.paths import conf_dir
from evalkit.progress import Silent, default_progress
from evalkit.results import RunResult
from evalkit.task import Task


def evaluate(
    model: str | Model | Any,
    tasks: str | Task | Sequence[str | Task],
    *,
    tokenizer: Any = None,
    limit: int | None = None,
    data: str | Source = "auto",
    chat: bool | None = None,
    run_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
    progress: bool = True,
) -> RunResult:
    """Measure a model on tasks and return the run.

    Args:
        model: a configured name (`smollm2_135m`), a checkpoint (folder, hub id or .gguf file), a back end object, or a
            transformers model in memory, which is measured as it is and left as it was.
        tokenizer: of a model in memory.
        tasks: configured names, `Task` objects, or both; `[]` with `overrides=["suite=NAME"]` for a suite.
        limit: documents per task, spread evenly over its languages and subjects; None = all.
        data: a configured source (`auto`, `hub`, `wheel`, `samples`; for `local` also give
            `overrides=["data.root=DIR"]`), or a source object.
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
        from evalkit.models.hf.loaded import LoadedModel, untouched

        held = LoadedModel(model, tokenizer)
        with untouched(held.given):
            try:
                return evaluate(held, tasks, limit=limit, data=data, chat=chat, run_dir=run_dir, overrides=overrides, progress=progress)
            finally:
                held.release()
    if tokenizer is not None:
        raise ConfigError("tokenizer= belongs to a transformers model in memory; a named model or a checkpoint brings its own")
    wanted = [tasks] if isinstance(tasks, (str, Task)) else list(tasks)
    names = [task for task in wanted if isinstance(task, str)]
    words = [f"task=[{','.join(names)}]"] if wanted else []
    words += [*_model_words(model)] if isinstance(model, str) else []
    words += [f"data={data}"] if isinstance(data, str) else []
    words += [f"limit={limit}"] if limit is not None else []
    words += [f"chat={str(chat).lower()}"] if chat is not None else []
    setup = build(compose([*words, *overrides]), allow_no_task=len(names) < len(wanted))
    chosen = [setup.tasks[task] if isinstance(task, str) else task for task in wanted] or list(setup.tasks.values())
    back_end = setup.model() if isinstance(model, str) else model
    source, settings = setup.source if isinstance(data, str) else data, setup.settings
    folder = Path(run_dir) if run_dir else None
    if folder is None and isinstance(model, str) and isinstance(data, str) and len(names) == len(wanted):
        folder = setup.folder(run_identity(back_end, chosen, source, settings.limit, settings.chat))
    return run(
        back_end,
        chosen,
        source,
        limit=settings.limit,
        chat=settings.chat,
        folder=folder,
        config=_config(setup.config, model, len(names) == len(wanted)),
        overwrite=settings.overwrite,
        missing=settings.missing,
        progress=default_progress() if progress else Silent(),
    )


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
