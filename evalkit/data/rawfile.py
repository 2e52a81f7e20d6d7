"""Rows out of a raw file of a data set's repository: JSON in its usual shapes, JSON lines, tables, parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.data.spec import Row
from evalkit.errors import DataError
from evalkit.extras import need
from evalkit.files import read_jsonl


def read_raw(task: str, path: Path, records: str | None, columns: tuple[str, ...] = ()) -> list[Row]:
    """Every row of a `.json`, `.jsonl[.gz]`, `.tsv`, `.csv` or `.parquet` file, in order.

    Args:
        records: where the rows are inside a JSON object, a dotted path (`examples`; `data.paragraphs.qas` for SQuAD's
            nesting, whose rows take the plain values of the paragraph and the article they are in). None: the file is a
            list, JSON lines, or an object with exactly one list of objects in it.
        columns: names of a table's columns, needed when the file has no header line with those names.

    Raises:
        DataError: unreadable, or of another shape; names the file (and line, in JSON lines and tables).
    """
    if ".jsonl" in path.suffixes:
        return read_jsonl(path)
    if path.suffix in (".tsv", ".csv"):
        return _table(task, path, "\t" if path.suffix == ".tsv" else ",", columns)
    if path.suffix == ".parquet":
        return _parquet(task, path)
    return _json(task, path, records)


def _json(task: str, path: Path, records: str | None) -> list[Row]:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"task {task}: cannot read {path}: {error}; restore the file") from error
    except ValueError as error:
        # JSON lines under the name .json: more than one value is "extra data" to a JSON parser.
        if records is None and getattr(error, "msg", "") == "Extra data":
            return read_jsonl(path)
        raise DataError(f"task {task}: {path} is not valid JSON ({error}); delete it from the cache and read it again") from error
    if records is not None:
        return _nested(task, path, content, records.split("."))
    if isinstance(content, dict):
        lists = [key for key, value in content.items() if _is_rows(value) and value]
        if len(lists) > 1:
            raise DataError(f"task {task}: {path.name} holds several lists ({', '.join(lists)}); set data.records to one of them")
        # A JSON-lines file of a single row is an object without a list in it.
        content = content[lists[0]] if lists else [content]
    if not _is_rows(content):
        raise DataError(f"task {task}: {path.name} is not a list of objects; set data.records to the key of that list")
    return list(content)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _nested(task: str, path: Path, content: Any, keys: list[str]) -> list[Row]:
    """Down one key a level; a row takes the plain values of the objects around it, its own value first."""

    def descend(node: Any, depth: int, around: Row) -> Iterator[Row]:
        key = keys[depth]
        if not isinstance(node, dict) or key not in node:
            has = ", ".join(node) if isinstance(node, dict) else f"a {type(node).__name__}"
            raise DataError(f"task {task}: {path.name} has no {key!r}; it has: {has}; set data.records")
        if not _is_rows(node[key]):
            raise DataError(f"task {task}: {path.name}: {'.'.join(keys[: depth + 1])} is not a list of objects; set data.records")
        for child in node[key]:
            if depth == len(keys) - 1:
                yield {**around, **child}
            else:
                plain = {k: v for k, v in child.items() if k != keys[depth + 1] and not isinstance(v, (dict, list))}
                yield from descend(child, depth + 1, {**around, **plain})

    return list(descend(content, 0, {}))


def _table(task: str, path: Path, delimiter: str, columns: tuple[str, ...]) -> list[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # Quotes in a TSV are letters like any other: sentences open with them.
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if delimiter == "\t" else csv.reader(file)
            lines = [line for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"task {task}: cannot read {path}: {error}; delete it from the cache and read it again") from error
    header = tuple(name.strip() for name in lines[0]) if lines else ()
    if lines and (not columns or set(columns) <= set(header)):
        names, body = header, lines[1:]
    else:
        names, body = columns, lines
    for number, line in enumerate(body, start=len(lines) - len(body) + 1):
        if len(line) != len(names):
            raise DataError(f"task {task}: {path}:{number}: {len(line)} columns, not {len(names)} ({', '.join(names)}); set data.columns")
    return [dict(zip(names, line, strict=True)) for line in body]


def _parquet(task: str, path: Path) -> list[Row]:
    need("pyarrow", f"task {task}: {path}", DataError)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_table(path).to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"task {task}: cannot read {path}: {error}; delete it from the cache and read it again") from error
