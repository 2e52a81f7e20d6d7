"""NQ-open: questions people typed into a search engine, without a passage (Lee et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """Several golds; None for a row without any."""
    answers = tuple(row["answer"])
    return Doc(id="", fields=dict(row), target=answers) if answers else None
