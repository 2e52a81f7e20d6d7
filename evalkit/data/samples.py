"""Our own invented rows, shipped with the package: they show the shape of a benchmark, they are not the benchmark."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.data.local import find, read_lines, select
from evalkit.data.spec import DataSpec, Rows
from evalkit.errors import DataError

WHERE = "sample rows, not the benchmark"


@dataclass(frozen=True)
class SamplesSource:
    """`samples/<task or folder>[/<language>]/<split>.jsonl` next to the task modules.

    root: another samples folder, for tasks defined outside the package.
    """

    root: str | None = None

    def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
        """Raises:
        DataError: no sample rows are shipped for this task or split.
        LanguageNotCarried: there are some, in other languages.
        """
        root = Path(self.root).expanduser() if self.root else shipped()
        path = find(root, task, replace(spec, any_languages=True), split, language)
        rows, places = read_lines(path)
        return select(task, spec, path, Rows(rows, where=WHERE, sample_rows=True, places=places), split, language)


def shipped() -> Path:
    """The packaged samples folder.

    Raises:
        DataError: the installation lacks it.
    """
    # The task modules lie in evalkit/tasks in a wheel and in the top-level tasks/ of a checkout:
    # the import system knows which.
    tasks = importlib.import_module("evalkit.tasks")
    for place in tasks.__path__:
        folder = Path(place) / "samples"
        if folder.is_dir():
            return folder
    raise DataError(f"no samples folder next to evalkit.tasks ({', '.join(tasks.__path__)}); reinstall evalkit, or give data.root=DIR")
