"""Flores-IN: FLORES translations between English and Indian languages (IndicGenBench, Singh et al., 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.languages import name_of
from evalkit.types import Doc

from .cells import texts
from .digest import digest


def to_doc_en_xx(row: Mapping[str, Any]) -> Doc:
    """English to the row's language."""
    return _doc(row, "enxx")


def to_doc_xx_en(row: Mapping[str, Any]) -> Doc:
    """The row's language to English."""
    return _doc(row, "xxen")


def _doc(row: Mapping[str, Any], direction: str) -> Doc:
    """A row of either direction serves both: source and target change places when it is the other one.

    A sentence and its twins in the other languages are a cluster, known by a hash of the English side.
    Fields: `source`, `target`, `source_language`, `target_language` (words), `source_code`, `target_code` (ISO 639).
    """
    given = row["translation_direction"]
    if given not in ("enxx", "xxen"):
        raise ValueError(f"translation_direction {given!r} is neither 'enxx' nor 'xxen'")
    source, target = texts(row, "source", "target") if given == direction else texts(row, "target", "source")
    codes = ("en", row["lang"]) if direction == "enxx" else (row["lang"], "en")
    english = source if direction == "enxx" else target
    fields = {
        **row,
        "source": source,
        "target": target,
        "translation_direction": direction,
        "source_code": codes[0],
        "target_code": codes[1],
        "source_language": name_of(codes[0]),
        "target_language": name_of(codes[1]),
    }
    return Doc(id="", fields=fields, target=target, cluster=digest(english), language=row["lang"])
