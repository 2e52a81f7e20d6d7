"""Languages by ISO 639 code: their English names, and the codes of FLORES and IN22."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = {
    "as": "Assamese",
    "bn": "Bengali",
    "en": "English",
    "gu": "Gujarati",
    "hi": "Hindi",
    "kn": "Kannada",
    "ml": "Malayalam",
    "mr": "Marathi",
    "or": "Odia",
    "pa": "Punjabi",
    "sa": "Sanskrit",
    "ta": "Tamil",
    "te": "Telugu",
    "ur": "Urdu",
}

SCRIPT_CODES = {
    "as": "asm_Beng",
    "bn": "ben_Beng",
    "en": "eng_Latn",
    "gu": "guj_Gujr",
    "hi": "hin_Deva",
    "kn": "kan_Knda",
    "ml": "mal_Mlym",
    "mr": "mar_Deva",
    "or": "ory_Orya",
    "pa": "pan_Guru",
    "sa": "san_Deva",
    "ta": "tam_Taml",
    "te": "tel_Telu",
    "ur": "urd_Arab",
}


def word(table: Mapping[str, tuple[str, ...]], code: str, family: str) -> tuple[str, ...]:
    """The words of a language in a family's table.

    Raises:
        ValueError: the family has none for it.
    """
    if code not in table:
        raise ValueError(f"language {code!r} has no words in {family}; it has {', '.join(table)}")
    return table[code]
