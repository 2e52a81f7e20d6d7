"""IndicQA: questions about passages, some of them unanswerable (IndicXTREME, Doddapaneni et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc

from .digest import digest


def to_doc(row: Mapping[str, Any]) -> Doc:
    """Target: the gold answers, or ("",) where the passage holds none, which `answerable` says too.

    `answers` may be {text: [...]} as the hub's rows have it or a list of {text} as the raw file has it. Questions about one
    passage are a cluster.
    """
    answers = row["answers"]
    texts = answers["text"] if isinstance(answers, Mapping) else [answer["text"] for answer in answers]
    golds = tuple(dict.fromkeys(text for text in texts if text.strip()))
    return Doc(id="", fields={**row, "answerable": bool(golds)}, target=golds or ("",), cluster=digest(row["context"]))
