"""CrossSum-IN: an English article, a summary in an Indian language (IndicGenBench, Singh et al., 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.languages import name_of
from evalkit.types import Doc

from .cells import missing, texts


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """`target_language` is the word for the prompt; None for a row without a summary."""
    if missing(row["summary"]):
        return None
    texts(row, "text")
    fields = {**row, "target_language": name_of(row["lang"])}
    return Doc(id="", fields=fields, target=row["summary"], cluster=row.get("source_url"))
