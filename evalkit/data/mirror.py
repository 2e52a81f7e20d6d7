"""The manifest of a mirror: which file holds which rows, from where, and their checksum."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import DataError

NAME = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One mirrored file.

    identity: data set, configuration, revision and split it was asked for.
    sha256: of the file's bytes.
    """

    identity: dict[str, Any]
    where: str
    revision: str | None
    sample_rows: bool
    rows: int
    sha256: str


@dataclass
class Manifest:
    """files: by path below the root. absent: splits the source did not carry, with its reason."""

    files: dict[str, Entry] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def read(root: Path) -> Manifest:
    """The mirror's manifest; an empty one when the folder was made by hand.

    Raises:
        DataError: the manifest is damaged.
    """
    path = root / NAME
    if not path.is_file():
        return Manifest()
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Manifest({name: Entry(**entry) for name, entry in raw["files"].items()}, dict(raw["absent"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and run `evalkit data pull` again") from error


def write(root: Path, manifest: Manifest) -> None:
    """Raises DataError when the folder cannot be written."""
    files = {name: asdict(entry) for name, entry in sorted(manifest.files.items())}
    payload = {"files": files, "absent": dict(sorted(manifest.absent.items()))}
    write_atomic(root / NAME, json.dumps(payload, ensure_ascii=False, indent=1) + "\n")


def write_atomic(path: Path, text: str) -> None:
    """The whole text or nothing: a crash or a full disk never leaves half a file under this name.

    Raises:
        DataError: the folder cannot be written, or the disk is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".pull-", delete=False) as file:
            temporary = file.name
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # a temporary file is private; a mirror is for sharing
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise DataError(f"cannot write {path}: {error.strerror or error}; free some space or choose another data.root") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256_file(path: Path) -> str:
    """Raises DataError when the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
