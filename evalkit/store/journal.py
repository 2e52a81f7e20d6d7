"""Append-only answers keyed by content: cache and resume in one.

One line an answer, each with a checksum. A batch is written in one call, so a kill leaves at most
one torn line, at the end; that is repaired with a word. Any other damage is refused with file and
line, because it means that answers were changed after they were given.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from io import FileIO
from pathlib import Path
from typing import Any

from evalkit.errors import JournalError
from evalkit.store.lock import Lock
from evalkit.types import Response

log = logging.getLogger("evalkit")
NAME = "journal.jsonl"
_DEFAULTS = {f.name: f.default for f in fields(Response)}


class Journal:
    """The answers of one run directory; a context manager that holds the directory's lock.

    Args:
        folder: the run directory; None keeps answers in memory only.

    Raises:
        JournalError: another process holds the directory, it cannot be written, or the file is damaged.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = folder / NAME if folder else None
        self.answers: dict[str, Response] = {}
        self._lock: Lock | None = None
        self._file: FileIO | None = None
        if self.path is not None:
            self._open(self.path)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, responses: Iterable[Response]) -> None:
        """Keep answers; an error is no answer and is not kept.

        Raises:
            JournalError: the disk is full or the file cannot be written; what was saved stays valid.
        """
        fresh = {r.key: r for r in responses if r.status != "error" and r.key not in self.answers}
        if self._file is not None and fresh:
            self._write(self._file, b"".join(_line(r) for r in fresh.values()))
        self.answers.update(fresh)

    def _write(self, file: FileIO, content: bytes) -> None:
        """All of `content` or none of it: what a full disk or Ctrl-C cut short is taken back."""
        end = os.fstat(file.fileno()).st_size
        left = memoryview(content)
        try:
            while left:
                left = left[file.write(left) :]
        except BaseException as error:
            with suppress(OSError):
                os.ftruncate(file.fileno(), end)
            if isinstance(error, OSError):
                raise self._unwritable(error) from error
            raise

    def compact(self, order: Sequence[str]) -> None:
        """Put answers into the run's own order, so that an interrupted run ends with the same bytes.

        Answers to other prompts or weights are kept behind them, sorted by key.
        """
        if self.path is None or self._file is None:
            return
        wanted = dict.fromkeys(key for key in order if key in self.answers)
        keys = [*wanted, *sorted(key for key in self.answers if key not in wanted)]
        content = b"".join(_line(self.answers[key]) for key in keys)
        if self.path.read_bytes() == content:
            return
        temporary = self.path.with_suffix(".tmp")
        try:
            with temporary.open("wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())  # a power cut must not leave the new name with no content
            os.replace(temporary, self.path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise self._unwritable(error) from error
        self._file.close()
        self._file = _appending(self.path)

    def close(self) -> None:
        """Flush to the disk and release the lock."""
        file, lock, self._file, self._lock = self._file, self._lock, None, None
        try:
            if file is not None:
                with file:
                    os.fsync(file.fileno())
        finally:
            if lock is not None:
                lock.close()

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(path.parent)
            self._load(path)
            self._file = _appending(path)
        except OSError as error:
            self.close()
            raise self._unwritable(error) from error
        except JournalError:
            self.close()
            raise

    def _load(self, path: Path) -> None:
        answers, torn = read(path)
        self.answers.update(answers)
        if torn is not None:
            log.warning("%s: the last line was cut off by an interruption; removed it, its answer will be asked again", path)
            os.truncate(path, torn)

    def _unwritable(self, error: OSError) -> JournalError:
        kept = f"{len(self.answers)} answers are saved"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return JournalError(f"no space left for {self.path}; {kept}: free some space and run the same command again")
        return JournalError(f"{self.path} cannot be written ({error.strerror or error}); {kept}: choose another place with results_dir=DIR")


def _appending(path: Path) -> FileIO:
    # Unbuffered: nothing is left to be written, and to fail, at close.
    return FileIO(path, "ab")


def read(path: Path) -> tuple[dict[str, Response], int | None]:
    """Answers by key, and the offset of a torn last line (None when the file is whole).

    Raises:
        JournalError: a line fails its checksum; the message has file and line number.
    """
    answers: dict[str, Response] = {}
    offset = 0
    if not path.exists():
        return answers, None
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if not line.endswith(b"\n"):
                return answers, offset
            response = _parse(line)
            if response is None:
                raise JournalError(
                    f"{path}:{number} is damaged (its checksum does not match); restore the file, or delete that line to ask again"
                )
            answers[response.key] = response
            offset += len(line)
    return answers, None


def _line(response: Response) -> bytes:
    """One JSON object a line; fields at their default are left out; `crc` is over the rest."""
    kept = {name: value for name in _DEFAULTS if (value := getattr(response, name)) != _DEFAULTS[name]}
    body = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate cannot be UTF-8; JSON's escapes can hold it.
    raw = body.encode() if body.isascii() or _encodable(body) else json.dumps(kept, separators=(",", ":")).encode()
    return raw[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(raw)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse(line: bytes) -> Response | None:
    body, crc = line[:-19] + b"}", line[-19:-1]
    if crc != b',"crc":"%08x"}' % zlib.crc32(body):
        return None
    try:
        raw: dict[str, Any] = json.loads(body)
        for name in ("loglikelihoods", "greedy"):
            if name in raw:
                raw[name] = tuple(raw[name])
        return Response(**raw)
    except (ValueError, TypeError):
        return None  # whole, but not written by this version
