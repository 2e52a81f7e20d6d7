"""IN22: n-way parallel sentences in English and 22 Indian languages (IndicTrans2, Gala et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.languages import LANGUAGES
from evalkit.types import Doc

from .digest import digest


def to_doc_en_xx(row: Mapping[str, Any]) -> Doc:
    """English to the language the row is read for."""
    return _doc(row, "en", row["language"])


def to_doc_xx_en(row: Mapping[str, Any]) -> Doc:
    """The language the row is read for to English."""
    return _doc(row, row["language"], "en")


def _doc(row: Mapping[str, Any], source: str, target: str) -> Doc:
    """Both layouts: one column a code (`hin_Deva`), or the script's `sentence_hin_Deva`.

    A sentence and its twins in the other languages are a cluster. Fields as Flores-IN's: `source`, `target`,
    `source_language`, `target_language` (words), `source_code`, `target_code` (ISO 639).
    """
    # Every other language's column stays behind: a document holds what its prompt and score need.
    kept = {name: row[name] for name in ("id", "context", "domain", "url") if name in row}
    fields = {
        **kept,
        "source": sentence(row, source),
        "target": sentence(row, target),
        "source_code": source,
        "target_code": target,
        "source_language": LANGUAGES[source].name,
        "target_language": LANGUAGES[target].name,
    }
    language = target if source == "en" else source
    return Doc(id="", fields=fields, target=fields["target"], cluster=digest(sentence(row, "en")), language=language)


def sentence(row: Mapping[str, Any], code: str) -> str:
    """The row's sentence in a language.

    Raises:
        ValueError: the row has no such column, or nothing in it.
    """
    names = (LANGUAGES[code].code, f"sentence_{LANGUAGES[code].code}")
    text = next((row[name] for name in names if name in row), None)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"no sentence in {names[0]} (or {names[1]}); the row has: {', '.join(row)}; languages=[…] asks for some languages")
    return text
