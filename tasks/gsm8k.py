"""GSM8K: grade-school arithmetic in words (Cobbe et al., 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def to_doc(row: Mapping[str, Any]) -> Doc:
    """The gold is the whole worked solution: its last line holds `#### N`, to which the metric reduces it."""
    return Doc(id="", fields=dict(row), target=row["answer"])
