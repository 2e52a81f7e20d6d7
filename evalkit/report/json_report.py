"""The report for programs; its schema is docs/report.schema.json."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from evalkit.cards import Card
from evalkit.report.frame import score_records
from evalkit.report.rows import names
from evalkit.report.table import Cell, Report, Table
from evalkit.results import RunResult

SCHEMA_VERSION = 2


def to_json(report: Report, results: Sequence[RunResult], cards: Sequence[Card] = ()) -> str:
    """`scores` in full precision, one record a score as in the CSV file; `tables` as people read them. Missing is null, never 0."""
    _, scores = score_records(results, cards)
    payload = {
        "schema": SCHEMA_VERSION,
        "title": report.title,
        "cards": [{"name": c.name, "title": c.title, "edition": c.about.edition, "source": c.about.source} for c in cards],
        "warnings": report.warnings,
        "runs": [_run(title, run, cards) for title, run in zip(names(results), results, strict=True)],
        "scores": [{name: _plain(value) for name, value in record.items()} for record in scores],
        "tables": [_table(table) for table in report.tables],
        "legend": report.legend,
    }
    return json.dumps(payload, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _run(title: str, run: RunResult, cards: Sequence[Card]) -> dict[str, Any]:
    columns = {card.name: found for card in cards if (found := card.columns_of(run))}
    return {"title": title, "model": run.model, "complete": run.complete, "tasks": list(run.tasks), "card_columns": columns}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "columns": [column.title for column in table.columns],
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
        "footnotes": dict(table.footnotes),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    extra = {"marks": list(cell.marks), "below": cell.below}
    return {"text": cell.text, **{name: value for name, value in extra.items() if value}}
