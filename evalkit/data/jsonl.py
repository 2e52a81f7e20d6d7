"""Reading and writing JSON lines with errors that name file and line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from evalkit.data.spec import Row
from evalkit.errors import DataError


def read_jsonl(path: Path) -> list[Row]:
    """Every object of a JSON-lines file (`.gz` is unpacked), in order; blank lines are skipped.

    Raises:
        DataError: the file cannot be read, or a line is not a JSON object; names `file:line`.
    """
    return [row for _, row in numbered_jsonl(path)]


def numbered_jsonl(path: Path) -> list[tuple[int, Row]]:
    """(line number from 1, row) of every object; otherwise as `read_jsonl`."""
    try:
        with _open(path) as lines:
            return list(_objects(path, lines))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}; restore the file or choose another source with data=…") from error


def to_jsonl(rows: Iterable[Row]) -> str:
    """One line of JSON a row, in the row's own field order."""
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8"))
    return path.open(encoding="utf-8")


def _objects(path: Path, lines: IO[str]) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{number}: not valid JSON ({error.msg} at column {error.colno}); mend or remove that line") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: a {type(row).__name__}, not a JSON object; every line must be one row")
        yield number, row
