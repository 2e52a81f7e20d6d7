"""Named entities that an answer marks in other ways than `TYPE: text`: in the sentence itself, word for word, as keys and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from evalkit.text import equivalent

MAX_LENGTH = 5_000
_TEXT = r"[^\[\]<>{}()\n,;|\"'`]"
_KIND_KEY, _TEXT_KEY = "type|label|category|tag|class", "text|entity|name|value|word|mention"
_VALUE = r"[\"'`*]*\s*[:=]\s*[\"'`*]*"


def marked(text: str, known: Mapping[str, str], sentence: str) -> list[tuple[str, str]]:
    """(type, text) for what the first fitting way of marking gives; only texts that the sentence has, types as the row writes them.

    Read are `[PER text]`, `[text](PER)`, `text/PER`, a word and its BIO tag per line, `<entity type="PER">text</entity>`,
    `Type: PER, Text: text`, `text is a PER`, `PER text` and the like.
    """
    text, sentence = equivalent(text), equivalent(sentence)
    if not sentence or not known or len(text) > MAX_LENGTH:
        return []
    kinds = {equivalent(kind).casefold(): kind for kind in known.values()}
    names = "|".join(re.escape(kind) for kind in sorted(kinds, key=len, reverse=True))
    ways: tuple[Callable[[str, str], Iterator[tuple[str, str]]], ...] = (
        _attributes,
        _keys,
        _bracketed,
        partial(_words, sentence=sentence),
        _behind,
        _lines,
    )
    for way in ways:
        found = [(kinds[kind.casefold()], value) for kind, said in way(text, rf"(?i:{names})") if (value := said.strip(" \t.*_`\"'।"))]
        if found and all(value in sentence for _, value in found):
            return found
    return []


def _attributes(text: str, kind: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(rf"<\w+\s[^<>]*?\b({kind})\b[^<>]*>([^<>]+)</", text):
        yield match[1], match[2]


def _keys(text: str, kind: str) -> Iterator[tuple[str, str]]:
    types = re.findall(rf"(?i:\b(?:{_KIND_KEY})){_VALUE}({kind})(?!\w)", text)
    texts = re.findall(rf"(?i:\b(?:{_TEXT_KEY})){_VALUE}({_TEXT}+)", text)
    if len(types) == len(texts):
        yield from zip(types, texts, strict=True)


def _bracketed(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """`[PER text]`, `(PER, text)`, `<PER> text`; `[text](PER)`, `('text', 'PER')`, `{{text|PER}}`."""
    linked = rf"\[({_TEXT}+)\]\s*\(({kind})\)|(?<!\S)([^\s\[\](){{}}<>]+)[\[(<{{]({kind})[\])}}>]"
    if found := [(match[2] or match[4], match[1] or match[3]) for match in re.finditer(linked, text)]:
        yield from found
        return
    forward = rf"[\[(<{{][\"'*]*({kind})[\"'*]*(?:[\s,:|]+|\s*[>\])}}]\s*)[\"'*]*({_TEXT}+)"
    backward = rf"[\[(<{{][\"'*]*({_TEXT}+)[\"'*]*\s*(?:\]\s*\(|[|,:]|-)\s*[\"'*]*({kind})[\"'*]*\s*[\])}}>]"
    found = [(match[1], match[2]) for match in re.finditer(forward, text)]
    yield from found or [(match[2], match[1]) for match in re.finditer(backward, text)]


def _words(text: str, kind: str, sentence: str) -> Iterator[tuple[str, str]]:
    """`text/PER`, `text_PER`, or a word, a blank and its tag per line; words of one entity are joined.

    Tags that do not say where an entity begins go on while the sentence does.
    """
    open_kind, words, end = "", "", -1
    for match in re.finditer(rf"(\S+?)(?:[/_|]|[ \t]+)(?:([BILUES])-)?({kind}|O)(?![\w-])", text):
        inside = match[2] in ("I", "L", "E") or (match[2] is None and f"{words} {match[1]}" in sentence)
        goes_on = match[3] == open_kind and inside and not text[end : match.start()].strip()
        if goes_on:
            words += f" {match[1]}"
        else:
            if words:
                yield open_kind, words
            open_kind, words = (match[3], match[1]) if match[3] != "O" else ("", "")
        end = match.end()
    if words:
        yield open_kind, words


def _behind(text: str, kind: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(rf"({_TEXT}+?)\s+(?:is|are)\s+(?:an?\s+|the\s+)?({kind})(?!\w)", text):
        yield match[2], re.sub(r"^\W*(?:and\s+)?", "", match[1])


def _lines(text: str, kind: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(rf"(?m)^[^\w\n]*({kind})(?!\w)\s*(?:\(\d+\))?[:,\s]\s*({_TEXT}+)$", text):
        yield match[1], match[2]
