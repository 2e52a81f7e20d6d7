"""Named entities read from an answer: lines of `TYPE: text`, lists under a type, tables, JSON. Only the types asked for are types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.metrics.extraction.entity_json import said_in_json
from evalkit.metrics.extraction.entity_marks import marked
from evalkit.metrics.extraction.marks import ANSWER, CONJUNCTION, bare, bare_sentence, ended
from evalkit.text import equivalent

Entity = tuple[str, str]  # (type as the row writes it, text)

MAX_LINE = 500  # of a line of `text (TYPE)`; a longer one is a model in a loop

_FOUND = r"(?: (?:were |are )?(?:found|present|identified|mentioned|detected))?"
_HERE = r"(?: in (?:the|this) (?:given |above )?(?:sentence|text))?"
_NONE = re.compile(
    rf"(?:(?:there (?:are|is|were) )?none{_FOUND}{_HERE}|no|null|nil|n\.?/?a\.?|nothing|-+|\u2205|"
    rf"not (?:present|found|mentioned|applicable|available){_HERE}|no (?:location|person|organi[sz]ation|date|name|place)s?{_FOUND}{_HERE}|"
    rf"(?:there (?:are|is|were) )?no (?:named )?entit(?:y|ies){_FOUND}{_HERE}|"
    r"(?:the|this) (?:sentence|text) (?:contains|has|does not (?:contain|have)) (?:no|any) (?:named )?entit(?:y|ies)|"
    r"कोई नहीं(?: है)?|नहीं(?: है)?|कोई नाम नहीं|(?:(?:इस )?वाक्य में )?कोई (?:नामित )?(?:इकाई|संस्था|नाम) नहीं(?: है)?|"
    r"কোনোটিই নয়|নেই|કોઈ નહીં|ਕੋਈ ਨਹੀਂ|କିଛି ନାହିଁ|काहीही नाही|নাই|ಇಲ್ಲ|இல்லை|ఏదీ లేదు|ഇല്ല|کوئی نہیں)?",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"^(?:output|result|(?:named )?entities|{ANSWER})\s*[:\uff1a]\s*", re.IGNORECASE)
_NONE_AT_ALL = re.compile(r"NONE\s*(?:[(,;:.\u2013\u2014-].*)?|(?:.*\s)?(?:is|are)\s+NONE")  # as the prompt has it, and why
_LAYOUT = re.compile(r"</?(?:ul|ol|li|p|div|b|strong|em|i|br)\s*/?>", re.IGNORECASE)
_AND = rf"(?<!\S)(?:and|{CONJUNCTION})(?!\S)"
_XML = re.compile(r"<([^<>/\s]+)>([^<>]+)</\1>")
_COMMAS = re.compile(r"\s*(?:[;|\u061b\u3001]|,(?!\d)|\u060c|\s/\s)\s*")
_OTHER_TYPE = re.compile(r"(?:^|[,;|]\s*|\s)[*_`]*[A-Z][A-Z_-]+[*_`]*\s*[:\uff1a]")
_SEPARATOR = r"[*_`\"'\])]*\s*(?:[:\uff1a=|]|-+>|=>|\u2192|[-\u2013\u2014](?=\s))[*_`]*"
_EXPLAINED = re.compile(r"(.+?)(?:\s*\(.*|\s+[-\u2013\u2014=]\s.*|\s*:.*)")
_ITEM = re.compile(r"\s*(?:[-*+\u2022\u00b7]|\d+[.)])\s|\s{2,}")


@dataclass(frozen=True)
class Reader:
    """Reads the answers to one row.

    Attributes:
        types: what the row calls its types, compared without regard to case.
        sentence: the row's sentence; a text with a comma in it is one entity where the sentence has it so.
    """

    types: Sequence[str]
    sentence: str = ""

    def read(self, text: str) -> tuple[list[Entity], bool]:
        """(entities in order, whether the answer says anything: an entity, or that there is none)."""
        known = {folded(kind): kind for kind in self.types}
        text = ended(text)
        said = said_in_json(text, known)
        if said:
            found = [(kind, cleaned) for kind, value in said if (cleaned := _value(value))]
            return found, bool(found) or not any(_value(value) for _, value in said)
        found, none = self._lines(equivalent(_LAYOUT.sub("\n", text)), known)
        if said is None and not found and not none:
            found = marked(text, known, self.sentence)
        return found, bool(found) or none or said is not None

    def _lines(self, text: str, known: dict[str, str]) -> tuple[list[Entity], bool]:
        found: list[Entity] = []
        none, under, heads = False, "", False
        empty: set[str] = set()
        forward, backward, in_front = _forward(known), _backward(known), _in_front(known)
        sentence = equivalent(self.sentence)
        for line in text.splitlines():
            line = in_front.sub(r"\1: ", line)
            if not (plain := bare(line)):
                continue
            cells = _cells(line)
            if cells and (row := _row(cells, known, sentence)):
                found.append(row)
            elif named := [(known[folded(m[1])], value) for m in _XML.finditer(line) if folded(m[1]) in known and (value := _value(m[2]))]:
                found += named
            elif heading := known.get(folded(bare_sentence(plain))):
                under, heads = heading, True
                empty.add(heading)
            elif marks := list(forward.finditer(line)):
                ends = [mark.start() for mark in marks[1:]] + [len(line)]
                for mark, end in zip(marks, ends, strict=True):
                    under = known[folded(mark["type"])]
                    values = _values(line[mark.end() : end], sentence)
                    none = none or (not values and bool(line[mark.end() : end].strip(" \t,;*_|")))
                    empty |= set() if values else {under}
                    found += [(under, value) for value in values]
                heads = not bare(line[marks[-1].end() :])
            elif pairs := [
                (known[folded(m["type"] or m["kind"])], value)
                for m in backward.finditer(line[:MAX_LINE])
                if (value := _joined(m["text"], sentence)) and (not sentence or value in sentence)
            ]:
                found += pairs
            elif _says_none(plain) or any(_NONE_AT_ALL.fullmatch(cell) for cell in cells):
                none = True
            elif under and (_ITEM.match(line) or (heads and _is_part(line, sentence))) and not _OTHER_TYPE.match(plain):
                found += [(under, value) for value in _values(line, sentence)]
            else:
                under = ""
        return found, none or (not found and empty == set(known.values()))


def _says_none(line: str) -> bool:
    return bool(_NONE.fullmatch(bare_sentence(_NAMED.sub("", bare_sentence(line)))) or _NONE_AT_ALL.fullmatch(bare_sentence(line)))


def folded(kind: str) -> str:
    """A type as it is compared: one spelling, case folded, white space closed, blanks for underscores."""
    return " ".join(equivalent(kind).casefold().replace("_", " ").split())


def entity_text(text: str) -> str:
    """An entity's text as it is compared: one spelling, nothing around it, white space closed."""
    return " ".join(bare_sentence(equivalent(text)).split())


