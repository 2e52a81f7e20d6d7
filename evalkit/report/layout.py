"""Where each column of a table goes in a terminal. Pure: text in, styled lines out; a number is never broken."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalkit.report.table import Cell, Column, Table, heading

_SUPERSCRIPTS = str.maketrans("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")
_NAME = 18  # width that row names and remarks below them are wrapped to when room is short
PANEL_GAP = 4

Line = list[tuple[str, str]]  # (text, rich style)


@dataclass(frozen=True, slots=True)
class Fit:
    """A way to set a table: spaces between columns, whether row names are wrapped, superscripts or `[a]`."""

    gap: int = 2
    wrap: bool = False
    unicode: bool = True


def marks(letters: Sequence[str], unicode: bool) -> str:
    """Footnote letters behind a number: superscript, or bracketed where the terminal has ASCII only (or no superscript q)."""
    if not letters:
        return ""
    joined = ",".join(letters)
    return joined.replace(",", "˒").translate(_SUPERSCRIPTS) if unicode and "q" not in joined else f"[{joined}]"


def layouts(table: Table, width: int, unicode: bool = True) -> list[list[Line]]:
    """The table as blocks of lines, at most `width` wide where any layout can be.

    One block when a tighter gap or wrapped names make everything fit; else the card's columns
    are in their own blocks below ours, row names repeated without what is below them.
    """
    everything = list(range(len(table.columns)))
    fits = [Fit(gap, wrap, unicode) for wrap in (False, True) for gap in (2, 1)]
    for fit in fits:
        if _width(table, everything, fit) <= width:
            return [draw(table, everything, fit)] if not table.compact else [_panels(table, fit, width)]
    keys = [i for i in everything if table.columns[i].key]
    again = replace(table, rows=tuple(tuple(replace(cell, below="") for cell in row) for row in table.rows))
    parts = [[i for i in everything if not table.columns[i].key and table.columns[i].published is published] for published in (False, True)]
    for fit in fits:
        if all(_width(table, keys + part, fit) <= width for part in parts):
            return [draw(again if at else table, keys + part, fit) for at, part in enumerate(part for part in parts if part)]
    blocks = [block for part in parts for block in _filled(table, keys, part, fits[-1], width)]
    return [draw(again if at else table, block, fits[-1]) for at, block in enumerate(blocks)]


def _filled(table: Table, keys: list[int], columns: list[int], fit: Fit, width: int) -> list[list[int]]:
    blocks: list[list[int]] = []
    for column in columns:
        if blocks and _width(table, [*blocks[-1], column], fit) <= width:
            blocks[-1].append(column)
        else:
            blocks.append([*keys, column])
    return blocks


def _panels(table: Table, fit: Fit, width: int) -> list[Line]:
    """A long, slim table as panels side by side, read down one panel and then the next."""
    everything = list(range(len(table.columns)))
    each = _width(table, everything, fit)
    count = max(1, (width + PANEL_GAP) // (each + PANEL_GAP))
    height = -(-len(table.rows) // count)
    blank = tuple(Cell("") for _ in table.columns)
    rows = [*table.rows, *[blank] * (height * count - len(table.rows))]
    widths = _widths(table, everything, fit)
    parts = [replace(table, rows=tuple(rows[start : start + height])) for start in range(0, len(rows), height)]
    first, *others = [draw(part, everything, fit, widths) for part in parts]
    for panel in others:
        first = [[*left, (" " * PANEL_GAP, ""), *right] for left, right in zip(first, panel, strict=True)]
    return first


def draw(table: Table, block: Sequence[int], fit: Fit, widths: list[int] | None = None) -> list[Line]:
    """Heading, rule and rows of the columns in `block`."""
    widths = widths or _widths(table, block, fit)
    columns = [table.columns[i] for i in block]
    heads = [heading(column.title, width) for column, width in zip(columns, widths, strict=True)]
    lines: list[Line] = []
    tall = max(map(len, heads))
    for at in range(tall):
        texts = [head[at - tall + len(head)] if at >= tall - len(head) else "" for head in heads]
        lines.append(_line(texts, columns, widths, fit, bold=True))
    lines.append([(("─" if fit.unicode else "-") * (sum(widths) + fit.gap * (len(widths) - 1)), "dim")])
    for row in table.rows:
        cells = [_cell(table, row[i], i, fit) for i in block]
        for at in range(max(map(len, cells))):
            lines.append(_line([cell[at] if at < len(cell) else "" for cell in cells], columns, widths, fit))
    return lines


def _line(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int], fit: Fit, bold: bool = False) -> Line:
    line: Line = []
    for i, (text, column, width) in enumerate(zip(texts, columns, widths, strict=True)):
        space = " " * (width - _len(text))
        padded = text + space if column.align == "left" else space + text
        style = "bold" if bold else "cyan" if column.ours else "dim" if column.published else ""
        line.append((" " * fit.gap * bool(i) + padded, style))
    return line


def _cell(table: Table, cell: Cell, column: int, fit: Fit) -> list[str]:
    """The lines of a cell; unmarked numbers are padded so that digits are under digits."""
    mark = marks(cell.marks, fit.unicode)
    if table.columns[column].align == "right":
        mark = mark.ljust(max(len(marks(row[column].marks, fit.unicode)) for row in table.rows))
    lines = textwrap.wrap(cell.text, _NAME, break_long_words=False, break_on_hyphens=False) if _wraps(table, column, fit) else [cell.text]
    lines = [*lines[:-1], lines[-1] + mark] if lines else [mark]
    if cell.below:
        room = max(_NAME, *(_len(row[column].text) for row in table.rows if not fit.wrap), 0)
        lines += textwrap.wrap(cell.below, room)
    return lines


def _wraps(table: Table, column: int, fit: Fit) -> bool:
    return fit.wrap and table.columns[column].key


def _widths(table: Table, block: Sequence[int], fit: Fit) -> list[int]:
    def widest(column: int) -> int:
        lines = [line for row in table.rows for line in _cell(table, row[column], column, fit)]
        body = max(map(_len, lines), default=0)
        return max([body, *map(_len, heading(table.columns[column].title, body))])

    return [widest(column) for column in block]


def _width(table: Table, block: Sequence[int], fit: Fit) -> int:
    return sum(_widths(table, block, fit)) + fit.gap * (len(block) - 1)


def _len(text: str) -> int:
    """Terminal cells: combining vowel signs take none, wide letters two."""
    from rich.cells import cell_len

    return cell_len(text)
