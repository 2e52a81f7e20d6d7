"""A run in one small file: scores and what each document got, without any text. Read, it is a `SavedRun`.

    evalkit export RUN to=baseline out=main.baseline

A line that says what it is, then LZMA over MessagePack. Per document: its id, 32 bits of its prompt, its language, group and
cluster (numbered), and the headline's value with the sufficient statistics of a corpus metric, or with who rated what: all that a
paired test needs.
"""

from __future__ import annotations

import lzma
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from evalkit.errors import ConfigError, DataError
from evalkit.files import write_atomic
from evalkit.store.columns import MetricColumn, Ratings, TaskColumns
from evalkit.store.scores import from_json, to_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalkit.store.saved_run import SavedRun

MAGIC = b"evalkit baseline 1\n"
_KEPT_OF_DATA = ("path", "name", "split", "files", "revision")
_KEPT_OF_MANIFEST = ("evalkit", "model", "counts", "durations_s", "hardware")


class _Numbers(msgspec.Struct):
    """An array: `kind` is numpy's name of its type; two-dimensional ones are written column by column."""

    kind: str
    shape: tuple[int, ...]
    data: bytes


class _Raters(msgspec.Struct):
    names: list[str]
    docs: _Numbers
    raters: _Numbers
    values: _Numbers


class _Task(msgspec.Struct):
    docs: str  # ids, a line each
    languages: tuple[list[str], _Numbers]
    groups: tuple[list[str], _Numbers]
    clusters: _Numbers
    asked: _Numbers
    values: _Numbers
    invalid: _Numbers
    stats: _Numbers | None
    tokens: int
    ratings: _Raters | None = None


class _File(msgspec.Struct):
    scores: str
    manifest: dict[str, Any]
    config: dict[str, Any]
    tasks: dict[str, _Task]


def write_baseline(run: SavedRun, path: Path) -> int:
    """Write a run's baseline; returns its size in bytes.

    Raises:
        ConfigError: the run kept no samples, so that nothing could be paired with it.
    """
    if missing := [name for name, task in run.result.tasks.items() if name not in run.columns and task.score.value is not None]:
        raise ConfigError(f"{run.path} kept no samples of {', '.join(missing)}, so nothing could be held against such a baseline")
    number: dict[Hashable, int] = {}
    tasks = {name: _packed(run.columns[name], task.headline, number) for name, task in run.result.tasks.items() if name in run.columns}
    found = _File(to_json(run.result), _some(run.result.manifest, _KEPT_OF_MANIFEST), _config(run.config), tasks)
    text = MAGIC + lzma.compress(msgspec.msgpack.encode(found), preset=9 | lzma.PRESET_EXTREME)
    write_atomic(path, text, "out=FILE")
    return len(text)


def read_baseline(path: Path) -> SavedRun:
    """A baseline as the run that it was; its samples have no texts (`has_samples` is False).

    Raises:
        ConfigError: the file is no baseline.
        DataError: it is damaged.
    """
    from evalkit.store.saved_run import SavedRun

    text = path.read_bytes()
    if not text.startswith(MAGIC):
        other = text.startswith(b"evalkit baseline ")
        why = (
            "of another version of evalkit; export it again"
            if other
            else "no run: give a run's folder, or a file of evalkit export to=baseline"
        )
        raise ConfigError(f"{path} is {why}")
    try:
        found = msgspec.msgpack.decode(lzma.decompress(text[len(MAGIC) :]), type=_File)
        columns = {name: _unpacked(name, task, found) for name, task in found.tasks.items()}
        result = from_json(found.scores, path=path)
    except (lzma.LZMAError, EOFError, msgspec.MsgspecError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}); export it again with evalkit export RUN to=baseline") from error
    return SavedRun(path, replace(result, manifest=found.manifest, path=None), found.config, has_samples=False, kept=columns)


