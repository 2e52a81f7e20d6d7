"""Letters of options as other scripts write them: the first four letters, or the names of A to D."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalkit.metrics.extraction.marks import ANSWER, bare_sentence
from evalkit.metrics.extraction.sentence import SIGNS
from evalkit.text import equivalent

_LETTERS = "ABCD"
_ROWS = (
    "क ख ग घ", "अ ब स द", "ए बी सी डी",
    "ক খ গ ঘ", "এ বি সি ডি",
    "ક ખ ગ ઘ", "એ બી સી ડી",
    "ਕ ਖ ਗ ਘ", "ਏ ਬੀ ਸੀ ਡੀ",
    "କ ଖ ଗ ଘ", "ଏ ବି ସି ଡି",
    "அ ஆ இ ஈ", "ஏ பி சி டி",
    "అ ఆ ఇ ఈ", "ఎ బి సి డి",
    "ಅ ಆ ಇ ಈ", "ಎ ಬಿ ಸಿ ಡಿ",
    "അ ആ ഇ ഈ", "എ ബി സി ഡി",
    "الف ب ج د", "اے بی سی ڈی",
)  # fmt: skip
_LATIN = {equivalent(written): letter for row in _ROWS for written, letter in zip(row.split(), _LETTERS, strict=True)}
_COPULA = "है|हैं|आहे|হল|হলো|হচ্ছে|হৈছে|ਹੈ|છે|ହେଉଛି|ஆகும்|ہے"
_NAMES = "|".join(sorted(_LATIN, key=len, reverse=True))
# Set off by a sign or a bracket, or by the end of what is said: these letters are words and parts of words too.
_SAID = re.compile(
    rf"((?<![^\W_])(?:{ANSWER})\s*(?:(?:(?:{_COPULA})\s*)?[:=]\s*[(\[\"']*|(?:{_COPULA})\s+[(\[\"']*|\s*[(\[]\s*))({_NAMES})(?![\w{SIGNS}])"
    rf"|((?<![^\W_])(?:{ANSWER})\s+)({_NAMES})(?=\s*(?:$|[.,;:)\u0964\u06d4\n])|\s+(?:{_COPULA}|सही|ठीक|সঠিক|சரி|సరైన|صحیح|درست))",
    re.IGNORECASE | re.MULTILINE,
)


def latin_letters(text: str, labels: Sequence[str]) -> str:
    """The text with A to D for what other scripts call them, behind a word for "answer" or "option" or alone.

    Only where A, B and so on are the options' labels. The text has to be in one spelling (`text.equivalent`).
    """
    if text.isascii() or tuple(labels) != tuple(_LETTERS[: len(labels)]):
        return text
    if (letter := _LATIN.get(bare_sentence(text))) in labels:
        return str(letter)
    return _SAID.sub(lambda match: _written(match, labels), text)


def _written(match: re.Match[str], labels: Sequence[str]) -> str:
    letter = _LATIN[match[2] or match[4]]
    return f"{match[1] or match[3]}{letter}" if letter in labels else match[0]
