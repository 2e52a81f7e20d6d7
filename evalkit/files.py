"""Files: written whole or not at all, JSON, JSON lines and hashes. The one place that knows how."""

from __future__ import annotations

import codecs
import errno
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from evalkit.errors import DataError, EvalkitError, FileError

FULL = (errno.ENOSPC, errno.EDQUOT)


def write_atomic(
    path: Path, content: str | bytes | Iterable[str], setting: str = "results_dir=DIR", error: type[EvalkitError] = FileError
) -> None:
    """Write the whole content or nothing: a crash or a full disk never leaves half a file under this name.

    The file is flushed to the disk before it gets its name, and is as readable as any file its author makes.

    Args:
        setting: what the user sets to choose another place; named in the error.
        error: the class of the error.

    Raises:
        EvalkitError: no space, or not allowed to write there; names the file and the setting.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        if isinstance(content, bytes):
            with os.fdopen(handle, "wb") as raw:
                raw.write(content)
                _settle(raw)
        else:
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.writelines([content] if isinstance(content, str) else content)
                _settle(file)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        temporary = None
    except OSError as failure:
        if failure.errno in FULL:
            raise error(
                f"no space left to write {path}; free some space and run the same command again: answers already saved are safe"
            ) from failure
        raise error(f"{path} cannot be written ({failure.strerror or failure}); choose another place with {setting}") from failure
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _settle(file: IO[Any]) -> None:
    """To the disk: a power cut must not leave the new name with no content."""
    file.flush()
    os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def dump(value: Any) -> str:
    """Readable JSON with a final newline."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"


def line(value: Any) -> str:
    """One line of JSON lines."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str) + "\n"


def read_text(path: Path, advice: str) -> str:
    """A whole UTF-8 file.

    Raises:
        DataError: it cannot be read; ends with `advice`.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); {advice}") from error


def read_object(path: Path, advice: str) -> dict[str, Any]:
    """The JSON object in a file; empty when there is no such file.

    Raises:
        DataError: the file cannot be read or holds no JSON; ends with `advice`.
    """
    if not path.is_file():
        return {}
    try:
        loaded = json.loads(read_text(path, advice))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); {advice}") from error
    return loaded if isinstance(loaded, dict) else {}


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Every object of a JSON-lines file (`.gz` is unpacked), in order; blank lines are skipped.

    Raises:
        DataError: the file cannot be read, or a line is not a JSON object; names `file:line`.
    """
    return [row for _, row in numbered_jsonl(path)]


def numbered_jsonl(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """(line number from 1, row) of every object; otherwise as `read_jsonl`."""
    return list(_objects(path))


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, row in json_lines(path):
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: a {type(row).__name__}, not a JSON object; every line must be one row")
        yield number, row


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number from 1, value) of a JSON-lines file, `.gz` too; blank lines and a byte order mark are skipped.

    Raises:
        DataError: the file cannot be read, or a line is not JSON; names `file:line`.
    """
    try:
        with _open(path) as lines:
            for number, text in enumerate(lines, start=1):
                if number == 1:
                    text = text.removeprefix(codecs.BOM_UTF8)
                if text.strip():
                    yield number, _value(path, number, text)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give a JSON-lines file") from error
    except (OSError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}; restore the file or give another") from error


def _value(path: Path, number: int, text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        said = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else error
        raise DataError(f"{path}:{number}: not valid JSON ({said}); correct or remove that line") from error


def to_jsonl(rows: Iterable[Any]) -> str:
    """One line of JSON per row, in the row's own field order."""
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _open(path: Path) -> IO[bytes]:
    """Bytes, so that a line which is no UTF-8 is an error of that line."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; give a file that can be read") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
