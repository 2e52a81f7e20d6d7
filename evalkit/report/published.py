"""A model card's published table, read cell by cell and kept as the card prints it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.paths import published_dir
from evalkit.results import TaskResult

COLUMNS = ("table", "benchmark", "task_name", "metric", "num_fewshot", "model", "score", "cell_note")
DEFAULT_CARD = "krutrim2"
_TITLES = {"english_code_math": "English / Code / Math", "indic": "Indic", "bharatbench": "BharatBench"}
_CARD_TITLES = {"krutrim2": "Krutrim-2 card"}
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class PublishedCell:
    """One cell of the card.

    Attributes:
        model: the card's column.
        score: the digits as printed (`0.70`), None where the card prints none.
        note: what stands beside the digits (`10-shot`), or instead of them (`-`, `TBD`).
    """

    model: str
    score: str | None
    note: str = ""

    @property
    def value(self) -> float | None:
        """The printed number, on the card's 0-1 scale; None is never 0."""
        return None if self.score is None else float(self.score)

    @property
    def text(self) -> str:
        """What the card prints in this place."""
        return self.note if self.score is None else self.score


@dataclass(frozen=True, slots=True)
class CardRow:
    """One benchmark of the card; `num_fewshot` is None where the card states no shots."""

    benchmark: str
    task: str
    metric: str
    num_fewshot: int | None
    cells: tuple[PublishedCell, ...]


@dataclass(frozen=True, slots=True)
class CardTable:
    """One table of the card: `models` are its columns and `rows` its rows, both in the card's order."""

    key: str
    title: str
    models: tuple[str, ...]
    rows: tuple[CardRow, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """Everything a model card publishes; tables in the card's order."""

    name: str
    title: str
    tables: tuple[CardTable, ...]

    def find(self, task: str) -> tuple[CardTable, CardRow] | None:
        """The table and row of a task, None when the card does not have it."""
        return next(((table, row) for table in self.tables for row in table.rows if row.task == task), None)

    def row_of(self, result: TaskResult) -> tuple[CardTable, CardRow] | None:
        """The table and row a result belongs in: its own, or the one it is another form of."""
        return self.find(result.card_row or result.task)

    def cells(self) -> Iterator[tuple[CardTable, CardRow, PublishedCell]]:
        """Every published cell, in the card's reading order."""
        for table in self.tables:
            for row in table.rows:
                for cell in row.cells:
                    yield table, row, cell

    @property
    def models(self) -> tuple[str, ...]:
        """Every column of every table once, in order of first appearance."""
        return tuple(dict.fromkeys(model for table in self.tables for model in table.models))


def load_card(name: str = DEFAULT_CARD, *, path: Path | None = None) -> Card:
    """Read a card's cells from the package, or from `path`.

    Raises:
        ConfigError: no card of that name is shipped.
        DataError: the file cannot be read, or a line of it is not a cell; names file and line.
    """
    if path is None:
        folder = published_dir()
        known = sorted(file.stem for file in folder.glob("*.csv"))
        if name not in known:
            raise ConfigError(f"no published card named {name!r}{did_you_mean(name, known)}; there are: {', '.join(known) or 'none'}")
        path = folder / f"{name}.csv"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read published scores {path}: {error}; give a UTF-8 CSV file") from error
    return parse_card(text, name=name, where=str(path))


def parse_card(text: str, *, name: str, where: str) -> Card:
    """Turn CSV text (columns `COLUMNS`, one line a cell, in the card's order) into a card.

    Raises:
        DataError: wrong header, malformed or repeated cell, or rows of one table with other columns; `where:line`.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    if tuple(header) != COLUMNS:
        raise DataError(f"{where}:1: columns are {','.join(header) or 'missing'}; write {','.join(COLUMNS)}")
    rows: dict[tuple[str, str], CardRow] = {}
    lines: dict[tuple[str, str], int] = {}
    for fields in reader:
        if not fields:
            continue
        at = f"{where}:{reader.line_num}"
        key, row = _cell_row(fields, at)
        lines.setdefault(key, reader.line_num)
        rows[key] = _joined(rows[key], row, at) if key in rows else row
    if not rows:
        raise DataError(f"{where}:1: no cells below the header; restore the file from the repository")
    tables = tuple(_table(key, rows, lines, where) for key in dict.fromkeys(table for table, _ in rows))
    return Card(name=name, title=_CARD_TITLES.get(name, name), tables=tables)


def _cell_row(fields: list[str], at: str) -> tuple[tuple[str, str], CardRow]:
    if len(fields) != len(COLUMNS):
        raise DataError(f"{at}: {len(fields)} fields, not {len(COLUMNS)}; quote a value that holds a comma")
    table, benchmark, task, metric, shots, model, score, note = (field.strip() for field in fields)
    for column, value in (("table", table), ("benchmark", benchmark), ("task_name", task), ("metric", metric), ("model", model)):
        if not value:
            raise DataError(f"{at}: {column} is empty; fill it in")
    if shots and not shots.isdecimal():
        raise DataError(f"{at}: num_fewshot={shots!r} is not a whole number; write digits, or nothing when the card states none")
    if score and not _NUMBER.fullmatch(score):
        raise DataError(f"{at}: score={score!r} is not a number; put words in cell_note")
    if not score and not note:
        raise DataError(f"{at}: neither score nor cell_note; write what the card prints, such as -")
    cell = PublishedCell(model=model, score=score or None, note=note)
    return (table, task), CardRow(benchmark, task, metric, int(shots) if shots else None, (cell,))


def _joined(row: CardRow, more: CardRow, at: str) -> CardRow:
    for column, old, new in (
        ("benchmark", row.benchmark, more.benchmark),
        ("metric", row.metric, more.metric),
        ("num_fewshot", row.num_fewshot, more.num_fewshot),
    ):
        if old != new:
            raise DataError(f"{at}: {column}={new!r} but earlier cells of {row.task} have {old!r}; make them agree")
    cell = more.cells[0]
    if any(cell.model == known.model for known in row.cells):
        raise DataError(f"{at}: a second cell for {row.task}, {cell.model}; keep one")
    return CardRow(row.benchmark, row.task, row.metric, row.num_fewshot, (*row.cells, cell))


def _table(key: str, rows: dict[tuple[str, str], CardRow], lines: dict[tuple[str, str], int], where: str) -> CardTable:
    mine = {task: row for (table, task), row in rows.items() if table == key}
    models = tuple(cell.model for cell in next(iter(mine.values())).cells)
    for task, row in mine.items():
        found = tuple(cell.model for cell in row.cells)
        if found != models:
            odd = ", ".join(m for m in (*models, *found) if (m in models) != (m in found)) or "their order"
            at = f"{where}:{lines[key, task]}"
            raise DataError(f"{at}: the columns of {task} differ from its table's ({odd}); one cell a column, in one order")
    return CardTable(key, _TITLES.get(key, key.replace("_", " ")), models, tuple(mine.values()))
