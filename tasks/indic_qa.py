"""IndicQA: questions about passages, some of them unanswerable (IndicXTREME, Doddapaneni et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.types import Doc

from .cells import missing, texts
from .digest import digest


def to_doc(row: Mapping[str, Any]) -> Doc:
    """Target: the gold answers, or ("",) where the passage holds none, which `answerable` says too.

    `answers` may be {text: [...]} as the hub's rows have it, a list of {text} as the raw file has it, or null. Questions
    about one passage are a cluster.
    """
    context, _ = texts(row, "context", "question")
    answers = row["answers"] or []
    given = answers["text"] or [] if isinstance(answers, Mapping) else [answer["text"] for answer in answers]
    golds = tuple(dict.fromkeys(text for text in given if not missing(text)))
    return Doc(id="", fields={**row, "answerable": bool(golds)}, target=golds or ("",), cluster=digest(context))
