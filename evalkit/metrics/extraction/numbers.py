"""The number an answer means, by value: exact, in any script's digits, in prose or in LaTeX.

math-verify reads LaTeX well, and the tests hold this reader against it. It is not used for scoring: it reads no digits but 0-9,
takes 1,00,000 for 1, sets a timer that works in the main thread alone, and prefers an expression (10-3) to the number that ends it.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt

from evalkit.metrics.extraction.marks import RESULT, colons, ended
from evalkit.metrics.extraction.scales import SCALE, scale
from evalkit.text import ascii_digits, nfc

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
        "\u00b7": "×",
        "\u22c5": "×",
        "\u20e3": None,  # a keycap around a digit
        "\ufe0f": None,
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
    (re.compile(r"(?:\\sqrt\s*\{\s*|\u221a)(\d{1,12})\b(?:\s*\})?"), lambda match: _root(match)),
    (re.compile(r"\\[dtc]?frac\s*(\d)\s*(\d)(?!\d)"), r"\\frac{\1}{\2}"),
)
# Groups of thousands divided by blanks or, with a decimal comma or twice, by points.
_BLANK_GROUPS = re.compile(r"(?<![\d.,])(?<![\d.,] )[1-9]\d{0,2}(?:[ \u00a0\u202f\u2009]\d{3})+(?!\d)(?! \d)")
_SIGN_GROUPS = re.compile(r"(?<![\w.,'\u2019])[1-9]\d{0,2}(?:(?:['\u2019]\d{3})+|(?:_\d{3})+)(?!\w)(?!['\u2019]\d)")  # 1'250 and 1_250
_DASH = re.compile(r"((?:^|[=:(]|\bis|\bequals|\bare)\s*)[\u2013\u2012](?=\d|[$€£₹])", re.IGNORECASE | re.MULTILINE)  # for a minus
_POINT_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+,\d{1,2}(?![\d,.]*\d)|(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![.,]?\d)")
_ARABIC_GROUPS = re.compile(r"(?<=\d)\u060c(?=\d{3}(?!\d))")
_CLOCK = re.compile(r"(?<![\d:.,])(\d{1,2}):([0-5]\d)(?![\d:])(\s*[ap]\.?m\b)?", re.IGNORECASE)
_STARS = re.compile(r"(?<=\d)\*\*(?=\d)")  # 10**6
_STRUCK = re.compile(r"~~[^~\n]+~~")
_AND_A_HALF = re.compile(r"(?<![\d./=-])(?<!= )(\d+)(?:\s+and\s+(?:a\s+)?|-)(\d{1,3})/(\d{1,3})(?![\d/]|\s*=)")
_CENTS = re.compile(
    r"(?:(?<=[$€£₹])(\d[\d,]{0,15})|(?<![\d,])(\d[\d,]{0,15})\s*(?:dollars?|rupees?|euros?|pounds?|रुपये|रुपए|রুপি|টাকা))"
    r"\s*,?\s*(?:and|&|और|এবং|ও)?\s*(\d{1,2})\s*(?:cents?\b|pence\b|paise\b|पैसे|পয়সা)",
    re.IGNORECASE,
)
_RAISED = re.compile("(?<=\\d)(\u207b?)([\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+)")
_MINUS = re.compile(r"((?:^|[=:]|\bis|\bequals|\bare)\s*)(?:minus|negative)\s+(?=[\d$])", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)\d+(?:/\d+){2,}")
_CURRENCY = r"(?:[$€£₹¥₨৳]|(?:रु|रू|रुपये|રૂ|ਰੁ|ରୁ|ரூ|రూ|ರೂ|രൂ)\.?|\bRs\.?|\bINR|\bUSD)"
_WHOLE = r"\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)|\d+"
_PLAIN = rf"(?:(?:{_WHOLE})(?:\.\d+)?|\.\d+)"
_NUMBER = re.compile(
    rf"""
    (?<![A-Za-z0-9_.])(?<![A-Za-z]\^)(?<![A-Za-z]\^\{{)(?<![A-Za-z]\^-)(?<![A-Za-z]\^\{{-)(?P<sign>(?:(?<![\w)\]}}%.])-\s?(?={_CURRENCY})|(?<![\w)\]}}%])-)?)
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
          | {SCALE}
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
# `#### Step 2` and `#### 2. Then` are headings.
_HEADING = re.compile(r"(?:^|\W)(?:step|part|case|method|phase|day|week|question|solution|चरण|ধাপ|படி)\s*[-:#]?\s*$", re.IGNORECASE)
_COLON = r"[\"'\u201d\u2019*\s)\]]*(?:[:=\u2248]|\bis\b|\bwould\s+be\b|->|=>|\u2192|है|हैं|হল|হলো|হচ্ছে|是|为)"
_NATIVE = "|".join(word for word in RESULT.split("|") if not word.isascii())
_SAID = re.compile(
    rf"(?<![^\W_])(?P<final>final\s+|correct\s+)?(?:(?:{RESULT}){_COLON}|(?:{_NATIVE})(?=\s+[$₹]?-?\d))|<(?:{RESULT})>", re.IGNORECASE
)
# What goes on behind a number that is said: an explanation, another key of JSON, a second sentence.
_GOES_ON = re.compile(
    r"\s[(\[]|[;<\n\u0964\u2014]|[.!?](?=\s|$|[A-Z])|,\s*(?:or|maybe|perhaps)\b|,\s*[\"'}]|\s+-\s+(?![\d$₹])|,?\s*\b(?:because|since|as|but|and\s+not|not|rather|instead|i\.e|which|so)\b",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(r"\b(?:wait|wrong|incorrect|correction|corrected|mistake|actually|re-?check|hmm|no,)\b|गलत|ভুল", re.IGNORECASE)
_JOINED = re.compile(r"[,\s]*(?:(?:and|और|এবং|ও|आणि)\s)?\s*")
MAX_MARKS = 5  # read from the end; more is a model in a loop
MAX_BEFORE = 30  # characters between a mark and its number: a sign of currency, `about`


@dataclass(frozen=True, slots=True)
class Number:
    """A value, and how it was written: as a percentage (25% has the value 25), or as 1.25 behind which `lakh` says the rest."""

    value: Fraction
    percent: bool = False
    digits: Fraction | None = field(default=None, compare=False)

    def equals(self, other: Number) -> bool:
        """Equal by value; where one of them is a percentage, 25% is 0.25 as well; `3 million` is 3 too, as an answer in millions."""
        if self.value == other.value or self.value == other.digits or self.digits == other.value:
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

    That is the one in the last `\boxed{}`, else the one behind the last `####`, else the one that the last `Answer:` or `the answer
    is` gives directly, where nothing takes it back, else the last of the text. Thousands may be grouped in the Indian way; signs of
    currency and units are passed over; a fraction, a power, a percentage and words such as `lakh` are read. A number inside a word
    (CO2) counts only where there is no other. None for a text without a digit.
    """
    text = _plain(ended(text))
    for part in _marked(text):
        if found := _last(part):
            return found
    return None


def _plain(text: str) -> str:
    """The text with one sign for one thing: digits 0-9, `-`, `.`, `,`, `%` and simple LaTeX."""
    text = html.unescape(text) if "&" in text else text
    if not text.isascii():
        text = nfc(text)
        text = colons("".join(_vulgar(char, text[place - 1 : place]) for place, char in enumerate(text)))
    text = _STRUCK.sub("", _STARS.sub("^", text))
    text = _BLANK_GROUPS.sub(lambda match: re.sub(r"\s", "", match[0]), ascii_digits(text))
    text = _DASH.sub(r"\1-", _SIGN_GROUPS.sub(lambda match: re.sub(r"\D", "", match[0]), text))
    text = _POINT_GROUPS.sub(lambda match: match[0].replace(".", "").replace(",", "."), text)
    text = _RAISED.sub(lambda match: f"^{'-' if match[1] else ''}{unicodedata.normalize('NFKC', match[2])}", text)
    text = _MINUS.sub(r"\1-", _ARABIC_GROUPS.sub(",", text).translate(_SIGNS))
    text = _AND_A_HALF.sub(r" \1 \2/\3", _CENTS.sub(_with_cents, _CLOCK.sub(_hours, text)))
    text = _DATE.sub(lambda match: match[0].replace("/", " "), text)
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    return _DECIMAL_COMMA.sub(r"\1.\2", text.replace("**", " ").replace("__", " "))


def _vulgar(char: str, before: str) -> str:
    """A character such as ½ written out, with a blank behind a whole number in front of it."""
    if unicodedata.category(char) == "No" and "\u2044" in (written := unicodedata.normalize("NFKC", char)):
        return f"{' ' if before.isalnum() else ''}{written.replace(chr(0x2044), '/')}"
    return char


def _root(match: re.Match[str]) -> str:
    """A whole root written out."""
    root = isqrt(int(match[1]))
    return str(root) if root * root == int(match[1]) else match[0]


def _hours(match: re.Match[str]) -> str:
    """5:00 is 5, and 5:30 pm is 5 30/60; another 5:30 may be a ratio."""
    if match[2] == "00":
        return f"{match[1]}{match[3] or ''}"
    return f"{match[1]} {match[2]}/60{match[3]}" if match[3] else match[0]


def _with_cents(match: re.Match[str]) -> str:
    return f"{match[1] or match[2]}.{int(match[3]):02d}"


def _marked(text: str) -> list[str]:
    """The parts of a text to look in, the most explicit first; the text itself is the last."""
    boxes = [match.end() for match in _BOXED.finditer(text)]
    parts = [re.sub(r"^\s*-\s+", "-", _braced(text, boxes[-1]))] if boxes else []
    if _MARK in text:
        behind = _result(text.rpartition(_MARK)[2].strip())
        if (first := _NUMBER.search(behind)) and not _heads(behind, first):
            parts.append(behind[: first.end()])
    said = [part for match in list(_SAID.finditer(text))[-MAX_MARKS:] if (part := _directly(text, match))]
    return [*parts, *said[-1:], text]


def _heads(text: str, first: re.Match[str]) -> bool:
    """Whether a text begins as a heading, its first number being that of a step."""
    before, behind = text[: first.start()], text[first.end() :]
    return _HEADING.search(before) is not None or (not before.strip() and re.match(r"[.):][ \t]+[^\W\d]", behind) is not None)


def _directly(text: str, mark: re.Match[str]) -> str | None:
    """The one number that a mark gives, with nothing but a unit around it; None where it begins a calculation or is taken back."""
    rest = text[mark.end() :]
    line, _, below = rest.partition("\n")
    if not line.strip(" *_:\"'"):
        line = next((other for other in below.splitlines() if other.strip()), "")
    first = _NUMBER.search(line)
    if not first or first.start() > MAX_BEFORE or _TAKEN_BACK.search(rest):
        return None
    end = _GOES_ON.search(line, first.start() + len(first[0].rstrip()))
    said, more = (line[: end.start()], line[end.end() :]) if end else (line, "")
    if len(_NUMBER.findall(said)) > 1 or re.search(r"[A-Za-z]{2,}.*[A-Za-z]{2,}", line[: first.start()]):
        return None
    if more.lstrip().startswith("="):
        return None  # 5! = 120
    # `Answer: 9 eggs are left. She makes 9 * 2 = 18`: the answer as a whole is behind the mark.
    whole = (
        not mark["final"]
        and ":" in mark[0]
        and end is not None
        and end[0] in ".!?\u0964"
        and not more.lstrip().startswith("(")
        and _NUMBER.search(more)
    )
    return None if whole else said


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
    found = next(
        (_summed(matches[: place + 1], text, value) for place in range(len(matches) - 1, -1, -1) if (value := _value(matches[place]))), None
    )
    if not matches and (glued := _GLUED.findall(text)) and len(glued[-1]) <= MAX_DIGITS:
        return Number(Fraction(glued[-1]))
    return found


def _summed(matches: Sequence[re.Match[str]], text: str, last: Number) -> Number:
    """`1 lakh 25 thousand`: the last number with those in front of it that leave room for it."""
    value, start = last.value, matches[-1].start()
    for match in reversed(matches[:-1]):
        word = match["scale"]
        if not word or not _JOINED.fullmatch(text[match.end() : start]) or value >= 10 ** scale(word):
            break
        value, start = value + (part.value if (part := _value(match)) else 0), match.start()
    return last if value == last.value else Number(value, last.percent)


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
    if word := part["scale"] or part["letter"]:
        return Number(value * 10 ** scale(word), bool(part["percent"]), value)
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
