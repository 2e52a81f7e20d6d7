"""Rows of a source -> documents of a task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.data.generated import GeneratedSource, TokenCounter, total
from evalkit.data.local import LocalSource
from evalkit.data.samples import SamplesSource
from evalkit.data.spec import DataSpec, LanguageNotCarried, Loaded, Origin, Row, Rows, Source, SplitNotCarried, resolve
from evalkit.errors import DataError, EvalkitError
from evalkit.types import Doc

ToDoc = Callable[[Mapping[str, Any]], Doc | None]


@dataclass(frozen=True)
class _Part:
    """One split of one language: the rows as read, the documents made of them."""

    language: str | None
    read: Rows
    docs: tuple[Doc, ...]
    origins: tuple[Origin, ...]

    @property
    def n_dropped(self) -> int:
        return len(self.origins) - len(self.docs)


def load(
    task_name: str,
    spec: DataSpec,
    source: Source,
    languages: Sequence[str],
    want_shots: bool,
    benchmark_languages: Sequence[str] = (),
    *,
    tokens: TokenCounter | None = None,
    limit: int | None = None,
) -> Loaded:
    """Read a task's evaluated split and, when shots are wanted, the pool they are drawn from.

    Args:
        languages: ISO codes, read and concatenated in this order; empty for a benchmark with one language.
        want_shots: whether a pool is needed; without it no few-shot split is touched.
        benchmark_languages: every language of the benchmark; empty = `languages`.
        tokens: of the model that will be asked, for rows that are made to an asked length.
        limit: documents the run takes at most, so that no more of those are made.

    Raises:
        DataError: rows missing, malformed, empty or out of reach; the message names task, file and what to do.
        ConfigError: `spec.to_doc` cannot be imported.
    """
    made = spec.generate is not None and not isinstance(source, SamplesSource)
    source = LocalSource(spec.root) if spec.root else source
    source = GeneratedSource(tokens, limit, source) if made else source
    to_doc: ToDoc = resolve("data.to_doc", spec.to_doc)
    codes: tuple[str | None, ...] = tuple(languages) or (None,)
    parts, codes, absent = _evaluated(task_name, spec, source, codes, to_doc)
    docs = tuple(doc for part in parts for doc in part.docs)
    if not docs:
        raise DataError(f"task {task_name}: {_where(parts)} has no row that can be scored; check data.split and data.to_doc={spec.to_doc}")
    _unique_ids(task_name, spec, docs)
    pool_parts, notes = _pool(task_name, spec, source, codes, to_doc) if want_shots else ([], ())
    pool_is_eval = want_shots and not pool_parts
    pool = docs if pool_is_eval else tuple(doc for part in pool_parts for doc in part.docs)
    every = [*parts, *pool_parts]
    size = total(task_name, spec.options, len(codes)) if made else spec.sizes.get(spec.split, 0)
    sample_rows = any(part.read.sample_rows for part in every)
    missing = tuple(code for code in benchmark_languages or languages if code not in codes)
    remarks = (*absent, *_size(spec, docs, sample_rows, missing))
    read_notes = dict.fromkeys([*(note for part in parts for note in part.read.notes), *remarks])
    pool_notes = dict.fromkeys([*(note for part in pool_parts for note in part.read.notes), *notes])
    return Loaded(
        docs=docs,
        pool=pool,
        pool_is_eval=pool_is_eval,
        n_dropped=sum(part.n_dropped for part in parts),
        where=_where(parts),
        revision=next((part.read.revision for part in every if part.read.revision), None),
        sample_rows=sample_rows,
        rows_sha256=rows_sha256(row for part in every for row in part.read.rows),
        n_total=max(round(len(docs) * (1 + len(missing) / len(codes))), 0 if sample_rows else size),
        languages_missing=missing,
        notes=tuple(dict.fromkeys([*read_notes, *pool_notes])),
        pool_notes=tuple(note for note in pool_notes if note not in read_notes),
        origins=tuple(origin for part in parts for origin in part.origins),
    )


def rows_sha256(rows: Iterable[Row]) -> str:
    """SHA-256 over one line of canonical JSON (sorted keys, no spaces, UTF-8) a row."""
    digest = hashlib.sha256()
    for row in rows:
        line = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
        # A lone surrogate is legal in JSON but not in UTF-8: keep it hashable.
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def _evaluated(
    task: str, spec: DataSpec, source: Source, codes: Sequence[str | None], to_doc: ToDoc
) -> tuple[list[_Part], tuple[str | None, ...], tuple[str, ...]]:
    """(the evaluated split of every language there is, those languages, a line about the others).

    Raises:
        DataError: also when no language is there.
    """
    parts, absent = [], []
    missing: LanguageNotCarried | None = None
    for code in codes:
        try:
            parts.append(_read(task, spec, source, spec.split, code, to_doc))
        except LanguageNotCarried as error:
            absent.append(str(code))
            missing = missing or error
    if missing and not parts:
        raise missing
    note = (f"languages without rows here, left out: {', '.join(absent)}",) if absent else ()
    return parts, tuple(part.language for part in parts), note


def _pool(task: str, spec: DataSpec, source: Source, codes: Sequence[str | None], to_doc: ToDoc) -> tuple[list[_Part], tuple[str, ...]]:
    """The few-shot split, or ([], why) when shots have to come from the evaluated split."""
    split = spec.fewshot_split
    if split is None or split == spec.split:
        return [], ()
    try:
        parts = [_read(task, spec, source, split, code, to_doc) for code in codes]
    except SplitNotCarried as error:
        return [], (f"shots drawn from {spec.split} (never the evaluated document): {error}",)
    return parts, ()


def _read(task: str, spec: DataSpec, source: Source, split: str, language: str | None, to_doc: ToDoc) -> _Part:
    read = source.rows(task, spec, split, language)
    if not read.rows:
        raise DataError(f"task {task}: {read.where} is empty; expected rows of {spec.path} split {split}")
    prefix = f"{language}/{split}" if language else split
    docs, origins, errors = [], [], []
    seen: dict[str, str] = {}
    key = spec.key or spec.unique
    for index, row in enumerate(read.rows):
        at = read.places[index] if read.places else f"{read.where}, row {index}"
        try:
            _once(task, spec, at, row, seen)
            doc = _convert(task, spec, at, _with_language(task, spec, at, row, language), to_doc)
        except DataError as error:
            errors.append((str(error), at))
            continue
        name = f"{prefix}/{index}"
        if doc is not None and spec.groups and doc.group not in spec.groups:
            continue
        if doc is not None:
            doc = replace(doc, id=doc.id or name, language=doc.language or language)
            docs.append(doc)
        number = read.numbers[index] if read.numbers else index
        called = None if key is None or row.get(key) is None else str(row[key])
        origins.append(Origin(number, name, doc.id if doc else None, called, language, not read.numbers))
    if errors:
        raise DataError(errors[0][0] + _more([at for _, at in errors[1:]]))
    return _Part(language, read, tuple(docs), tuple(origins))


def _once(task: str, spec: DataSpec, at: str, row: Row, seen: dict[str, str]) -> None:
    """Notes where a row's `unique` value is; raises DataError when it was somewhere before."""
    value = repr(row.get(spec.unique)) if spec.unique in row else None
    if value is not None and (before := seen.setdefault(value, at)) != at:
        where = before.rpartition(":")[2].rpartition(" ")[2]
        raise DataError(f"task {task}: {at}: field {spec.unique!r}: {value} is that of row {where} too; give every row its own")


