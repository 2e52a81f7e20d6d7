"""Rows from a folder of JSON lines: a mirror made by `evalkit data pull`, or one of your own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.data import mirror
from evalkit.data.spec import DataSpec, LanguageNotCarried, NoRows, Row, Rows, SplitNotCarried
from evalkit.errors import ConfigError, DataError
from evalkit.files import numbered_jsonl, sha256_file


@dataclass(frozen=True)
class LocalSource:
    """`<root>/<task>[/<language>]/<split>.jsonl`; failing that, the same below the spec's `folder`."""

    root: str | None = None

    def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
        """Raises:
        ConfigError: no root was given.
        DataError: folder or file missing (the message lists what is there), or a line is not a JSON object.
        LanguageNotCarried: see `find` and `select`.
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
        inside = path.is_relative_to(root)
        read = _as_pulled(manifest.files.get(path.relative_to(root).as_posix()) if inside else None, path)
        return select(task, spec, path, read, split, language)


def _as_pulled(entry: mirror.Entry | None, path: Path) -> Rows:
    """The file's rows with what the mirror's manifest knows about them."""
    rows, places = read_lines(path)
    where = f"local mirror {path}"
    if entry is None:
        return Rows(rows, where, places=places)
    if sha256_file(path) != entry.sha256:
        note = f"{path} was changed after it was pulled from {entry.where}"
        return Rows(rows, where, sample_rows=entry.sample_rows, notes=(note,), places=places)
    return Rows(rows, f"{where} ({entry.where})", revision=entry.revision, sample_rows=entry.sample_rows, places=places)


def read_lines(path: Path) -> tuple[list[Row], tuple[str, ...]]:
    """(rows, `file:line` of each)."""
    numbered = numbered_jsonl(path)
    return [row for _, row in numbered], tuple(f"{path}:{number}" for number, _ in numbered)


def select(task: str, spec: DataSpec, path: Path, read: Rows, split: str, language: str | None) -> Rows:
    """The rows of one split and language, where a file may hold several (`one_file`); otherwise all of them.

    Raises:
        DataError: a row names another split than the file it lies in.
        LanguageNotCarried: the file has none of this language.
    """
    if not spec.one_file:
        return read
    splits = (None, split, spec.local_stem(split))
    field = spec.language_field
    several = language is not None and path.parent.name != language
    kept = []
    for number, (row, place) in enumerate(zip(read.rows, read.places, strict=True)):
        if row.get("split") not in splits:
            if not several and path.stem in splits:
                raise DataError(f"task {task}: {place}: split {row['split']!r} in a file of split {split!r}; fix the row or move it")
            continue
        if not (several and field and row.get(field) not in (None, language)):
            kept.append((number, row, place))
    if not kept and read.rows:
        raise LanguageNotCarried(f"task {task}: {path} has no row of split {split!r}" + (f" in language {language!r}" if language else ""))
    if len(kept) == len(read.rows):
        return read
    rows, places = [row for _, row, _ in kept], tuple(place for _, _, place in kept)
    return replace(read, rows=rows, places=places, numbers=tuple(number for number, _, _ in kept))


def find(root: Path, task: str, spec: DataSpec, split: str, language: str | None) -> Path:
    """The file of one split below `root`.

    Raises:
        DataError: there is none; names the path looked for and what exists instead.
        LanguageNotCarried: there are rows of the task, but the data decide the languages and this is none of them.
    """
    if spec.one_file and root.is_file():
        return root
    if not root.is_dir():
        raise DataError(f"data folder {root} does not exist; give data.root=DIR with <task>/<split>.jsonl inside (see `evalkit data pull`)")
    folders = [root / name for name in dict.fromkeys(filter(None, (task, spec.folder)))]
    stems = dict.fromkeys((spec.local_stem(split), split))
    wanted = [folder / (language or "") / f"{stem}.jsonl" for folder in folders for stem in stems]
    shared = [*(f / f"{stem}.jsonl" for f in folders for stem in stems), *(f.with_name(f"{f.name}.jsonl") for f in folders)]
    for path in (*wanted, *(shared if spec.one_file else ())):
        if path.is_file():
            return path
    message = f"task {task}: no file {wanted[0]}; {_present(root, folders, language)}"
    here = [folder for folder in folders if folder.is_dir()]
    if spec.any_languages and language and here and not any((folder / language).is_dir() for folder in here):
        raise LanguageNotCarried(message)
    raise NoRows(message)


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
