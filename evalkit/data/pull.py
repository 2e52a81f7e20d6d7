"""Mirroring rows for machines without a network; `data=local data.root=DIR` reads the mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from evalkit.data import mirror
from evalkit.data.spec import DataSpec, Source, SplitNotCarried
from evalkit.errors import DataError
from evalkit.files import sha256_file, to_jsonl, write_atomic


class TaskLike(Protocol):
    """What mirroring needs of a task."""

    @property
    def name(self) -> str: ...
    @property
    def data(self) -> DataSpec: ...
    @property
    def languages(self) -> Sequence[str]: ...


def pull(tasks: Iterable[TaskLike], source: Source, root: str | Path, say: Callable[[str], None] = print) -> list[Path]:
    """Write each task's evaluated and few-shot split to `<root>/<task>[/<language>]/<split>.jsonl`.

    A file that is there, complete (its checksum is the manifest's) and of the same data set and revision is
    left alone, so an interrupted pull continues. `<root>/manifest.json` records source and checksum.

    Returns:
        The files of the mirror that belong to these tasks.

    Raises:
        DataError: rows out of reach, or the folder cannot be written.
    """
    base = Path(root).expanduser()
    manifest = mirror.read(base)
    files = []
    for task in tasks:
        for split, language in _wanted(task):
            path = _one(task, source, split, language, base, manifest, say)
            if path is not None:
                files.append(path)
    return files


def _wanted(task: TaskLike) -> Iterator[tuple[str, str | None]]:
    for split in dict.fromkeys(filter(None, (task.data.split, task.data.fewshot_split))):
        for language in tuple(task.languages) or (None,):
            yield split, language


def _one(
    task: TaskLike, source: Source, split: str, language: str | None, base: Path, manifest: mirror.Manifest, say: Callable[[str], None]
) -> Path | None:
    spec = task.data
    relative = "/".join(filter(None, (task.name, language, f"{spec.local_stem(split)}.jsonl")))
    path = base / relative
    identity = _identity(spec, split, language)
    if _complete(manifest.files.get(relative), identity, path):
        say(f"{path}: already there")
        return path
    try:
        read = source.rows(task.name, spec, split, language)
    except SplitNotCarried as error:
        if split == spec.split:
            raise
        manifest.absent[relative] = str(error)
        mirror.write(base, manifest)
        say(f"{path}: left out: {error}")
        return None
    write_atomic(path, to_jsonl(read.rows), mirror.SETTING, DataError)
    manifest.absent.pop(relative, None)
    manifest.files[relative] = mirror.Entry(identity, read.where, read.revision, read.sample_rows, len(read.rows), sha256_file(path))
    mirror.write(base, manifest)
    say(f"{path}: {len(read.rows):,} rows from {read.where}")
    return path


def _identity(spec: DataSpec, split: str, language: str | None) -> dict[str, Any]:
    return {"path": spec.path, "name": spec.name, "revision": spec.revision, "split": split, "language": language}


def _complete(entry: mirror.Entry | None, identity: dict[str, Any], path: Path) -> bool:
    # Sample rows are never taken for the benchmark, even when they lie under its name.
    if entry is None or entry.sample_rows or entry.identity != identity or not path.is_file():
        return False
    return sha256_file(path) == entry.sha256
