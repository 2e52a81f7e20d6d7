"""HumanEval: functions from their signature and docstring (Chen et al., 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def to_doc(row: Mapping[str, Any]) -> Doc:
    """The prompt stays as it is, final newline included: the program is the prompt with the answer after it."""
    return Doc(id="", fields=dict(row), target=row["canonical_solution"])
