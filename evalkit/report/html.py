"""The comparison as an HTML fragment for a notebook's cell: no script, no style sheet, right in light and dark."""

from __future__ import annotations

import html

from evalkit.report.table import Cell, Column, Report, Table

_CELL = "padding:.25em .7em;white-space:nowrap"


def fragment(report: Report) -> str:
    """Title, warnings, the comparison's tables with their footnotes, and the leaderboard's."""
    parts = [f"<strong>{html.escape(report.title)}</strong>"]
    parts += [f'<div style="border-left:3px solid #b7791f;padding-left:.6em">{html.escape(line)}</div>' for line in report.warnings]
    return "<div>" + "".join([*parts, *map(_table, (*report.leaderboard, *report.comparison))]) + "</div>"


def _table(table: Table) -> str:
    head = "".join(f'<th style="{_style(column)}">{html.escape(column.title)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row, table.columns))}</tr>" for row in table.rows)
    notes = "".join(f"<div><sup>{mark}</sup> {html.escape(text)}</div>" for mark, text in table.footnotes)
    title = f'<div style="margin-top:.6em">{html.escape(table.title)}</div>'
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><small>{notes}</small>"


def _style(column: Column) -> str:
    return f"{_CELL};text-align:{column.align}" + (";font-weight:600" if column.ours or column.key else "")


def _cell(cell: Cell, column: Column) -> str:
    marks = f"<sup>{','.join(cell.marks)}</sup>" if cell.marks else ""
    below = f"<br><small>{html.escape(cell.below)}</small>" if cell.below else ""
    return f'<td style="{_style(column)}">{html.escape(cell.text)}{marks}{below}</td>'
