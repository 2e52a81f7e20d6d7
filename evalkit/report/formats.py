"""Where a report goes: the terminal, and report.md, .csv, .tex and .json in a folder."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.cards import Card
from evalkit.extras import EXTRA_OF, install, there
from evalkit.files import write_atomic
from evalkit.report.comparison import build
from evalkit.report.frame import score_records
from evalkit.report.json_report import to_json
from evalkit.report.latex import latex
from evalkit.report.markdown import markdown
from evalkit.report.table import Report
from evalkit.report.terminal import print_line, print_report
from evalkit.results import RunResult
from evalkit.store import MergedRun, SavedRun

if TYPE_CHECKING:
    from rich.console import Console


def print_tables(results: Sequence[RunResult], cards: Sequence[Card] = (), console: Console | None = None) -> None:
    """Print the report, to stdout when no console is given."""
    from rich.console import Console

    print_report(build(results, cards), console or Console(highlight=False))


def tables(
    results: Sequence[RunResult],
    cards: Sequence[Card],
    folder: Path | None,
    saved: Sequence[SavedRun | MergedRun] = (),
    told: Sequence[str] = (),
    *,
    detail: str = "comparison",
) -> Report:
    """Print the report and write its texts to a folder; with several saved runs it has a leaderboard.

    Args:
        detail: `comparison` prints that alone, `all` every table and the protocol; the texts always have all.
        told: further warnings of the report.

    Raises:
        FileError: the folder cannot be made or written.
    """
    from rich.console import Console

    made = build(results, cards, saved, told)
    console = Console(highlight=False)
    print_report(made, console, whole=detail == "all")
    written = [] if folder is None else write_report(made, results, cards, folder)
    if detail != "all" and (made.measures or made.breakdowns or made.details):
        of_all = "" if folder is None else f", or {folder / 'report.md'}"
        print_line(f"Every metric, language and subject, rows and protocol: detail=all{of_all}", console)
    if written:
        print(f"wrote {folder}: {', '.join(path.name for path in written)}", file=sys.stderr)
    return made


def to_csv(results: Sequence[RunResult], cards: Sequence[Card] = ()) -> str:
    """The frame of `to_frame` as CSV: full precision, empty fields for what is missing."""
    columns, records = score_records(results, cards)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _field(value) for name, value in record.items()} for record in records)
    return text.getvalue()


def _field(value: Any) -> Any:
    return "" if value is None or value != value else value


def write_tables(results: Sequence[RunResult], cards: Sequence[Card], folder: Path) -> list[Path]:
    """`write_report` of a report made here.

    Raises:
        FileError: the folder cannot be made or written.
    """
    return write_report(build(results, cards), results, cards, folder)


def installed(package: str, without: str) -> bool:
    """Whether a package is there that the base installation lacks; else one line says what is left out."""
    if there(package):
        return True
    print(f"{without} left out: {package} is not installed; run: {install(EXTRA_OF[package])}", file=sys.stderr)
    return False


def write_report(report: Report, results: Sequence[RunResult], cards: Sequence[Card], folder: Path) -> list[Path]:
    """Write report.md, report.csv, report.tex and report.json; a reader sees an old file or a whole new one.

    Equal results give equal bytes.

    Raises:
        FileError: the folder cannot be made or written.
    """
    texts = {"report.md": markdown(report), "report.csv": to_csv(results, cards), "report.tex": latex(report)}
    texts["report.json"] = to_json(report, results, cards)
    for name, text in texts.items():
        write_atomic(folder / name, text, "out=DIR")
    return [folder / name for name in texts]
