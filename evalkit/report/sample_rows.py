"""Sample rows are named once: by the table's title where all of its rows are such, else under each that is."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.report.rows import Entry
from evalkit.types import SAMPLE_ROWS

SHORT = "sample rows"  # the line at the top of the report says what they are


def _all_are(entries: Sequence[Entry]) -> bool:
    measured = [entry for entry in entries if any(result.n_docs for _, result in entry.measured)]
    return bool(measured) and all(entry.sample_rows for entry in measured)


def told(title: str, entries: Sequence[Entry]) -> str:
    """The title of a table of these rows."""
    return f"{title} ({SAMPLE_ROWS})" if _all_are(entries) else title


def marked(entries: Sequence[Entry]) -> str:
    """What is under the name of each row that was measured on sample rows; empty where the title says it of all."""
    return "" if _all_are(entries) else SHORT
