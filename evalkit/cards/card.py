"""A model card's published tables: what is printed (`cells.csv`), kept digit by digit, and what measures it (`card.yaml`).

A card is one folder. `load_card(folder)` reads it, `find_card` finds one by name or folder.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from evalkit.cards.protocol import FILE, CardProtocol, RowProtocol, ThirdParty, read_protocol
from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.paths import published_dir
from evalkit.results import RunResult, TaskResult

CELLS = "cells.csv"
COLUMNS = ("table", "row", "column", "score", "note")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class PublishedCell:
    """One cell of the card.

    Attributes:
        column: the card's column.
        score: the digits as printed (`0.70`), None where the card prints none.
        note: what is next to the digits (`10-shot`), or instead of them (`-`, `TBD`).
        scale: what the digits are out of: 1, or 100.
    """

    column: str
    score: str | None
    note: str = ""
    scale: float = 1

    @property
    def value(self) -> float | None:
        """The printed number on our scale of 0 to 1; None is never 0."""
        return None if self.score is None else float(self.score) / self.scale

    @property
    def decimals(self) -> int:
        """Digits behind the point, as printed."""
        return len((self.score or "").partition(".")[2])

    @property
    def rounding(self) -> float:
        """How far the printed number may be from the one it was rounded from, on our scale."""
        return float(0.5 * 10.0**-self.decimals / self.scale)

    @property
    def text(self) -> str:
        """What the card prints in this place."""
        return self.note if self.score is None else self.score


@dataclass(frozen=True, slots=True)
class CardRow:
    """One row of the card: its key, unique in the table, what is known of it, and its cells in the order of the columns."""

    key: str
    about: RowProtocol
    cells: tuple[PublishedCell, ...]

    @property
    def label(self) -> str:
        return self.about.label

    @property
    def task(self) -> str | None:
        """The task that measures the row; None for one that is printed only."""
        return self.about.task if isinstance(self.about.task, str) or self.about.task is None else self.key

    @property
    def instance(self) -> str | None:
        """The task's name in a run of the card."""
        return self.about.as_ or self.task

    def form_of(self, name: str) -> str | None:
        """Which form of the row a task of a run is: "" the row's own, None where it does not measure the row."""
        if name == self.instance:
            return ""
        return next((form for form, task in self.about.forms.items() if task == name), None)

    def shown(self, result: TaskResult) -> TaskResult:
        """The result with the row's metric as its headline, where it has that metric."""
        metric = self.about.metric
        return replace(result, headline=metric) if metric in result.summaries else result


