"""WinoGrande: which of two names fills the blank (Sakaguchi et al., 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """`prefix` is the sentence before the blank, `rest` what follows it; None for a row without an answer (the test split)."""
    if str(row["answer"]) == "":
        return None
    prefix, blank, rest = row["sentence"].partition("_")
    if not blank:
        raise ValueError(f"the sentence has no blank (_): {row['sentence']!r}")
    fields = {**row, "prefix": prefix, "rest": rest.strip()}
    return Doc(id="", fields=fields, choices=(row["option1"], row["option2"]), target=int(row["answer"]) - 1)
