"""The report as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.report.table import Cell, Report, Table

_SPECIAL = re.compile(r"([\\|*<>`~\[\]#])")
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_INTERVAL = re.compile(r"\\\[(-?[0-9.]+, -?[0-9.]+)\\\]")


def markdown(report: Report) -> str:
    """The whole report; one trailing newline, no time of day, so that equal scores give equal bytes."""
    return "\n\n".join(_parts(report)) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no table cell, emphasis, link or tag is started by accident."""
    # Underscores inside words (`acc_norm`) and intervals are safe, and easier to read as they are.
    escaped = _UNDERSCORE.sub(r"\\_", _SPECIAL.sub(r"\\\1", " ".join(text.split())))
    return _INTERVAL.sub(r"[\1]", escaped)


def _parts(report: Report) -> Iterator[str]:
    yield f"# {escape(report.title)}"
    if report.warnings:
        yield "\n".join(f"> **{escape(line)}**  " for line in report.warnings)
    for table in (*report.leaderboard, *report.comparison, *report.lengths):
        yield from _table(table)
    if report.legend:
        yield "\n".join(f"- {escape(line)}" for line in report.legend)
    if report.measures:
        yield from _table(report.measures)
    if report.details:
        yield "## Rows and protocol"
        yield "\n".join(_bullet(detail.label, detail.lines) for detail in report.details)
    for table in report.breakdowns:
        yield from _table(table)


def _bullet(label: str, lines: tuple[str, ...]) -> str:
    return "\n".join([f"- **{escape(label)}**", *(f"  - {escape(line)}" for line in lines)])


def _table(table: Table) -> Iterator[str]:
    yield f"## {escape(table.title)}"
    head = "| " + " | ".join(escape(column.title) for column in table.columns) + " |"
    rule = "|" + "|".join(" --- " if column.align == "left" else " ---: " for column in table.columns) + "|"
    yield "\n".join([head, rule, *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table.rows)])
    if table.footnotes:
        yield "\n".join(f"<sup>{mark}</sup> {escape(text)}  " for mark, text in table.footnotes)


def _cell(cell: Cell) -> str:
    marks = f"<sup>{','.join(cell.marks)}</sup>" if cell.marks else ""
    below = f"<br>**{escape(cell.below)}**" if cell.below else ""
    return f"{escape(cell.text)}{marks}{below}"
