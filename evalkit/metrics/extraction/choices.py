"""Which of several options an answer chooses: its letter or number, or the option's own text.

The last thing said explicitly counts (`Answer: B`, `B is correct`, a box, a line with nothing but the letter), so that an answer
may think aloud and take back. A letter ends at a boundary: `Based` is not B, `20` is not 2.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from evalkit.metrics.extraction.denial import NATIVE, NEAR, denies, takes_back
from evalkit.metrics.extraction.marks import ANSWER, CONJUNCTION, LABEL, bare, bare_sentence
from evalkit.text import equivalent, normal_label

_WIDE = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_MARKUP = re.compile(r"\*+|__+|(?<!\w)_(?=\w)|(?<=\w)_(?!\w)|`+|\\[()\[\]]|(?<!\\)\$")
_STRUCK = re.compile(r"~~[^~\n]+~~")
_TEX = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}")
MAX_LINE = 1000  # read behind a mark; a longer line is a model in a loop
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{([^{}]*)\}")
# Behind an A that is a letter and no article.
_GOES_ON = (
    "because|since|as|is|was|seems|appears|would|must|should|due|for|by|that|which|but|not|follows|makes|describes|entails|contradicts|"
    "and|or"
)
_DOUBT = r"(?:(?:maybe|perhaps|possibly|probably|even|also)\s+)?"
_OTHER = (
    rf"\s*[)\]\"'.]?\s*[(\[]?\s*(?:(?:/|,|&|\||\bor\b|\band\b|(?<!\S)(?:{CONJUNCTION})(?!\S))\s*)+"
    rf"{_DOUBT}(?:(?:option|choice)\s+)?[(\[\"']?"
)
# A letter goes on with vowel signs, which are no letters for Python's patterns.
_SIGNS = "".join(sign for sign in map(chr, (*range(0x064B, 0x0660), *range(0x0900, 0x0E00))) if unicodedata.category(sign)[0] == "M")
_RIGHT = "सही|ठीक|बरोबर|সঠিক|ঠিক|শুদ্ধ|સાચો|સાચું|સાચી|ਸਹੀ|ਠੀਕ|ସଠିକ|ଠିକ|சரி|சரியான|சரியானது|సరైన|సరైనది|ಸರಿ|ಸರಿಯಾದ|ശരി|ശരിയാണ്|ശരിയായ|صحیح|درست"
_COPULA = "है|हैं|आहे|হল|হলো|হচ্ছে|ਹੈ|છે|ହେଉଛି|ହେଲା|ہے"
_IS = r"(?:is|was|must\s+be|would\s+be|should\s+be|seems(?:\s+to\s+be)?|=)"
_GOOD = r"(?:correct|right|best|better|true|answer|likely|likelier|plausible|appropriate|accurate)"


@dataclass(frozen=True)
class Options:
    """The options of one question.

    Attributes:
        labels: what an answer may choose, as the question names them (A, B or 0, 1).
        texts: of each label the texts that mean it: the option's own, or its name.
        again: a regular expression of how another question of the same kind begins (`^Text:`): what a model goes on to ask and
            answer itself does not count.
    """

    labels: Sequence[str]
    texts: Sequence[Sequence[str]] = ()
    again: str = ""
    _by_text: dict[str, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for label, texts in zip(self.labels, self.texts, strict=False):
            for text in texts:
                if form := normal_label(bare_sentence(text)):
                    # A text of two options tells neither.
                    self._by_text[form] = "" if self._by_text.get(form, label) != label else label

    def choice(self, text: str) -> str | None:
        """The label an answer chooses; None where it chooses none, or several at once."""
        text = _plain(text)
        denied = self._denied(text)
        said = [(place, label) for place, label in sorted(self._said(text)) if not any(name == label and place < at for at, name in denied)]
        if self.again and said:
            ends = [match.start() for match in re.finditer(self.again, text) if match.start() > said[0][0]]
            said = [(place, label) for place, label in said if not ends or place < ends[0]]
        lines = [self._alone(line) for line in text.splitlines() if bare(line)]
        if None not in lines and len(set(lines)) > 1:
            return None  # a list of options
        return said[-1][1] if said else self._by_its_text(text)

    @cached_property
    def _label(self) -> str:
        """A label, with nothing around it that makes it another word or number."""
        names = "|".join(re.escape(_plain(label)) for label in sorted(self.labels, key=len, reverse=True))
        if all(label.isdecimal() for label in self.labels):
            return rf"(?<![\w.,/+\-])(?P<label>{names})(?:\.0+)?(?![\w/%{_SIGNS}]|[.,:]\d|-\d|\s*%)"
        return rf"(?<![\w./\-])(?<!\w['\u2019])(?P<label>{names})(?![\w/{_SIGNS}]|['\u2019]\w|-\w|\.\w)"

    @cached_property
    def _opening(self) -> re.Pattern[str]:
        """A label at the start of what follows a mark, in either case."""
        return re.compile(rf"[\s(\[{{<\"'\u201c\u2018:=\-]*(?:(?:the\s+)?(?:{ANSWER})\s*)?[(\[{{<\"'\u201c]*{self._label}", re.IGNORECASE)

    @cached_property
    def _doubted(self) -> re.Pattern[str]:
        """A label and a verb, in a sentence that may deny it; a sentence in another script may begin with any word."""
        verb = r"(?:is|was|seems|would|cannot|can|could|does|doesn|isn|wasn)\b|[^\W\d_A-Za-z]"
        return re.compile(rf"{self._label}[)\]\"']*(?=\s+(?:{verb}))")

    @cached_property
    def _other(self) -> re.Pattern[str]:
        return re.compile(_OTHER + self._label, re.IGNORECASE)

    @cached_property
    def _mark(self) -> re.Pattern[str]:
        """`Answer:`, `the correct option is`, `उत्तर`; English words need a colon, `is` or the like behind them."""
        colon = r"[\"'\u201d\s)\]]*(?:[:=]|->|=>|\u2192|\u2013|\u2014|-(?=\s))"
        heading = rf"^\#*[ \t]*(?:(?:final|correct)[ \t]+)?(?:{ANSWER})[ \t]*$"
        native = "|".join(word for word in ANSWER.split("|") if not word.isascii())
        named = self._label.replace("?P<label>", "?:")
        return re.compile(
            rf"(?<![^\W_])(?:{ANSWER}|{LABEL})(?:\s+(?:option|choice|letter|number)|\s+of\s+th(?:e|is)\s+\w+)?(?:{colon}|\s+{_IS}(?=\W)|\s+(?:{_COPULA})(?=[\s:]))"
            rf"|<(?:{ANSWER})>|{heading}|(?<![^\W_])(?:{native})(?=\s+[(\[\"']*{named})|(?<![^\W_])ans\.(?=\s)",
            re.IGNORECASE | re.MULTILINE,
        )

    @cached_property
    def _approved(self) -> list[re.Pattern[str]]:
        """`B is correct`, `I choose B`, `so B.`, `B सही है`, `A नहीं, B`."""
        adverb = r"(?:therefore|clearly|thus|definitely|the|a|more|most|much|only|probably)"
        choose = r"choose|select|pick|go\s+with|chose|opt\s+for|(?:I['\u2019]d|I\s+would)\s+say"
        end = r"(?=[)\]\"']*\s*(?:[.!;\u0964]|$|\n))"
        after = (
            r"\b(?:[Ss]o|[Hh]ence|[Tt]hus|[Tt]herefore|[Aa]ctually|[Rr]ather|[Ww]ait|[Cc]orrection)\b,?\s+(?:it\s+is\s+|it's\s+)?"
            r"|\b[Nn]o[.,;:]\s+|\b[Bb]ut\s+(?:rather\s+)?|\b(?<![Ii]f\s)[Ii]t(?:['\u2019]s|\s+is)\s+"
        )
        patterns = (
            rf"{{0}}[)\]\"']*\s+{_IS}\s+(?:{adverb}\s+)*{_GOOD}\b",
            rf"\b(?:{choose})\s+(?:the\s+)?(?:option|choice|answer)?\s*[(\[\"']*{{0}}",
            rf"\b(?:{choose})\s+(?:the\s+)?(?:option|choice|answer)\s*[(\[\"']*(?i:{{0}})",
            rf"{{0}}[)\]\"']*\s*[:\u2013-]\s*(?:correct|right){end}",
            rf"(?:{after})(?:option\s+)?[(\[\"']*{{0}}{end}",
            rf"{{0}}[)\]\"']*\s+(?:विकल्प\s+)?(?:{_RIGHT})(?![\w{_SIGNS}])",
            rf"(?:{NATIVE})\s*[,;\u0964]\s*[(\[\"']*{{0}}{end}",
        )
        return [re.compile(pattern.replace("{0}", self._label)) for pattern in patterns]

    def _said(self, text: str) -> Iterator[tuple[int, str]]:
        """(place, label) of all that is said explicitly, in no order."""
        for mark in self._mark.finditer(text):
            if (label := self._behind(text, mark.end())) is not None:
                yield mark.start(), label
        for box in _BOX.finditer(text):
            if (label := self._alone(box[1]) or self._first(box[1]) or self._text_opens(box[1])) is not None:
                yield box.start(), label
        for match in (match for pattern in self._approved for match in pattern.finditer(text)):
            if not takes_back(text[match.end("label") : match.end("label") + NEAR].partition("\n")[0]):
                yield match.start("label"), self._named(match["label"])
        if (label := self._first(text)) is not None:
            yield 0, label
        lines = [line for line in text.splitlines(keepends=True) if line.strip()]
        if lines and (label := self._alone(lines[-1])) is not None:
            yield text.rindex(lines[-1].rstrip("\n")), label

    def _denied(self, text: str) -> list[tuple[int, str]]:
        """(place, label) of all that is taken back: behind a mark, or in its own sentence (`A is wrong`)."""
        marked = ((mark.start(), self._opening.match(text, mark.end())) for mark in self._mark.finditer(text))
        found = [(place, match) for place, match in marked if match] + [(match.start(), match) for match in self._doubted.finditer(text)]
        rests = ((place, match, text[match.end("label") : match.end("label") + NEAR].partition("\n")[0]) for place, match in found)
        return [(place, self._named(match["label"])) for place, match, rest in rests if takes_back(rest)]

    def _behind(self, text: str, place: int) -> str | None:
        """The label that a mark which ends at `place` gives: on its line, or on the next where its own is empty."""
        rest = text[place : place + MAX_LINE].lstrip(" \t\"'\u201c:")
        own, _, after = rest.partition("\n")
        if not bare(own):
            return self._first(after)
        if (label := self._text_opens(own)) is not None:
            return label
        if opening := self._opening.match(own):
            return self._named(opening["label"]) if self._stands(own, opening) else None
        return self._only(own)

    def _stands(self, line: str, found: re.Match[str]) -> bool:
        """Whether a label at the start of a line is chosen: no article, not taken back, no second one with it."""
        rest = line[found.end() :]
        if found["label"] in ("A", "a", "I", "i") and re.match(rf"\s+(?!(?:{_GOES_ON})\b)[a-z]", rest):
            return False
        if re.match(r"[)\]\"'\s]*\?", rest) or takes_back(rest):
            return False
        other = self._other.match(rest)
        return other is None or takes_back(rest[other.end() :])

    def _first(self, text: str) -> str | None:
        """The label that opens a text without any mark: alone on its line, or set off by a full stop, bracket, comma, dash."""
        text = text.lstrip()[:MAX_LINE]
        opening = self._opening.match(text)
        if not opening or not self._stands(text.partition("\n")[0], opening):
            return None
        rest = text[opening.end() :]
        if not re.match(rf"\s*(?:\n|$|[)\]}}>\"'\u201d.,:;\u0964\u2013\u2014]|-(?!>))|\s+(?:{_GOES_ON})\b|\s+है", rest) and not (
            opening["label"].isalpha() and re.match(r"\s+[^\W\d_a-zA-Z]", rest)
        ):
            return None
        if re.match(r"[)\].:]", rest) and re.search(r"(?m)^\s*[(\[]?(?:\d+|[A-Za-z])[)\].:]\s", rest):
            return None  # the first line of a list
        return self._named(opening["label"])

    def _alone(self, text: str) -> str | None:
        """The label that is all a text says."""
        if len(text) > MAX_LINE:
            return None
        plain = re.sub(rf"^(?:(?:the\s+)?(?:{ANSWER})\b|(?:number|no\.)(?=\s+\d))\s*", "", bare_sentence(text), flags=re.IGNORECASE)
        found = re.fullmatch(self._label, bare_sentence(plain), re.IGNORECASE)
        return self._named(found["label"]) if found else None

    def _only(self, line: str) -> str | None:
        """The one label (in its own case), or the one option's text, in a line behind a mark that denies nothing."""
        if denies(line):
            return None
        ends = rf"{self._label}(?=[)\]\"'\u201d]*\s*(?:[.,;:!\u0964]|$))"
        labels = {self._named(match["label"]) for match in re.finditer(ends, line)}
        if not labels:
            words = f" {_words(line)} "
            labels = {label for form, label in self._by_text.items() if f" {_words(form)} " in words}
        return labels.pop() or None if len(labels) == 1 else None

    def _text_opens(self, line: str) -> str | None:
        """The option whose own text is what a line says, or how it begins before a sign that ends it."""
        whole = normal_label(bare_sentence(line))
        if found := self._by_text.get(whole):
            return found
        form = max(
            (form for form in self._by_text if len(form) > 1 and re.match(rf"{re.escape(form)}\s*[.,;:(\u0964\n]", whole)),
            key=len,
            default="",
        )
        return self._by_text.get(form) or None

    def _by_its_text(self, text: str) -> str | None:
        """The option whose own text is the whole answer, or its first or last line, or what such a line says that something is."""
        lines = [line for line in text.splitlines() if bare(line)]
        for part in (text, *lines[-1:], *lines[:1]):
            if found := self._by_text.get(normal_label(bare_sentence(part))):
                return found
        for part in (*lines[-1:], *lines[:1]):
            if found := self._concluded(part[-MAX_LINE:]) or self._in_brackets(part[-MAX_LINE:]):
                return found
        return None

    def _concluded(self, line: str) -> str | None:
        """The option whose text a line ends in, behind `is` (with nothing denied), `so`, `but` and the like."""
        whole = normal_label(bare_sentence(line))
        is_, so = r"(?:is|was)", r"(?:so|hence|thus|therefore|but)(?:\s+it\s+is|\s+it's)?"
        verb = so if denies(line) else f"(?:{is_}|{so})"
        found = {label for form, label in self._by_text.items() if re.search(rf"\b{verb}\s+(?:the\s+|an?\s+)?{re.escape(form)}$", whole)}
        return found.pop() or None if len(found) == 1 else None

    def _in_brackets(self, line: str) -> str | None:
        """`2 (contradiction)`, `contradiction (2)`: one option, said twice."""
        if not (parts := re.fullmatch(r"\s*([^()]+)\(([^()]+)\)[\s.!\u0964]*", line)):
            return None
        said = {self._alone(part) or self._by_text.get(normal_label(bare_sentence(part))) for part in parts.groups()}
        return said.pop() if len(said) == 1 else None

    def _named(self, said: str) -> str:
        """The label as the question writes it."""
        return next(label for label in self.labels if _plain(label).casefold() == said.casefold())


def _plain(text: str) -> str:
    """One spelling, ASCII in place of full-width signs, without markup."""
    text = _TEX.sub(r"\1", equivalent(text.translate(_WIDE)))
    return _MARKUP.sub("", _STRUCK.sub("", text))


def _words(text: str) -> str:
    """The text's words between single blanks."""
    return " ".join(re.sub(r"[\s.,;:!?()\[\]\"'\u201c\u201d\u0964-]+", " ", normal_label(text)).split())
