"""evalkit from Python: `evaluate` returns what `evalkit run` measures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.data import Source
from evalkit.models.base import Model
from evalkit.progress import Silent, default_progress
from evalkit.results import RunResult
from evalkit.task import Task


def evaluate(
    model: str | Model,
    tasks: str | Task | Sequence[str | Task],
    *,
    limit: int | None = None,
    data: str | Source = "auto",
    chat: bool | None = None,
    run_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
    progress: bool = True,
) -> RunResult:
    """Measure a model on tasks and return the run.

    Args:
        model: a configured name (`smollm2_135m`), a checkpoint (folder, hub id or .gguf file), or a back end object.
        tasks: configured names, `Task` objects, or both.
        limit: documents a task, spread evenly over its languages and subjects; None = all.
        data: a configured source (`auto`, `hub`, `wheel`, `samples`; for `local` also give
            `overrides=["data.root=DIR"]`), or a source object.
        run_dir: where answers are kept; None = in memory for objects, else the command line's own directory.
        overrides: further settings as on the command line, `["tasks.mmlu.num_fewshot=0"]`.

    Raises:
        EvalkitError: anything a user can mend, in one line.
    """
    from evalkit import cli
    from evalkit.runner import run

    wanted = [tasks] if isinstance(tasks, (str, Task)) else list(tasks)
    names = [task for task in wanted if isinstance(task, str)]
    words = [*overrides, f"task=[{','.join(names)}]"]
    words += [*cli.model_words(model)] if isinstance(model, str) else ["model=fake"]
    words += [f"data={data}"] if isinstance(data, str) else []
    words += [f"limit={limit}"] if limit is not None else []
    words += [f"chat={str(chat).lower()}"] if chat is not None else []
    config = cli.compose(words)
    parts = cli.build(config, allow_no_task=True)
    chosen = [parts.tasks[task] if isinstance(task, str) else task for task in wanted]
    folder: Path | None = Path(run_dir) if run_dir else None
    if folder is None and isinstance(model, str) and isinstance(data, str) and len(names) == len(wanted):
        folder = parts.folder
    return run(
        parts.model if isinstance(model, str) else model,
        chosen,
        parts.source if isinstance(data, str) else data,
        limit=limit,
        chat=chat,
        folder=folder,
        config=parts.config if len(names) == len(wanted) else None,
        progress=default_progress() if progress else Silent(),
    )
