"""The one name of a closed set that a sentence affirms: `the tone is not positive but neutral` affirms neutral."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from evalkit.metrics.extraction.denial import NATIVE, denies
from evalkit.text import equivalent

# A letter goes on with vowel signs, which are no letters for Python's patterns.
SIGNS = "".join(sign for sign in map(chr, (*range(0x064B, 0x0660), *range(0x0900, 0x0E00))) if unicodedata.category(sign)[0] == "M")
MAX_SENTENCE = 1000  # characters; a longer line is a model in a loop
MAX_NAMES = 1000
_PLACES = 0xE000  # private characters that take the place of names
_NEGATED = re.compile(r"n['\u2019]t\b|\bcannot\b")
_LESS = re.compile(r"\b(?:rather\s+than|instead\s+of|anything\s+but|unlike|than|without)\b")
_BREAK = re.compile(
    r"([,;:.!?()\[\]{}\"\u0964\u06d4\u060c\u061b\u2013\u2014\n|]|\s-\s"
    r"|\b(?:but|yet|however|because|since|although|though|while|whereas|so)\b|(?=\b(?:not|neither|nor)\b)"
    r"|(?<!\S)(?:बल्कि|लेकिन|किंतु|परंतु|পরন্তু|কিন্তু|বরং|তবে|પરંતુ|પણ|ਪਰ|ସଗୁଁ|କିନ୍ତୁ|ஆனால்|కానీ|ಆದರೆ|പക്ഷേ|لیکن|بلکہ|مگر)(?!\S))"
)
_MORE_DENIALS = re.compile(
    rf"\b(?:no|non|none|nothing|hardly|barely|scarcely|lacks?|lacking|fails?|far\s+from)\b|(?<!\S)न(?![\w{SIGNS}])|छोड़कर|अलावा"
)

_PARTICLE = re.compile(rf"no|not|none|never|neither|nor|{NATIVE}")


def affirmed(sentence: str, names: Mapping[str, str]) -> str | None:
    """The label of the one name that a sentence affirms; None where it affirms none, or several, or denies what it affirms.

    `names` are folded texts and the labels that they mean. A name counts as whole words; the longest counts where one holds another.
    Clauses that deny (`not`, `rather than`, नहीं) affirm nothing, nor do questions.
    """
    known = {form: label for form, label in list(names.items())[:MAX_NAMES] if _is_name(form)}
    if not known or len(sentence) > MAX_SENTENCE:
        return None
    labels = list(dict.fromkeys(known.values()))
    text = " ".join(_NEGATED.sub(" not", equivalent(sentence).casefold()).split())
    forms = "|".join(re.escape(form) for form in sorted(known, key=len, reverse=True))
    text = re.sub(rf"(?<![\w{SIGNS}])(?:{forms})(?![\w{SIGNS}])", lambda match: chr(_PLACES + labels.index(known[match[0]])), text)
    parts = _BREAK.split(_LESS.sub(", not ", text))
    yes: set[str] = set()
    no: set[str] = set()
    for clause, sign in zip(parts[::2], [*parts[1::2], ""], strict=True):
        said = {labels[ord(char) - _PLACES] for char in clause if _PLACES <= ord(char) < _PLACES + len(labels)}
        if sign != "?":
            (no if denies(clause) or _MORE_DENIALS.search(clause) else yes).update(said)
    return yes.pop() if len(yes) == 1 and not yes & no else None


def _is_name(form: str) -> bool:
    """Whether a text can be known inside a sentence: a word, and none that denies or is a letter or number."""
    return len(form) > (2 if form.isascii() else 1) and any(char.isalpha() for char in form) and not _only_denies(form)


def _only_denies(form: str) -> bool:
    """Whether a name is a particle of denial itself (`no`, नहीं); `false` is a name like others."""
    return _PARTICLE.fullmatch(form) is not None
