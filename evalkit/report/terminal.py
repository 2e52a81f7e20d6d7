"""The report in a terminal: colours only on a terminal, and never a broken number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.report.details import ALL, SEVERAL
from evalkit.report.layout import layouts, marks
from evalkit.report.table import Report, Table

if TYPE_CHECKING:
    from rich.console import Console

_ROWS = 30  # of a table by depth that is shown with the comparison


def print_report(report: Report, console: Console, *, whole: bool = True) -> None:
    """Breakdowns first and the comparison last, where the prompt leaves it on the screen.

    Args:
        whole: False prints the comparison (and the leaderboard) alone, and how the models were asked.
    """
    for table in report.breakdowns if whole else ():
        _print_table(table, console)
    if report.measures and whole:
        _print_table(report.measures, console)
    if report.details and whole:
        _print(console, "Rows and protocol", style="bold")
        for detail in report.details:
            _print(console, detail.label)
            for line in detail.lines:
                _print(console, line, "  ", style="dim")
        _print(console, "")
    _print(console, report.title, style="bold")
    for warning in report.warnings:
        _print(console, f"! {warning}", style="bold yellow")
    if report.comparison:
        _print(console, "")
    long = [table for table in report.lengths if whole or len(table.rows) <= _ROWS]
    for table in (*report.comparison, *report.leaderboard, *long):
        _print_table(table, console)
    for text in report.legend:
        _print(console, text, style="dim")
    for text in () if whole else how_asked(report):
        _print(console, text, style="dim")


def how_asked(report: Report) -> list[str]:
    """What the details say of the models rather than of one task (template, quantised weights, no thought), each once.

    Not the protocol and the source of a row, nor a note of a task (`gsm8k: …`) or of a card, which their own details hold.
    Of one row among several, its name is behind the line.
    """
    alone = len(report.details) == 1
    lines = (
        (line, "" if alone or detail.label in (ALL, SEVERAL) else f" ({detail.label})")
        for detail in report.details
        for line in detail.lines
    )
    return list(dict.fromkeys(f"{line}{of}" for line, of in lines if not re.match(r"task |[a-z0-9_]+: |[^:]*\bcard\b[^:]*: ", line)))


def print_line(text: str, console: Console) -> None:
    """A line about the report, set like its legend."""
    _print(console, text, style="dim")


def _print_table(table: Table, console: Console) -> None:
    from rich.text import Text

    unicode = _is_unicode(console)
    _print(console, table.title, style="bold")
    for i, lines in enumerate(layouts(table, console.width, unicode)):
        if i:
            _print(console, "")
        for line in lines:
            spans = [(_encodable(text, console), style) for text, style in line]
            text = Text.assemble(*spans)
            text.rstrip()
            console.print(text, soft_wrap=True)
    for mark, text_ in table.footnotes:
        _print(console, f"{marks((mark,), unicode)} {text_}", style="dim")
    _print(console, "")


def _print(console: Console, text: str, indent: str = "", style: str = "") -> None:
    """A paragraph wrapped at words, further lines indented by two."""
    from rich.text import Text

    lines = Text(_encodable(text, console)).wrap(console, max(20, console.width - len(indent) - 2)) if text else [Text("")]
    for i, line in enumerate(lines):
        line.rstrip()
        console.print(Text(indent + "  " * bool(i)) + Text(line.plain, style=style), soft_wrap=True)


def _is_unicode(console: Console) -> bool:
    return console.encoding.lower().startswith("utf")


def _encodable(text: str, console: Console) -> str:
    """Letters an ASCII terminal lacks are shown as escapes; printing them as they are would be an error."""
    return text if _is_unicode(console) else text.encode(console.encoding, "backslashreplace").decode(console.encoding)