def _some(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Which model and which rows: no prompt, no path of the machine."""
    tasks = {name: {"data": _some((task or {}).get("data") or {}, _KEPT_OF_DATA)} for name, task in (config.get("tasks") or {}).items()}
    return {**_some(config, ("model", "card", "limit")), "tasks": tasks}


def _packed(columns: TaskColumns, headline: str, number: dict[Hashable, int]) -> _Task:
    import numpy as np

    metric = columns.metrics[headline]
    labels = [-1 if label is None else number.setdefault(label, len(number)) for label in columns.clusters]
    return _Task(
        docs="\n".join(columns.docs),
        languages=_labels(columns.languages),
        groups=_labels(columns.groups),
        clusters=_numbers(np.array(labels, dtype=np.int64)),
        asked=_numbers(columns.asked),
        values=_numbers(metric.values),
        invalid=_numbers(metric.invalid.astype(np.int64)),
        stats=None if metric.stats is None else _numbers(metric.stats),
        tokens=int(columns.tokens.clip(min=0).sum()),
        ratings=_ratings(metric.ratings) if metric.ratings is not None else None,
    )


def _ratings(given: Ratings) -> _Raters:
    return _Raters(list(given.names), _numbers(given.docs), _numbers(given.raters), _numbers(given.values))


def _unpacked(name: str, task: _Task, found: _File) -> TaskColumns:
    import numpy as np

    docs = tuple(task.docs.split("\n")) if task.docs else ()
    n = len(docs)
    headline = msgspec.json.decode(found.scores)["tasks"][name]["headline"]
    stats = None if task.stats is None else _array(task.stats)
    told = task.ratings
    ratings = None
    if told is not None:
        ratings = Ratings(_array(told.docs).astype(np.int64), _array(told.raters).astype(np.int64), _array(told.values), tuple(told.names))
    metric = MetricColumn(_array(task.values), _array(task.invalid).astype(bool), stats, ratings)
    return TaskColumns(
        task=name,
        docs=docs,
        languages=_texts(task.languages),
        groups=_texts(task.groups),
        clusters=tuple(None if label < 0 else f"cluster {label:.0f}" for label in _array(task.clusters)),
        offsets=np.zeros(n, dtype=np.int64),
        asked=_array(task.asked).astype(np.int64),
        tokens=np.full(n, task.tokens // max(1, n), dtype=np.int64),
        confidence=np.full(n, np.nan),
        confident_right=np.zeros(n, dtype=bool),
        metrics={headline: metric},
    )


def _labels(labels: Iterable[str | None]) -> tuple[list[str], _Numbers]:
    """Distinct labels, and which of them each document has; -1 for none."""
    import numpy as np

    number: dict[str, int] = {}
    places = [-1 if label is None else number.setdefault(label, len(number)) for label in labels]
    return list(number), _numbers(np.array(places, dtype=np.int64))


def _texts(packed: tuple[list[str], _Numbers]) -> tuple[str | None, ...]:
    names, places = packed
    return tuple(None if place < 0 else names[int(place)] for place in _array(places))


def _numbers(values: NDArray[Any]) -> _Numbers:
    """In the smallest type that holds every number; whole ones of a table as differences from three columns before.

    n-gram counts of one order differ little from those of the order before, which makes nearly all of them small.
    """
    import numpy as np

    whole = values.dtype != np.float64 or bool(np.isfinite(values).all() and (values == np.round(values)).all())
    if not whole:
        # NaN (not measured) among right and wrong answers is kept as -1.
        if values.ndim == 1 and bool(np.isin(values[~np.isnan(values)], (0.0, 1.0)).all()):
            return _Numbers("nan", values.shape, np.where(np.isnan(values), -1, values).astype(np.int8).tobytes())
        return _Numbers("<f8", values.shape, np.ascontiguousarray(values.T, dtype="<f8").tobytes())
    table = values.astype(np.int64)
    if table.ndim == 2:
        table = np.concatenate([table[:, :3], table[:, 3:] - table[:, :-3]], axis=1)
    low, high = (int(table.min()), int(table.max())) if table.size else (0, 0)
    kind = next(kind for kind, bits in (("<i1", 7), ("<i2", 15), ("<i4", 31), ("<i8", 63)) if -(2**bits) <= low and high < 2**bits)
    return _Numbers(kind, values.shape, np.ascontiguousarray(table.T, dtype=kind).tobytes())


def _array(packed: _Numbers) -> NDArray[np.float64]:
    import numpy as np

    kind = "<i1" if packed.kind == "nan" else packed.kind
    found = np.frombuffer(packed.data, dtype=kind).reshape(packed.shape[::-1]).T.astype(np.float64)
    if packed.kind == "nan":
        return np.where(found < 0, np.nan, found)
    if found.ndim == 2 and packed.kind != "<f8":
        for column in range(3, found.shape[1]):
            found[:, column] += found[:, column - 3]
    return found
