"""Text as answers are compared: Unicode form, digits of every script, danda, and exact-match normalisation."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence

# U+0964 danda and U+0965 double danda end sentences in most Indic scripts (Unicode encodes them once, in the
# Devanagari block); U+06D4 is Urdu's full stop.
SENTENCE_ENDS = "\u0964\u0965\u06d4"

EQUIVALENCE = "indic:3"  # for signatures: raised whenever `equivalent` changes
ZWNJ, ZWJ = "\u200c", "\u200d"
# Letters that older text, or another keyboard, writes as consonant + virama + ZWJ; most got code points in Unicode 5.1.
_WITH_JOINER = {
    "\u0d23\u0d4d\u200d": "\u0d7a",  # Malayalam chillu nn
    "\u0d28\u0d4d\u200d": "\u0d7b",  # n
    "\u0d30\u0d4d\u200d": "\u0d7c",  # rr
    "\u0d32\u0d4d\u200d": "\u0d7d",  # l
    "\u0d33\u0d4d\u200d": "\u0d7e",  # ll
    "\u0d15\u0d4d\u200d": "\u0d7f",  # k
    "\u09a4\u09cd\u200d": "\u09ce",  # Bengali khanda ta
    "\u0930\u094d\u200d": "\u0931\u094d",  # Marathi eyelash ra
}
_NTA = ("\u0d7b\u0d4d\u0d31", "\u0d28\u0d4d\u0d31")  # Malayalam nta, with the chillu and without
# Signs that nobody sees: zero-width space, word joiner, byte order mark, soft hyphen, directions of writing, variants of a glyph.
_UNSEEN = dict.fromkeys(
    [0x00AD, 0x061C, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFE00, 0xFE10)]
)
_UNSEEN_OR_BLANK = {**_UNSEEN, 0x00A0: " ", 0x202F: " "}


def _indic(kinds: str, but: str = "") -> str:
    """Characters of the blocks from Devanagari to Sinhala whose category starts with one of `kinds`."""
    return "".join(c for c in map(chr, range(0x0900, 0x0E00)) if unicodedata.category(c)[0] in kinds and c not in but)


_NUKTAS = "\u093c\u09bc\u0a3c\u0abc\u0b3c\u0cbc"
# A nukta belongs to its consonant. Canonical order moves it in front of a virama, but not in front of a vowel sign.
_LATE_NUKTA = re.compile(rf"([{_indic('L')}])([{_indic('M', _NUKTAS)}]+)([{_NUKTAS}])")
# Arabic keyboards' letters as Urdu encodes them; U+0640 only lengthens a line.
_URDU = str.maketrans(
    {
        "\u064a": "\u06cc",  # yeh
        "\u0649": "\u06cc",  # alef maksura, the same yeh without dots
        "\u0643": "\u06a9",  # kaf
        "\u0647": "\u06c1",  # heh
        "\u06d5": "\u06c1",
        "\u06c0": "\u06c2",  # heh with hamza above
        "\u0629": "\u06c3",  # teh marbuta
        "\u0640": None,
    }
)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
# TriviaQA's scorer puts a blank in the place of punctuation, NQ-open's nothing.
_BLANK_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "\u2018\u2019\u00b4`", " "))
_NO_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)


def nfc(text: str) -> str:
    """Canonical composition (Unicode Annex 15), so that equal-looking answers are equal strings."""
    return unicodedata.normalize("NFC", text)


def ascii_digits(text: str) -> str:
    """Every decimal digit (Unicode category Nd: १२, ১২, ١٢, １２ …) as 0-9; all else untouched."""
    if text.isascii():
        return text
    return "".join(str(value) if (value := unicodedata.decimal(char, None)) is not None else char for char in text)


def strip_sentence_end(text: str) -> str:
    """The text without trailing white space, danda, double danda and Urdu full stop."""
    return text.rstrip(SENTENCE_ENDS + string.whitespace)


def no_joiners(text: str) -> str:
    """The text without ZWJ and ZWNJ, which choose between drawings of one spelling; letters that old text writes with
    a ZWJ (Malayalam chillus, Bengali khanda ta) get their own code points first. NFC in, NFC out; idempotent on it."""
    if ZWJ not in text and ZWNJ not in text:
        return text
    for written, letter in _WITH_JOINER.items():
        text = text.replace(written, letter)
    return nfc(text.replace(ZWJ, "").replace(ZWNJ, ""))


def urdu_letters(text: str) -> str:
    """Arabic yeh, kaf, heh and teh marbuta as Urdu encodes them, tatweel gone; for comparing, not for printing Arabic."""
    return nfc(text.translate(_URDU))


def nukta_first(text: str) -> str:
    """Every nukta directly behind its letter, in front of vowel signs; NFC in, NFC out."""
    while (moved := _LATE_NUKTA.sub(r"\1\3\2", text)) != text:
        text = moved
    return nfc(text)


def equivalent(text: str) -> str:
    """A text in the one spelling of all that look and mean the same; the same for exact match, labels, entities and SQuAD.

    NFC; no joiners and no other signs that nobody sees; Malayalam chillus, Bengali khanda ta and Marathi eyelash ra as letters
    of their own; nuktas next to their consonants; Arabic letters, presentation forms included, as Urdu encodes them; ASCII
    digits. Case, white space and punctuation stay. Idempotent.
    """
    if text.isascii():
        return text
    text = nfc("".join(_arabic(char) for char in text).translate(_UNSEEN_OR_BLANK))
    text = no_joiners(text).replace(*_NTA)
    return nfc(ascii_digits(nukta_first(urdu_letters(text))))


def _arabic(char: str) -> str:
    """Arabic presentation forms as the letters they present."""
    return unicodedata.normalize("NFKC", char) if "\ufb50" <= char <= "\ufdff" or "\ufe70" <= char <= "\ufefc" else char


def indic_answer(text: str) -> str:
    """An answer in any script, made comparable: `equivalent`, without the danda at its end. Idempotent."""
    return strip_sentence_end(equivalent(text))


def normal_label(text: str) -> str:
    """`equivalent`, case folded, without white space around it or punctuation (danda included) at its end. Idempotent."""
    return equivalent(equivalent(text).casefold()).strip().rstrip(SENTENCE_ENDS + string.punctuation + string.whitespace)


def normalize_answer(text: str, *, ignore_patterns: Sequence[str] = (), ignore_case: bool = False, ignore_punctuation: bool = False) -> str:
    """What exact match compares: patterns removed in order, then lower case, then ASCII punctuation deleted.

    The order is that of Hugging Face `evaluate`'s exact_match, which lm-evaluation-harness 0.4.13 follows: a pattern
    sees the original case, and a danda is not ASCII punctuation, so it stays.
    """
    for pattern in ignore_patterns:
        text = re.sub(pattern, "", text)
    if ignore_case:
        text = text.lower()
    return text.translate(_NO_ASCII_PUNCTUATION) if ignore_punctuation else text


def triviaqa_answer(text: str) -> str:
    """An answer as TriviaQA's own scorer compares it (Joshi et al., 2017): lower case, then blanks for underscores,
    punctuation (ASCII, curly single quotes, accents standing alone) and English articles, runs of white space closed."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_BLANK_PUNCTUATION)).split())


def nq_open_answer(text: str) -> str:
    """An answer as NQ-open's authors compare it (Lee et al., 2019): canonical decomposition, lower case, ASCII punctuation
    deleted, English articles blanked, runs of white space closed."""
    bare = unicodedata.normalize("NFD", text).lower().translate(_NO_ASCII_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())