def _more(places: Sequence[str]) -> str:
    """Where else rows are wrong, so that a file can be fixed in one go."""
    if not places:
        return ""
    shown = ", ".join(place.rpartition(":")[2].rpartition(" ")[2] for place in places[:10])
    return f" ({len(places)} more rows are wrong: {shown}{', …' if len(places) > 10 else ''})"


def _with_language(task: str, spec: DataSpec, at: str, row: Row, language: str | None) -> Row:
    field = spec.language_field
    if field is None or language is None:
        return row
    if row.get(field) not in (None, language):
        raise DataError(f"task {task}: {at}: field {field!r}: {row[field]!r} among the rows of {language!r}; fix the row or move it")
    return {**row, field: language}


def _convert(task: str, spec: DataSpec, at: str, row: Row, to_doc: ToDoc) -> Doc | None:
    present = ", ".join(row) if row else "none"
    for name in spec.required:
        if name not in row:
            raise DataError(f"task {task}: {at}: no field {name!r}; the row has: {present}")
    try:
        return to_doc(row)
    except EvalkitError:
        raise
    except KeyError as error:
        raise DataError(f"task {task}: {at}: no field {error}; the row has: {present}") from error
    except ValueError as error:  # a benchmark's own code says what is wrong with a row
        raise DataError(f"task {task}: {at}: {error} ({spec.to_doc})") from error
    except Exception as error:  # any other failure of it is about this row too
        why = f"{spec.to_doc} failed: {type(error).__name__}: {error}"
        raise DataError(f"task {task}: {at}: {why}; the row has: {present}") from error


def _size(spec: DataSpec, docs: Sequence[Doc], sample_rows: bool, missing: Sequence[str]) -> tuple[str, ...]:
    """A word about another number of documents than the benchmark has: part of it, or another version."""
    size = spec.sizes.get(spec.split, len(docs))
    if sample_rows or missing or size == len(docs):
        return ()
    return (f"{len(docs):,} documents were read; {spec.split} of {spec.path} has {size:,}",)


def _unique_ids(task: str, spec: DataSpec, docs: Sequence[Doc]) -> None:
    """Answers are filed under a document's id: two documents may not share one."""
    seen: set[str] = set()
    for doc in docs:
        if doc.id in seen:
            raise DataError(f"task {task}: two documents share the id {doc.id!r}; leave Doc.id empty in {spec.to_doc} to number them")
        seen.add(doc.id)


def _where(parts: Sequence[_Part]) -> str:
    """One line for all languages: `{as,bn}` in the place where the parts differ."""
    languages = [part.language for part in parts if part.language]
    if not languages:
        return parts[0].read.where
    general = {part.read.where.replace(f"/{part.language}/", "/{}/") for part in parts}
    listed = ",".join(languages)
    if len(general) == 1:
        line = general.pop()
        return line.replace("/{}/", f"/{{{listed}}}/") if "/{}/" in line else f"{line} ({listed})"
    return "; ".join(dict.fromkeys(part.read.where for part in parts))
