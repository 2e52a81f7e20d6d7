"""Which of several options an answer chooses: its letter or number, or the option's own text.

The last thing said explicitly counts (`Answer: B`, `B is correct`, a box, a line with nothing but the letter), so that an answer
may think aloud and take back. A letter ends at a boundary: `Based` is not B, `20` is not 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from evalkit.metrics.extraction.choice_words import ARROWS, COLONED, COPULA, GOES_ON, GOOD, IS, NUMBER_WORDS, OTHER, RIGHT, plain, words
from evalkit.metrics.extraction.denial import NATIVE, NEAR, denies, takes_back
from evalkit.metrics.extraction.marks import ANSWER, CONJUNCTION, LABEL, bare, bare_sentence, ended
from evalkit.metrics.extraction.native_letters import latin_letters
from evalkit.metrics.extraction.sentence import SIGNS, affirmed
from evalkit.text import normal_label

MAX_LINE = 1000  # read behind a mark; a longer line is a model in a loop
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{([^{}]*)\}")


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
        text = latin_letters(plain(ended(text)), self.labels)
        denied = self._denied(text)
        said = [(place, label) for place, label in sorted(self._said(text)) if not any(name == label and place < at for at, name in denied)]
        if self.again and said:
            ends = [match.start() for match in re.finditer(self.again, text) if match.start() > said[0][0]]
            said = [(place, label) for place, label in said if not ends or place < ends[0]]
        lines = [self._alone(line) for line in text.splitlines() if bare(line)]
        if None not in lines and len(set(lines)) > 1:
            return None  # a list of options
        if said:
            return said[-1][1]
        heads = [match["label"].casefold() for line in text.splitlines() if bare(line) and (match := self._heads.match(line))]
        if len(set(heads)) > 1 and len(heads) == sum(bool(bare(line)) for line in text.splitlines()):
            return None  # the question's options again
        return self._weakly(text) or self._by_its_text(text)

    @cached_property
    def _heads(self) -> re.Pattern[str]:
        """`A: text`, as a question lists its options."""
        return re.compile(rf"\W*(?:option\s+)?{self._label}[)\]]?\s*[:.)]\s", re.IGNORECASE)

    @cached_property
    def _label(self) -> str:
        """A label, with nothing around it that makes it another word or number."""
        names = "|".join(re.escape(plain(label)) for label in sorted(self.labels, key=len, reverse=True))
        if all(label.isdecimal() for label in self.labels):
            return rf"(?<![\w.,/+\-])(?P<label>{names})(?:\.0+)?(?![\w/%{SIGNS}]|[.,:]\d|-\d|\s*%)"
        return rf"(?<![\w./\-])(?<!\w['\u2019])(?P<label>{names})(?![\w/{SIGNS}]|['\u2019]\w|-\w|\.\w)"

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
        return re.compile(OTHER + self._label, re.IGNORECASE)

    @cached_property
    def _mark(self) -> re.Pattern[str]:
        """`Answer:`, `the correct option is`, `उत्तर`; English words need a colon, `is` or the like behind them."""
        colon = r"[\"'\u201d\s)\]]*(?:[:=]|->|=>|\u2192|\u2013|\u2014|-(?=\s))"
        heading = rf"^\#*[ \t]*(?:(?:final|correct)[ \t]+)?(?:{ANSWER})[ \t]*$"
        native = "|".join(word for word in ANSWER.split("|") if not word.isascii())
        named = self._label.replace("?P<label>", "?:")
        return re.compile(
            rf"(?<![^\W_])(?:{ANSWER}|{LABEL})(?:\s+(?:option|choice|letter|number)|\s+of\s+th(?:e|is)\s+\w+)?(?:{colon}|\s+{IS}(?=\W)|\s*(?:{COPULA})(?=[\s:]))"
            rf"|(?<![^\W_])(?:{COLONED}){colon}"
            rf"|<(?:final[\s_]?)?(?:{ANSWER})>|{heading}|(?<![^\W_])(?:{native})(?=\s+[(\[\"']*{named})|(?<![^\W_])ans\.(?=\s)",
            re.IGNORECASE | re.MULTILINE,
        )

    @cached_property
    def _approved(self) -> list[re.Pattern[str]]:
        """`B is correct`, `I choose B`, `so B.`, `B सही है`, `A नहीं, B`."""
        adverb = r"(?:therefore|clearly|thus|definitely|the|a|more|most|much|only|probably)"
        choose = r"choose|prefer|select|pick|go\s+with|chose|opt\s+for|(?:I['\u2019]d|I\s+would)\s+say"
        end = r"(?=[)\]\"']*\s*(?:[.!;\u0964]|$|\n))"
        after = (
            r"\b(?:[Ss]o|[Hh]ence|[Tt]hus|[Tt]herefore|[Aa]ctually|[Rr]ather|[Ww]ait|[Cc]orrection|[Oo]n\s+reflection|[Oo]verall)\b,?\s+(?:it\s+is\s+|it's\s+)?"
            r"|\b[Nn]o[.,;:]\s+|\b[Bb]ut\s+(?:rather\s+)?|\b(?<![Ii]f\s)[Ii]t(?:['\u2019]s|\s+is)\s+"
        )
        patterns = (
            rf"{{0}}[)\]\"']*\s+{IS}\s+(?:{adverb}\s+)*{GOOD}\b",
            rf"\b(?<!not )(?<!n't )(?<!n\u2019t )(?i:{choose})\s+(?:the\s+)?(?:option|choice|answer)?\s*[(\[\"']*{{0}}",
            rf"\b(?:{choose})\s+(?:the\s+)?(?:option|choice|answer)\s*[(\[\"']*(?i:{{0}})",
            rf"{{0}}[)\]\"']*\s*(?:[:\u2013-]|{ARROWS})\s*(?i:correct|right|yes|true)(?=\s*(?:[.,!;\u0964]|$|\n))",
            r"{0}[)\]\"']*\s+(?:fits|works|matches|applies|makes\s+sense)\b",
            r"{0}[)\]\"':. \t\u2013-]*\u2713",
            r"\u2713[ \t]*(?:[Oo]ption\s+)?[(\[\"']*{0}",
            rf"(?m:^)\s*{ARROWS}\s*[(\[\"']*{{0}}{end}",
            rf"\b(?i:rather\s+than|instead\s+of)\s+[^,.\n]{{1,60}},\s*(?:option\s+)?[(\[\"']*{{0}}{end}",
            rf"(?:{after})(?:option\s+)?[(\[\"']*{{0}}{end}",
            rf"{{0}}[)\]\"']*\s+(?:विकल्प\s+)?(?:{RIGHT})(?![\w{SIGNS}])",
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
        elif lines and (label := self._ends(lines[-1][-MAX_LINE:].strip())) is not None:
            yield 1, label  # anything said with a word for it is more than this

    def _ends(self, line: str) -> str | None:
        """The label that is all of a line's last sentence."""
        *before, last = re.split(r"[.!?;\u0964]\s+", line)
        front, colon, behind = last.rpartition(": ")
        if colon and re.search(self._label, front):  # `0 for positive, 1 for negative: 1`
            before, last = [front], behind
        return self._alone(last) if before and not last.endswith("?") else None

    @cached_property
    def _stated(self) -> re.Pattern[str]:
        """`it must be B`, `definitely B`, `less likely than B`: said of something that may not be the answer."""
        verb = r"is|be|was|definitely|probably|clearly|obviously|surely|likely|less\s+\w+\s+than"
        adverb = r"(?:definitely|probably|clearly|therefore|thus|most|likely|the|option|choice)"
        return re.compile(rf"\b(?i:{verb})\s+(?:{adverb}\s+)*[(\[\"']*{self._label}(?=[)\]\"']*\s*(?:[.!;\u0964]|$|\n))")

    def _weakly(self, text: str) -> str | None:
        """The last label that a text states without denying it or asking for it."""
        found = None
        for match in self._stated.finditer(text):
            before = re.split(r"[.,;:\n!?]", text[max(0, match.start() - NEAR) : match.end()].strip(".;!\u0964 "))[-1]
            asked = re.match(r"\s*if\b", before, re.IGNORECASE)
            if not asked and (not denies(before) or match[0].casefold().startswith("less")):
                found = self._named(match["label"])
        return found

    def _denied(self, text: str) -> list[tuple[int, str]]:
        """(place, label) of all that is taken back: behind a mark, or in its own sentence (`A is wrong`)."""
        marked = ((mark.start(), self._opening.match(text, mark.end())) for mark in self._mark.finditer(text))
        found = [(place, match) for place, match in marked if match] + [(match.start(), match) for match in self._doubted.finditer(text)]
        rests = ((place, match, text[match.end("label") : match.end("label") + NEAR].partition("\n")[0]) for place, match in found)
        crossed = [
            (match.start(), name)
            for match in self._crossed.finditer(text)
            if self._by_text.get(normal_label(match["word"] or ""))
            != (name := self._named(match["label"]))  # an option may be called False
        ]
        return crossed + [(place, self._named(match["label"])) for place, match, rest in rests if takes_back(rest)]

    @cached_property
    def _crossed(self) -> re.Pattern[str]:
        """`A ✗`, `A - no`."""
        no = rf"\s*(?:[:\u2013-]|{ARROWS})\s*(?P<word>(?i:no|false))(?=\s*(?:[.,!;]|$))"
        return re.compile(rf"{self._label}[)\]\"']*(?:[:. \t\u2013-]*\u2717|{no})", re.MULTILINE)

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
        if (word := NUMBER_WORDS.get(bare_sentence(own).casefold())) in self.labels:
            return word
        return self._only(own)

    def _stands(self, line: str, found: re.Match[str]) -> bool:
        """Whether a label at the start of a line is chosen: no article, not taken back, no second one with it."""
        rest = line[found.end() :]
        if found["label"] in ("A", "a", "I", "i") and re.match(rf"\s+(?!(?:{GOES_ON})\b)[a-z]", rest):
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
        if not re.match(rf"\s*(?:\n|$|[)\]}}>\"'\u201d.,:;(\u0964\u2013\u2014\u2713]|-(?!>))|\s+(?:{GOES_ON})\b|\s+है", rest) and not (
            opening["label"].isalpha() and re.match(r"\s+[^\W\d_a-zA-Z]", rest)
        ):
            return None
        if re.match(r"[)\].:]", rest) and re.search(r"(?m)^\s*[(\[]?(?:\d+|[A-Za-z])[)\].:]\s", rest):
            return None  # the first line of a list
        if self._in_brackets(text.partition("\n")[0]) == "":
            return None
        return self._named(opening["label"])

    def _alone(self, text: str) -> str | None:
        """The label that is all a text says."""
        if len(text) > MAX_LINE:
            return None
        text = text.strip().strip("|")
        without = re.sub(rf"^(?:(?:the\s+)?(?:{ANSWER})\b|(?:number|no\.)(?=\s+\d))\s*", "", bare_sentence(text), flags=re.IGNORECASE)
        found = re.fullmatch(self._label, bare_sentence(without), re.IGNORECASE)
        return self._named(found["label"]) if found else None

    def _only(self, line: str) -> str | None:
        """The one label (in its own case), or the one option's text, in a line behind a mark that denies nothing."""
        if denies(line) or self._both.search(line):
            return None
        ends = rf"{self._label}(?=[)\]\"'\u201d]*\s*(?:[.,;:!\u0964]|$))"
        labels = {self._named(match["label"]) for match in re.finditer(ends, line)}
        if not labels:
            said = f" {words(line)} "
            labels = {label for form, label in self._by_text.items() if f" {words(form)} " in said}
        return labels.pop() or None if len(labels) == 1 else None

    @cached_property
    def _both(self) -> re.Pattern[str]:
        """Two labels, joined."""
        name = self._label.replace("?P<label>", "?:")
        return re.compile(rf"{name}\s*(?:/|&|\band\b|\bor\b|(?<!\S)(?:{CONJUNCTION})(?!\S))\s*{name}")

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
            part = part[-MAX_LINE:]
            if self._in_brackets(part) == "":
                return None
            if found := self._concluded(part) or self._in_brackets(part) or affirmed(part, self._by_text) or self._text_begins(part):
                return found or None
        return None

    def _text_begins(self, line: str) -> str | None:
        """`No, they differ`: the option whose short name a line begins with."""
        begins = re.match(r"([^\s,.;:!\u0964]+)\s*[,.;:!\u0964]", line.strip())
        return begins and self._by_text.get(normal_label(bare_sentence(begins[1])))

    def _concluded(self, line: str) -> str | None:
        """The option whose text a line ends in, behind `is` (with nothing denied), `so`, `but` and the like."""
        whole = normal_label(bare_sentence(line))
        is_, so = r"(?:is|was)", r"(?:so|hence|thus|therefore|but)(?:\s+it\s+is|\s+it's)?"
        if "anything but" in whole:
            return None
        verb = so if denies(line) else f"(?:{is_}|{so})"
        found = {label for form, label in self._by_text.items() if re.search(rf"\b{verb}\s+(?:the\s+|an?\s+)?{re.escape(form)}$", whole)}
        return found.pop() or None if len(found) == 1 else None

    def _in_brackets(self, line: str) -> str | None:
        """`2 (contradiction)`, `contradiction (2)`: one option, said twice; empty for two."""
        if "(" not in line or not (parts := re.fullmatch(r"\s*([^()]+)\(([^()]+)\)[\s.!\u0964]*", line)):
            return None
        said = {self._alone(part) or self._by_text.get(normal_label(bare_sentence(part))) for part in parts.groups()}
        return said.pop() if len(said) == 1 else None if None in said else ""

    def _named(self, said: str) -> str:
        """The label as the question writes it."""
        return next(label for label in self.labels if plain(label).casefold() == said.casefold())
