"""HellaSwag: which ending continues the scene (Zellers et al., 2019). Clean-up rules: those of lm-evaluation-harness."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc


def clean(text: str) -> str:
    """WikiHow's markup taken out: titles become sentence ends, bracketed marks go, double spaces close once."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def to_doc(row: Mapping[str, Any]) -> Doc | None:
    """`ctx_b` is capitalised as the harness does it; scenes cut from one video or article are a cluster.

    None for a row without a label (the test split).
    """
    if str(row["label"]) == "":
        return None
    scene = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    endings = tuple(clean(ending) for ending in row["endings"])
    return Doc(id="", fields={**row, "query": clean(scene)}, choices=endings, target=int(row["label"]), cluster=row.get("source_id"))