def _forward(known: dict[str, str]) -> re.Pattern[str]:
    """`TYPE:` with whatever marks up the type."""
    types = _alternatives(known)
    return re.compile(rf"(?<![^\s*_`\[(\"'|,;<{{/])(?:[BILUES]-)?(?P<type>{types}){_SEPARATOR}", re.IGNORECASE)


def _in_front(known: dict[str, str]) -> re.Pattern[str]:
    """`(TYPE) text` as a line begins."""
    ends = r"[)\]](?=\s*[^\s,;:\uff1a=|>\u2192\u2013\u2014-])"
    return re.compile(rf"^\s*(?:[-*\u2022]\s+|\d+[.)]\s+)?[(\[]({_alternatives(known)}){ends}", re.IGNORECASE)


def _is_part(line: str, sentence: str) -> bool:
    """Whether a line is some words of the sentence, and not its echo."""
    return 0 < 2 * len(value := _value(line)) < len(sentence) and value in sentence


def _backward(known: dict[str, str]) -> re.Pattern[str]:
    """`text (TYPE)`, `text: TYPE` and the like."""
    types = _alternatives(known)
    mark = r"[*_`\"']*"
    return re.compile(
        rf"(?P<text>[^,;|()\[\]\n]+?)\s*(?:[(\[|]\s*{mark}(?P<type>{types}){mark}\s*[)\]|]"
        rf"|{_SEPARATOR}\s*{mark}(?P<kind>{types}){mark}\s*(?=$|[,;.]))",
        re.IGNORECASE,
    )


def _alternatives(known: dict[str, str]) -> str:
    """The types as a pattern, longest first; a row without types has none that matches."""
    return "|".join(re.escape(kind).replace(r"\ ", r"[\s_]+") for kind in sorted(known, key=len, reverse=True)) or r"(?!)"


def _cells(line: str) -> list[str]:
    """The cells of a table's row; none for any other line."""
    line = line.strip()
    return [bare(cell) for cell in line.strip("|").split("|")] if line.startswith("|") and line.endswith("|") and len(line) > 1 else []


def _row(cells: Sequence[str], known: dict[str, str], sentence: str) -> Entity | None:
    """A type and the first other cell that the sentence has, or that says something; a number is that of the row."""
    kind = next((cell for cell in cells if folded(cell) in known), None)
    texts = [value for cell in cells if cell != kind and (value := _value(cell))]
    said = next((text for text in texts if not text.isdecimal() and text in sentence), None)
    text = said or next((text for text in texts if not text.isdecimal()), None) or next(iter(texts), None)
    return (known[folded(kind)], text) if kind is not None and text is not None else None


def _values(text: str, sentence: str) -> list[str]:
    """The entities that are behind one type."""
    if other := _OTHER_TYPE.search(text):
        text = text[: other.start()]
    whole = _value(text.strip(" /"))
    listed = text.strip().startswith(("[", "("))
    if not whole or (not listed and sentence and whole in sentence):
        return [whole] if whole else []
    return [value for piece in _COMMAS.split(whole) for part in _parts(piece, sentence) if (value := _value(_unexplained(part, sentence)))]


def _parts(text: str, sentence: str) -> list[str]:
    """A text as it is, or what `and` joins in it, where the sentence has each and not the whole."""
    parts = [part for part in re.split(_AND, text, flags=re.IGNORECASE) if _value(part)]
    return parts if _value(text) not in sentence and all(_value(part) in sentence for part in parts) else [text]


def _joined(text: str, sentence: str) -> str:
    """One entity's text behind an `and` that the sentence has not with it."""
    value = _value(text)
    return value if value in sentence else _value(re.sub(rf"^\s*{_AND}", "", text, flags=re.IGNORECASE))


def _unexplained(text: str, sentence: str) -> str:
    """A text without what explains it: brackets or a dash behind what the sentence has, and then what the sentence has not."""
    explained = _EXPLAINED.fullmatch(text)
    return explained[1] if explained and text not in sentence and _value(explained[1]) in sentence else text


def _value(text: str) -> str:
    """One entity's text; empty where it says that there is none."""
    value = entity_text(text)
    return "" if _NONE.fullmatch(value) else value


def entities(text: str, types: Sequence[str], sentence: str = "") -> tuple[list[Entity], bool]:
    """(entities in order, whether the answer says anything) for a row's types; see `Reader`."""
    return Reader(types, sentence).read(text)
