"""Rows from a folder of JSON lines: a mirror made by `evalkit data pull`, or one of your own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evalkit.data import mirror
from evalkit.data.jsonl import read_jsonl
from evalkit.data.spec import DataSpec, Rows, SplitNotCarried
from evalkit.errors import ConfigError, DataError


@dataclass(frozen=True)
class LocalSource:
    """`<root>/<task>[/<language>]/<split>.jsonl`; failing that, the same below the spec's `folder`."""

    root: str | None = None

    def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
        """Raises:
        ConfigError: no root was given.
        DataError: folder or file missing (the message lists what is there), or a line is not a JSON object.
        SplitNotCarried: the mirror's manifest says that its source lacked this split.
        """
        if not self.root:
            raise ConfigError("data=local needs a folder: add data.root=DIR (made by `evalkit data pull … data.root=DIR`)")
        root = Path(self.root).expanduser()
        manifest = mirror.read(root)
        for folder in filter(None, (task, spec.folder)):
            reason = manifest.absent.get("/".join(filter(None, (folder, language, f"{spec.local_stem(split)}.jsonl"))))
            if reason is not None:
                raise SplitNotCarried(f"the mirror {root} was made without it ({reason})")
        path = find(root, task, spec, split, language)
        return _as_pulled(manifest.files.get(path.relative_to(root).as_posix()), path)


def _as_pulled(entry: mirror.Entry | None, path: Path) -> Rows:
    """The file's rows with what the mirror's manifest knows about them."""
    rows, where = read_jsonl(path), f"local mirror {path}"
    if entry is None:
        return Rows(rows, where)
    if mirror.sha256_file(path) != entry.sha256:
        return Rows(rows, where, sample_rows=entry.sample_rows, notes=(f"{path} was changed after it was pulled from {entry.where}",))
    return Rows(rows, where=f"{where} ({entry.where})", revision=entry.revision, sample_rows=entry.sample_rows)


def find(root: Path, task: str, spec: DataSpec, split: str, language: str | None) -> Path:
    """The file of one split below `root`.

    Raises:
        DataError: there is none; names the path looked for and what exists instead.
    """
    if not root.is_dir():
        raise DataError(f"data folder {root} does not exist; give data.root=DIR with <task>/<split>.jsonl inside (see `evalkit data pull`)")
    folders = [root / name for name in dict.fromkeys(filter(None, (task, spec.folder)))]
    stems = dict.fromkeys((spec.local_stem(split), split))
    wanted = [folder / (language or "") / f"{stem}.jsonl" for folder in folders for stem in stems]
    for path in wanted:
        if path.is_file():
            return path
    raise DataError(f"task {task}: no file {wanted[0]}; {_present(root, folders, language)}")


def _present(root: Path, folders: list[Path], language: str | None) -> str:
    """What lies nearest to the missing file."""
    for folder in folders:
        for place in (folder / language, folder) if language else (folder,):
            if place.is_dir():
                return f"{place} has: {_names(place)}"
    return f"{root} has: {_names(root)}"


def _names(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    more = f" … ({len(names)} in all)" if len(names) > 20 else ""
    return (", ".join(names[:20]) + more) or "nothing"
