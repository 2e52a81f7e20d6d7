"""Ratings that a server is given: appended as they come, one file per rater, a line per change.

Every line has a checksum. A line is written in one call and flushed to the disk before the page is told, so that a kill or a power
cut leaves at most one torn line, at the end; that is repaired with a word. Any other damage is refused with file and line.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from evalkit.errors import DataError, JournalError
from evalkit.rating.ratings import Record, read_record
from evalkit.rating.sheet import RATINGS, Rater, Sheet

log = logging.getLogger("evalkit")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of one prompt; `revision` counts its changes."""

    revision: int
    record: Record


class RatingJournals:
    """The journals of a sheet's raters; a context manager that holds the folder's lock.

    Raises:
        JournalError: another server has the folder, it cannot be written, or a journal is damaged.
    """

    def __init__(self, folder: Path, sheet: Sheet) -> None:
        self._folder = folder / RATINGS
        self._sheet = sheet
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                self._lock = opened.enter_context(_locked(self._folder))
                self.entries = {rater.id: _repaired(self._folder / f"{rater.id}.jsonl", rater) for rater in sheet.raters}
                opened.pop_all()  # held until `__exit__`
        except OSError as error:
            raise JournalError(f"{self._folder} cannot be written ({error.strerror or error}); free it or its disk") from error

    def __enter__(self) -> RatingJournals:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def put(self, rater: Rater, slot: str, base: int, raw: Any) -> tuple[Entry, bool]:
        """Keep a prompt's ratings.

        Args:
            base: the revision that the page had when its rater changed it. Where another tab changed it since, both
                changes are kept: what each of them rated, and of what both rated the later.

        Returns:
            What is kept now, and whether it is what the page sent.

        Raises:
            DataError: the record does not fit the page.
            JournalError: it cannot be written; nothing was changed.
        """
        sent = read_record(rater.id, slot, raw, rater)
        mine = self.entries[rater.id]
        before = mine.get(slot)
        kept = sent if before is None or before.revision == base else merged(before.record, sent)
        if before is not None and kept == before.record:
            return before, kept == sent
        entry = Entry((before.revision if before else 0) + 1, kept)
        _append(self._folder / f"{rater.id}.jsonl", slot, entry)
        mine[slot] = entry
        return entry, kept == sent


def merged(one: Record, other: Record) -> Record:
    """Both records' ratings; of what both rated, the later record's."""
    early, late = (one, other) if one.at <= other.at else (other, one)
    return Record(
        answers={**early.answers, **late.answers},
        comments={**early.comments, **late.comments},
        seconds=max(one.seconds, other.seconds),
        at=late.at,
        text=late.text,
    )


def read_journal(path: Path, rater: Rater) -> tuple[dict[str, Entry], int | None]:
    """The newest entry of every prompt, and the offset of a torn last line (None when the file is whole).

    Raises:
        JournalError: a line fails its checksum, or does not fit the sheet; names `file:line`.
    """
    found: dict[str, Entry] = {}
    offset = 0
    if not path.exists():
        return found, None
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            if not line.endswith(b"\n"):
                return found, offset
            body, crc = line[:-19] + b"}", line[-19:-1]
            if crc != b',"crc":"%08x"}' % zlib.crc32(body):
                raise JournalError(f"{path}:{number} is damaged (its checksum does not match); restore the file, or remove that line")
            try:
                raw = json.loads(body)
                record = read_record(f"{path}:{number}", raw["slot"], raw["record"], rater)
                found[raw["slot"]] = Entry(int(raw["revision"]), record)
            except (ValueError, KeyError, TypeError, DataError) as error:
                raise JournalError(f"{path}:{number} is no rating of this sheet ({error}); choose the folder it belongs to") from error
            offset += len(line)
    return found, None


def _repaired(path: Path, rater: Rater) -> dict[str, Entry]:
    found, torn = read_journal(path, rater)
    if torn is not None:
        log.warning("%s: the last line was cut off by an interruption; removed it, the page sends it again", path)
        os.truncate(path, torn)
    return found


def _append(path: Path, slot: str, entry: Entry) -> None:
    told = {"slot": slot, "revision": entry.revision, "record": msgspec.to_builtins(entry.record)}
    raw = json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode()
    line = raw[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(raw)
    try:
        with path.open("ab", buffering=0) as handle:
            end = os.fstat(handle.fileno()).st_size
            try:
                if handle.write(line) != len(line):
                    raise OSError("the disk took only a part of the line")
                os.fsync(handle.fileno())
            except OSError:
                os.ftruncate(handle.fileno(), end)
                raise
    except OSError as error:
        raise JournalError(f"{path} cannot be written ({error.strerror or error}); what was kept before stays") from error


def _locked(folder: Path) -> IO[str]:
    handle = (folder / "lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise JournalError(f"{folder} is in use by another evalkit rate serve; stop that one first") from error
    return handle
