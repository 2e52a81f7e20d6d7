"""Where a report goes: the terminal, and report.md, .csv, .tex and .json in a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cards import Card
from evalkit.errors import ConfigError
from evalkit.report.comparison import build
from evalkit.report.frame import to_frame
from evalkit.report.json_report import to_json
from evalkit.report.latex import latex
from evalkit.report.markdown import markdown
from evalkit.report.table import Report
from evalkit.report.terminal import print_report
from evalkit.results import RunResult

if TYPE_CHECKING:
    from rich.console import Console


def print_tables(results: Sequence[RunResult], cards: Sequence[Card] = (), console: Console | None = None) -> None:
    """Print the report, to stdout when no console is given."""
    from rich.console import Console

    print_report(build(results, cards), console or Console(highlight=False))


def to_csv(results: Sequence[RunResult], cards: Sequence[Card] = ()) -> str:
    """The frame of `to_frame` as CSV: full precision, empty fields for what is missing."""
    text = to_frame(results, cards).to_csv(index=False, lineterminator="\n")
    return str(text)


def write_tables(results: Sequence[RunResult], cards: Sequence[Card], folder: Path) -> list[Path]:
    """`write_report` of a report made here.

    Raises:
        ConfigError: the folder cannot be made or written.
    """
    return write_report(build(results, cards), results, cards, folder)


def write_report(report: Report, results: Sequence[RunResult], cards: Sequence[Card], folder: Path) -> list[Path]:
    """Write report.md, report.csv, report.tex and report.json; a reader sees an old file or a whole new one.

    Equal results give equal bytes.

    Raises:
        ConfigError: the folder cannot be made or written.
    """
    texts = {"report.md": markdown(report), "report.csv": to_csv(results, cards), "report.tex": latex(report)}
    texts["report.json"] = to_json(report, results, cards)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace(folder / name, text)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"cannot write the report to {folder}: {reason}; free space there or choose a writable folder") from error
    return [folder / name for name in texts]


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a report is as readable as any file its author makes.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
