"""Languages by ISO 639 code: the one table. A new language is a line here, and its words where a task's prompt needs some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of a language.

    Attributes:
        name: in English, as prompts name it.
        code: as FLORES and IN22 write it (`hin_Deva`).
        scripts: Unicode scripts (Script property) it is written in.
        rivals: among which languages an identifier has to decide; () all that it knows (romanised Hindi is then not English);
            None: its script alone tells.
    """

    name: str
    code: str
    scripts: tuple[str, ...]
    rivals: tuple[str, ...] | None = None


_DEVANAGARI, _BENGALI, _ARABIC = ("hi", "mr", "ne", "sa"), ("as", "bn"), ("ur", "ar", "fa")

LANGUAGES: Mapping[str, Language] = {
    "ar": Language("Arabic", "arb_Arab", ("Arabic",), _ARABIC),
    "as": Language("Assamese", "asm_Beng", ("Bengali",), _BENGALI),
    "bho": Language("Bhojpuri", "bho_Deva", ("Devanagari",)),
    "bn": Language("Bengali", "ben_Beng", ("Bengali",), _BENGALI),
    "brx": Language("Bodo", "brx_Deva", ("Devanagari",)),
    "doi": Language("Dogri", "doi_Deva", ("Devanagari",)),
    "en": Language("English", "eng_Latn", ("Latin",), ()),
    "fa": Language("Persian", "pes_Arab", ("Arabic",), _ARABIC),
    "gom": Language("Konkani", "gom_Deva", ("Devanagari",)),
    "gu": Language("Gujarati", "guj_Gujr", ("Gujarati",)),
    "hi": Language("Hindi", "hin_Deva", ("Devanagari",), _DEVANAGARI),
    "kn": Language("Kannada", "kan_Knda", ("Kannada",)),
    "ks": Language("Kashmiri", "kas_Arab", ("Arabic", "Devanagari")),
    "mai": Language("Maithili", "mai_Deva", ("Devanagari",)),
    "ml": Language("Malayalam", "mal_Mlym", ("Malayalam",)),
    "mni": Language("Manipuri", "mni_Mtei", ("Meetei_Mayek", "Bengali")),
    "mr": Language("Marathi", "mar_Deva", ("Devanagari",), _DEVANAGARI),
    "ne": Language("Nepali", "npi_Deva", ("Devanagari",), _DEVANAGARI),
    "or": Language("Odia", "ory_Orya", ("Oriya",)),
    "pa": Language("Punjabi", "pan_Guru", ("Gurmukhi",)),
    "sa": Language("Sanskrit", "san_Deva", ("Devanagari",), _DEVANAGARI),
    "sat": Language("Santali", "sat_Olck", ("Ol_Chiki",)),
    "sd": Language("Sindhi", "snd_Arab", ("Arabic", "Devanagari")),
    "si": Language("Sinhala", "sin_Sinh", ("Sinhala",)),
    "ta": Language("Tamil", "tam_Taml", ("Tamil",)),
    "te": Language("Telugu", "tel_Telu", ("Telugu",)),
    "ur": Language("Urdu", "urd_Arab", ("Arabic",), _ARABIC),
}


def name_of(code: str) -> str:
    """A language's name in English; a code that is not in the table is its own name."""
    return LANGUAGES[code].name if code in LANGUAGES else code
