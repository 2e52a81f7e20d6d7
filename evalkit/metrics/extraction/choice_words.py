"""The words and signs that answers to multiple choice put around an option, and a text without its markup."""

from __future__ import annotations

import re
import unicodedata

from evalkit.metrics.extraction.marks import CONJUNCTION, colons
from evalkit.text import equivalent, normal_label

# Behind an A that is a letter and no article.
GOES_ON = (
    "because|since|as|is|was|seems|appears|would|must|should|due|for|by|that|which|but|not|follows|makes|describes|entails|contradicts|"
    "and|or|rather|instead|over"
)
# Words that name an answer where a colon follows them.
COLONED = (
    "final|correct|selected|selection|chosen|pick|verdict|conclusion|result|output|solution|response|correction|decision|prediction|"
    "cause|effect"
)
NUMBER_WORDS = {"zero": "0", "one": "1", "two": "2", "three": "3"}
ARROWS = "(?:[=-]+>|[\u2192\u21d2\u27a1\u25b6\U0001f449])"
_DOUBT = r"(?:(?:maybe|perhaps|possibly|probably|even|also)\s+)?"
OTHER = (
    rf"\s*[)\]\"'.]?\s*[(\[]?\s*(?:(?:/|,|&|\||\bor\b|\band\b|(?<!\S)(?:{CONJUNCTION})(?!\S))\s*)+"
    rf"{_DOUBT}(?:(?:option|choice)\s+)?[(\[\"']?"
)
RIGHT = "सही|ठीक|बरोबर|সঠিক|ঠিক|শুদ্ধ|સાચો|સાચું|સાચી|ਸਹੀ|ਠੀਕ|ସଠିକ|ଠିକ|சரி|சரியான|சரியானது|సరైన|సరైనది|ಸರಿ|ಸರಿಯಾದ|ശരി|ശരിയാണ്|ശരിയായ|صحیح|درست"
COPULA = "है|हैं|आहे|হল|হলো|হচ্ছে|হৈছে|是|为|ਹੈ|છે|ହେଉଛି|ହେଲା|ہے"
IS = r"(?:is|was|ist|est|es|must\s+be|would\s+be|should\s+be|seems(?:\s+to\s+be)?|=)"
GOOD = r"(?:correct|right|best|better|true|answer|likely|likelier|plausible|appropriate|accurate)"
_WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_MARKUP = re.compile(r"\*+|__+|(?<!\w)_(?=\w)|(?<=\w)_(?!\w)|`+|\\[()\[\]]|(?<!\\)\$")
_STRUCK = re.compile(r"~~[^~\n]+~~")
_TEX = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")
_TICKS = str.maketrans(dict.fromkeys("\u2705\u2714\u2713\u2611", " \u2713 ") | dict.fromkeys("\u274c\u2717\u2718\u2716\u274e", " \u2717 "))


def plain(text: str) -> str:
    """One spelling, ASCII in place of full-width signs, without markup."""
    if not text.isascii():
        text = colons("".join(_letter(char) for char in text.translate(_WIDE)).translate(_TICKS))
    text = _TEX.sub(r"\1", equivalent(text))
    return _MARKUP.sub("", _STRUCK.sub("", text))


def _letter(char: str) -> str:
    """Letters and digits in circles, in boxes and of mathematics as plain ones; no keycap around a digit."""
    code = ord(char)
    if code == 0x20E3:
        return ""
    if not (0x2460 <= code <= 0x24FF or 0x1D400 <= code <= 0x1D7FF or 0x1F110 <= code <= 0x1F189):
        return char
    if (plain := unicodedata.normalize("NFKC", char)) != char:
        return plain
    name = unicodedata.name(char, "")
    return name[-1] if re.search(r"LETTER [A-Z]$", name) else char


def words(text: str) -> str:
    """The text's words between single blanks."""
    return " ".join(re.sub(r"[\s.,;:!?()\[\]\"'\u201c\u201d\u0964-]+", " ", normal_label(text)).split())
