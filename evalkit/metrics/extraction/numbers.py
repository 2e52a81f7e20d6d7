"""The number an answer means, by value: exact, in any script's digits, in prose or in LaTeX.

math-verify reads LaTeX well, and the tests hold this reader against it. It is not used for scoring: it reads no digits but 0-9,
takes 1,00,000 for 1, sets a timer that works in the main thread alone, and prefers an expression (10-3) to the number that ends it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from evalkit.text import ascii_digits

MAX_DIGITS = 400  # a longer run of digits is a model stuck in a loop
MAX_POWER = 400

_SIGNS = str.maketrans(
    {
        "\u2212": "-",  # minus sign
        "\uff0d": "-",  # full-width hyphen
        "\ufe63": "-",  # small hyphen-minus
        "\u066b": ".",  # Arabic decimal separator
        "\u066c": ",",  # Arabic thousands separator
        "\uff0e": ".",
        "\uff0c": ",",
        "\u066a": "%",
        "\uff05": "%",
        "\uff0f": "/",
        "\u2044": "/",  # fraction slash
        "\u00a0": " ",
        "\u200b": None,
        "\u200c": None,
        "\u200d": None,
        "\u200e": None,
        "\u200f": None,
    }
)
_LATEX = (
    (re.compile(r"\\(?:left|right|displaystyle)(?![A-Za-z])"), ""),
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox|operatorname)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\{\s*,\s*\}|,?\\[,!]"), ","),  # 1{,}250 and 1\,250 are one number
    (re.compile(r"\\[$%]"), lambda match: match[0][1:]),
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])"), "×"),
    (re.compile(r"\\[dtc]?frac\s*(\d)\s*(\d)(?!\d)"), r"\\frac{\1}{\2}"),
)
# Groups of thousands divided by blanks or, with a decimal comma or twice, by points.
_BLANK_GROUPS = re.compile(r"(?<![\d.,])(?<![\d.,] )[1-9]\d{0,2}(?:[ \u00a0\u202f\u2009]\d{3})+(?!\d)(?! \d)")
_SIGN_GROUPS = re.compile(r"(?<![\w.,'\u2019])[1-9]\d{0,2}(?:(?:['\u2019]\d{3})+|(?:_\d{3})+)(?!\w)(?!['\u2019]\d)")  # 1'250 and 1_250
_DASH = re.compile(r"((?:^|[=:(]|\bis|\bequals|\bare)\s*)[\u2013\u2012](?=\d|[$€£₹])", re.IGNORECASE | re.MULTILINE)  # for a minus
_POINT_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,\d{1,2}(?![\d,.]*\d)|(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![.,]?\d)")
_RAISED = re.compile("(?<=\\d)(\u207b?)([\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+)")
_MINUS = re.compile(r"((?:^|[=:]|\bis|\bequals|\bare)\s*)(?:minus|negative)\s+(?=[\d$])", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)\d+(?:/\d+){2,}")
_CURRENCY = r"(?:[$€£₹¥₨৳]|(?:रु|रू|रुपये|રૂ|ਰੁ|ରୁ|ரூ|రూ|ರೂ|രൂ)\.?|\bRs\.?|\bINR|\bUSD)"
_WHOLE = r"\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)|\d+"
_PLAIN = rf"(?:(?:{_WHOLE})(?:\.\d+)?|\.\d+)"
_NUMBER = re.compile(
    rf"""
    (?<![A-Za-z0-9_.])(?<![A-Za-z]\^)(?<![A-Za-z]\^\{{)(?P<sign>(?:(?<![\w)\]}}%.])-\s?(?={_CURRENCY})|(?<![\w)\]}}%])-)?)
    (?:{_CURRENCY}\s*)?(?P<inner>(?<=[$€£₹¥₨৳])-)?
    (?:
      (?P<mixed>\d+)?\s?\\[dtc]?frac\s*\{{\s*(?P<top>-?{_PLAIN})\s*\}}\s*\{{\s*(?P<bottom>{_PLAIN})\s*\}}
      | (?P<whole>\d+)\s+(?P<over>\d+)/(?P<under>\d+)(?![\d/])
      | (?P<number>{_PLAIN})
        (?:
          \s?/\s?(?P<divisor>{_PLAIN})(?!\s?/\s?\d)(?![\d,])
          | [eE](?P<exponent>[+-]?\d{{1,3}})(?![\w.])
          | \s*[×x*]\s*10\s*\^\s*\{{?\s*(?P<ten>[+-]?\d{{1,3}})\s*\}}?
          | \s*\^\s*\{{?\s*(?P<power>\d{{1,3}})\s*\}}?
        )?
    )
    \s?(?P<percent>%|\bper\s?cent\b)?
    """,
    re.VERBOSE,
)
# 12,50 with nothing of a list around it: a comma as the decimal mark.
_DECIMAL_COMMA = re.compile(r"(?<![\d.,(\[])(\d+),(\d{1,2})(?![\d,.]*\d|[)\]])")
_GLUED = re.compile(r"\d+(?:\.\d+)?")
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_MARK = "####"


@dataclass(frozen=True, slots=True)
class Number:
    """A value, and whether it was written as a percentage (25% has the value 25)."""

    value: Fraction
    percent: bool = False

    def equals(self, other: Number) -> bool:
        """Equal by value; where one of them is a percentage, 25% is 0.25 as well."""
        if self.value == other.value:
            return True
        return self.percent != other.percent and self._share() == other._share()

    def __str__(self) -> str:
        value = self.value
        shown = str(value.numerator) if value.denominator == 1 else _decimal(value)
        return f"{shown}%" if self.percent else shown

    def _share(self) -> Fraction:
        return self.value / 100 if self.percent else self.value


def number(text: str) -> Number | None:
    r"""The number an answer ends in.

    That is the one in the last `\boxed{}`, else the one behind the last `####`, else the last of the text. Thousands may be
    grouped in the Indian way; signs of currency and units are passed over; a fraction, a power and a percentage are read.
    A number inside a word (CO2) counts only where there is no other. None for a text without a digit.
    """
    text = _plain(text)
    for part in _marked(text):
        if found := _last(part):
            return found
    return None


def _plain(text: str) -> str:
    """The text with one sign for one thing: digits 0-9, `-`, `.`, `,`, `%` and simple LaTeX."""
    text = "".join(_vulgar(char) for char in text) if not text.isascii() else text
    text = _BLANK_GROUPS.sub(lambda match: re.sub(r"\s", "", match[0]), ascii_digits(text))
    text = _DASH.sub(r"\1-", _SIGN_GROUPS.sub(lambda match: re.sub(r"\D", "", match[0]), text))
    text = _POINT_GROUPS.sub(lambda match: match[0].replace(".", "").replace(",", "."), text)
    text = _RAISED.sub(lambda match: f"^{'-' if match[1] else ''}{unicodedata.normalize('NFKC', match[2])}", text)
    text = _MINUS.sub(r"\1-", text.translate(_SIGNS))
    text = _DATE.sub(lambda match: match[0].replace("/", " "), text)
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    return _DECIMAL_COMMA.sub(r"\1.\2", text.replace("**", " ").replace("__", " "))


def _vulgar(char: str) -> str:
    """A character such as ½ written out, with a blank behind a whole number in front of it."""
    if unicodedata.category(char) == "No" and "\u2044" in (written := unicodedata.normalize("NFKC", char)):
        return f" {written.replace(chr(0x2044), '/')}"
    return char


def _marked(text: str) -> list[str]:
    """The parts of a text to look in, the most explicit first; the text itself is the last."""
    boxes = [match.end() for match in _BOXED.finditer(text)]
    parts = [_braced(text, boxes[-1])] if boxes else []
    if _MARK in text:
        behind = _result(text.rpartition(_MARK)[2].strip())
        if first := _NUMBER.search(behind):
            parts.append(behind[: first.end()])
    return [*parts, text]


def _result(text: str) -> str:
    """`3 + 15 = 18`: what is behind the last sign of equality of the first line, where a sum is in front of it."""
    line, _, rest = text.partition("\n")
    left, equals, right = line.rpartition("=")
    return f"{right}\n{rest}" if equals and len(_NUMBER.findall(left)) > 1 and _NUMBER.search(right) else text


def _braced(text: str, start: int) -> str:
    """What is between an open brace before `start` and its own closing one; all of the rest where that is missing."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return text[start:place]
    return text[start:]