@dataclass(frozen=True, slots=True)
class CardTable:
    """One table of the card: its columns and rows, both in the card's order."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[CardRow, ...]
    third_party: ThirdParty | None = None


@dataclass(frozen=True)
class Card:
    """Everything a model card publishes; tables in the card's order."""

    name: str
    about: CardProtocol
    tables: tuple[CardTable, ...]
    folder: Path | None = None

    @property
    def title(self) -> str:
        return self.about.title

    @property
    def heading(self) -> str:
        """Title and edition, as in `Krutrim-2 card (first edition)`."""
        return f"{self.title} ({self.about.edition})"

    def find(self, table: str, row: str) -> tuple[CardTable, CardRow] | None:
        """A table and row by their keys, None when the card does not have them."""
        return next(((t, r) for t in self.tables if t.key == table for r in t.rows if r.key == row), None)

    def rows_of(self, result: TaskResult) -> tuple[tuple[CardTable, CardRow, str], ...]:
        """Every table and row a result belongs in, with the form of the row that it is; "" is the row's own."""
        found = ((table, row, row.form_of(result.task)) for table in self.tables for row in table.rows)
        return tuple((table, row, form) for table, row, form in found if form is not None)

    def columns_of(self, run: RunResult) -> tuple[str, ...]:
        """The columns a run fills: those that name its model, or the one its configuration chose (`card.column`)."""
        config = run.manifest.get("config") or {}
        chosen = (config.get("card") or {}).get("column")
        if chosen in self.columns:
            return (chosen,)
        return tuple(column for column in self.columns if run.model in self.about.columns.get(column, ()))

    def cells(self) -> Iterator[tuple[CardTable, CardRow, PublishedCell]]:
        """Every published cell, in the card's reading order."""
        for table in self.tables:
            for row in table.rows:
                for cell in row.cells:
                    yield table, row, cell

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every column of every table once, in order of first appearance."""
        return tuple(dict.fromkeys(column for table in self.tables for column in table.columns))


def card_folders(config_dirs: Sequence[Path] = ()) -> list[Path]:
    """The folders that hold cards: the shipped one, and `card/` of every configuration folder."""
    return [published_dir(), *(folder / "card" for folder in config_dirs)]


def card_names(folders: Sequence[Path]) -> dict[str, Path]:
    """Every card's folder by its name, in the order of the names.

    Raises:
        ConfigError: two cards of one name.
    """
    found: dict[str, Path] = {}
    for file in sorted((file for folder in folders for file in folder.glob(f"*/{FILE}")), key=lambda file: file.parent.name):
        name = file.parent.name
        if name in found:
            raise ConfigError(f"two cards are named {name}: {found[name]} and {file.parent}; rename one of the folders")
        found[name] = file.parent
    return found


def find_card(name: str, folders: Sequence[Path] | None = None) -> Card:
    """A card by its name, or by the path of its folder.

    Args:
        folders: as `card_folders` gives them; None for the shipped cards alone.

    Raises:
        ConfigError: no such card, naming the nearest.
        DataError: a damaged card; names file and key, or file and line.
    """
    known = card_names(card_folders() if folders is None else folders)
    if name in known:
        return load_card(known[name])
    if (Path(name) / FILE).is_file():
        return load_card(Path(name))
    raise ConfigError(
        f"no card named {name!r}{did_you_mean(name, known)}; there are: {', '.join(known) or 'none'}; or give a folder with {FILE}"
    )


def load_card(folder: Path) -> Card:
    """Read a card's folder.

    Raises:
        DataError: a file cannot be read, or the two do not agree; names file and key, or file and line.
    """
    about = read_protocol(folder / FILE)
    path = folder / CELLS
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read published scores {path}: {error}; give a UTF-8 CSV file") from error
    card = make_card(about, text, name=folder.resolve().name, where=str(path))
    _check(card, str(folder / FILE))
    return replace(card, folder=folder)


def make_card(about: CardProtocol, cells: str, *, name: str, where: str) -> Card:
    """Join what is known of a card with its cells: CSV text, columns `COLUMNS`, one line per cell.

    Raises:
        DataError: wrong header, a malformed or repeated cell, an unknown table or row, or a missing cell; `where:line`.
    """
    reader = csv.reader(io.StringIO(cells, newline=""))
    header = next(reader, [])
    if tuple(header) != COLUMNS:
        raise DataError(f"{where}:1: columns are {','.join(header) or 'missing'}; write {','.join(COLUMNS)}")
    found: dict[tuple[str, str], dict[str, PublishedCell]] = {}
    for fields in reader:
        if fields:
            table, row, cell = _cell(fields, about, f"{where}:{reader.line_num}")
            mine = found.setdefault((table, row), {})
            if cell.column in mine:
                raise DataError(f"{where}:{reader.line_num}: a second cell for {table}, {row}, {cell.column}; keep one")
            mine[cell.column] = cell
    tables = []
    for key, table_about in about.tables.items():
        columns = tuple(dict.fromkeys(column for (table, _), mine in found.items() if table == key for column in mine))
        rows = tuple(CardRow(row, known, _row(key, row, columns, found, where)) for row, known in table_about.rows.items())
        tables.append(CardTable(key, table_about.title, columns, rows, table_about.third_party))
    return Card(name, about, tuple(tables))


def _cell(fields: list[str], about: CardProtocol, at: str) -> tuple[str, str, PublishedCell]:
    if len(fields) != len(COLUMNS):
        raise DataError(f"{at}: {len(fields)} fields, not {len(COLUMNS)}; quote a value that holds a comma")
    table, row, column, score, note = (field.strip() for field in fields)
    if table not in about.tables:
        raise DataError(f"{at}: table={table!r} is not in {FILE}{did_you_mean(table, about.tables)}")
    if row not in about.tables[table].rows:
        raise DataError(f"{at}: row={row!r} is not in table {table} of {FILE}{did_you_mean(row, about.tables[table].rows)}")
    if not column:
        raise DataError(f"{at}: column is empty; fill it in")
    if score and not _NUMBER.fullmatch(score):
        raise DataError(f"{at}: score={score!r} is not a number; put words in note")
    if not score and not note:
        raise DataError(f"{at}: neither score nor note; write what the card prints, such as -")
    scale = about.tables[table].rows[row].scale or about.scale
    return table, row, PublishedCell(column, score or None, note, scale)


def _row(
    table: str, row: str, columns: tuple[str, ...], found: dict[tuple[str, str], dict[str, PublishedCell]], where: str
) -> tuple[PublishedCell, ...]:
    mine = found.get((table, row), {})
    if missing := [column for column in columns if column not in mine] or ([] if mine else ["any column"]):
        raise DataError(f"{where}: no cell of {table}, {row} for {', '.join(missing)}; write what the card prints, such as -")
    return tuple(mine[column] for column in columns)


def _check(card: Card, where: str) -> None:
    """What one file says of the other, and one row of another.

    Raises:
        DataError: an unknown column, table or form, or two rows with one instance and different settings.
    """
    about, problems = card.about, []
    spoken = {"subject": [about.subject] if about.subject else [], "columns": list(about.columns)}
    for key, names in spoken.items():
        odd = [name for name in names if name not in card.columns]
        problems += [f"{key}: {name!r} is no column of {CELLS}{did_you_mean(name, card.columns)}" for name in odd]
    for table in card.tables:
        others = table.third_party.columns if table.third_party else ()
        problems += [f"tables.{table.key}.third_party: {name!r} is no column of the table" for name in others if name not in table.columns]
    forms = {form for table in card.tables for row in table.rows for form in row.about.forms}
    for name, suite in about.suites.items():
        odd = [table for table in suite.tables or () if table not in about.tables]
        problems += [f"suites.{name}: there is no table {table!r}{did_you_mean(table, about.tables)}" for table in odd]
        if suite.form and suite.form not in forms:
            problems.append(f"suites.{name}: no row has a form {suite.form!r}{did_you_mean(suite.form, forms)}")
    problems += _rows_apart(card)
    if problems:
        raise DataError(f"{where}: {problems[0]}")


def _rows_apart(card: Card) -> Iterator[str]:
    seen: dict[str, tuple[str, CardRow]] = {}
    for table in card.tables:
        for row in table.rows:
            at = f"tables.{table.key}.rows.{row.key}"
            if row.task is None:
                if not row.about.not_comparable:
                    yield f"{at}: task is null, so nothing measures the row; say why in not_comparable"
                if row.about.as_ or row.about.overrides or row.about.metric:
                    yield f"{at}: task is null, so as, metric and overrides have nothing to speak of; leave them out"
            elif row.instance:
                where, other = seen.setdefault(row.instance, (at, row))
                if (other.task, other.about.overrides) != (row.task, row.about.overrides):
                    yield f"{at}: {row.instance} has another task or other overrides at {where}; give one of them its own name (as:)"
