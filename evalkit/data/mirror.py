"""The manifest of a mirror: which file holds which rows, from where, and their checksum."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import DataError
from evalkit.files import dump, write_atomic

NAME = "manifest.json"
SETTING = "data.root=DIR"


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
    write_atomic(root / NAME, dump(payload), SETTING, DataError)