def _last(text: str) -> Number | None:
    matches = list(_NUMBER.finditer(text))
    found = next((value for match in reversed(matches) if (value := _value(match))), None)
    if not matches and (glued := _GLUED.findall(text)) and len(glued[-1]) <= MAX_DIGITS:
        return Number(Fraction(glued[-1]))
    return found


def _value(match: re.Match[str]) -> Number | None:
    """None for what only looks like a number: a division by 0, a run of digits without an end."""
    part = match.groupdict()
    if len(match[0]) > MAX_DIGITS:
        return None
    try:
        value = _unsigned(part)
    except ZeroDivisionError:
        return None
    if part["sign"].strip() or part["inner"]:
        value = -value
    return Number(value, bool(part["percent"]))


def _unsigned(part: dict[str, str]) -> Fraction:
    if part["top"]:
        value = _read(part["top"]) / _read(part["bottom"])
        return value + _read(part["mixed"]) if part["mixed"] else value
    if part["whole"]:
        return _read(part["whole"]) + Fraction(int(part["over"]), int(part["under"]))
    value = _read(part["number"])
    if part["divisor"]:
        return value / _read(part["divisor"])
    if ten := part["exponent"] or part["ten"]:
        return value * Fraction(10) ** int(ten)
    if part["power"] and int(part["power"]) * max(1, len(part["number"])) <= MAX_POWER:
        return value ** int(part["power"])
    return value


def _read(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))


def _decimal(value: Fraction) -> str:
    """As a decimal where it ends, else as a fraction."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = next(n for n in range(MAX_DIGITS * 4) if (value * 10**n).denominator == 1)
    whole, part = divmod(abs(value.numerator) * 10**places // value.denominator, 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{places}d}"
