"""MMLU: 57 subjects of four-way questions (Hendrycks et al., 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def to_doc(row: Mapping[str, Any]) -> Doc:
    """The subject is both the group of the breakdown and the cluster: its questions share a source and their shots."""
    subject = row["subject"]
    fields = {**row, "question": row["question"].strip(), "subject_name": subject.replace("_", " ")}
    return Doc(id="", fields=fields, choices=tuple(row["choices"]), target=int(row["answer"]), cluster=subject, group=subject)
