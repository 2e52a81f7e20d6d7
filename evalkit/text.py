"""Text as answers are compared: Unicode form, digits of every script, danda, and exact-match normalisation."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence

# U+0964 danda and U+0965 double danda end sentences in most Indic scripts (Unicode encodes them once, in the
# Devanagari block); U+06D4 is Urdu's full stop.
SENTENCE_ENDS = "\u0964\u0965\u06d4"

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


def indic_answer(text: str) -> str:
    """An answer in any script, made comparable: NFC, ASCII digits, no final danda. Idempotent."""
    return strip_sentence_end(ascii_digits(nfc(text)))


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
