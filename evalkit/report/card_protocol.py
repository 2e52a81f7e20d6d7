"""Reads what is known about how a card's numbers were made: results/published/CARD.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.errors import DataError
from evalkit.paths import published_dir
from evalkit.report.published import Card
from evalkit.report.verdicts import CardProtocol, RowProtocol

_FIELDS = {"metrics", "not_comparable", "caveat"}


def load_protocol(card: Card, *, path: Path | None = None) -> CardProtocol:
    """The notes shipped beside a card's cells; empty when there are none.

    Raises:
        DataError: the file is malformed, or names a row or column that the card does not have.
    """
    path = path or published_dir() / f"{card.name}.yaml"
    if not path.is_file():
        return CardProtocol()
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        third_party = {key: (tuple(value["columns"]), str(value["reason"])) for key, value in raw.get("third_party", {}).items()}
        rows = {task: _row(value) for task, value in raw.get("rows", {}).items()}
        protocol = CardProtocol(str(raw.get("subject", "")), third_party, rows)
    except (yaml.YAMLError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is malformed ({' '.join(str(error).split())}); restore it from the repository") from error
    tables = {table.key: table for table in card.tables}
    unknown = [task for task in rows if card.find(task) is None]
    unknown += [
        f"{key}: {c}" for key, (columns, _) in third_party.items() for c in columns if key not in tables or c not in tables[key].models
    ]
    if unknown:
        raise DataError(f"{path} speaks of {', '.join(unknown)}, which the card does not have; mend the name")
    return protocol


def _row(raw: Any) -> RowProtocol:
    if odd := set(raw) - _FIELDS:
        raise ValueError(f"unknown field {', '.join(sorted(odd))}")
    return RowProtocol(tuple(raw.get("metrics", ())), raw.get("not_comparable", ""), raw.get("caveat", ""))
