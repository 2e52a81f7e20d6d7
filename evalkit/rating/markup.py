"""A model's answer as harmless HTML: Markdown drawn by one renderer for every model, then cleaned by a sanitizer.

Raw HTML in an answer is text. Links, pictures and addresses stay as they were written, so nothing is fetched and nothing is
hidden behind a word. What the sanitizer lets through is the small set of elements that Markdown makes.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

from evalkit.errors import ConfigError
from evalkit.extras import install

TAGS = frozenset(("p", "br", "hr", "em", "strong", "s", "del", "code", "pre", "blockquote", "ul", "ol", "li"))
TAGS |= {"table", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6"}
# Marks that show nothing, or turn the direction of all that follows. Joiners (U+200C, U+200D) stay: Indic scripts need them.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# What a tokenizer leaves over when an answer is cut or read elsewhere: `<|im_end|>`, `<end_of_turn>`; at the edges `</s>`, `<eos>`.
_MARKS = re.compile(r"<[|｜][^<>|｜\s]{1,40}[|｜]>|<(?:start|end)_of_turn>(?:model|user)?|\[/?INST\]|<</?SYS>>")
_EDGE_MARKS = ("<s>", "</s>", "<bos>", "<eos>", "<pad>", "<unk>")
_FIRST_MARKS = re.compile(rf"(?:\s*(?:{'|'.join(_EDGE_MARKS)}))*")
_CUT = " \t\n\f\v\ufffd"  # at the edges; U+FFFD is a letter that a limit of tokens cut in two
_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*){2,}")
# White space as both Python and a browser see it.
_WHITE = re.compile(r"[ \t\n\r\f\v\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_FENCE = re.compile(r"^[\s>*+-]*(?:`{3,}[^`\n]*|~{3,}[^\n]*)$", re.MULTILINE)  # the language of a block of code is not shown
NEEDS = f"evalkit rate needs the packages of its extra: {install('rating')}"


def tidy(text: str) -> str:
    """The text without what could give a model away and no reader sees.

    Line ends, kinds of blanks, blanks and cut letters at the edges, invisible marks, the marks of a tokenizer, and how letters with
    signs are composed (Unicode's form C).
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n"))
    text = _without_edges(_MARKS.sub("", _INVISIBLE.sub("", _SPACES.sub(" ", text))))
    text = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    lines = [line.rstrip() for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip(_CUT)


def _without_edges(text: str) -> str:
    """Without the marks that may be words of an answer elsewhere (`<s>` is HTML). No pattern for the end: it would try every place."""
    first = _FIRST_MARKS.match(text)
    start, end = first.end() if first else 0, len(text)
    while end > start:
        if text[end - 1].isspace():
            end -= 1
        elif mark := next((mark for mark in _EDGE_MARKS if text.endswith(mark, start, end)), ""):
            end -= len(mark)
        else:
            break
    return text[start:end]


@lru_cache(maxsize=8192)  # every answer is on several pages
def html_of(text: str) -> str:
    """Clean HTML of a text in Markdown; a single line end is a line end.

    Raises:
        ConfigError: the packages of the extra `rating` are not installed.
    """
    renderer, clean = _tools()
    source = tidy(text)
    made = str(renderer.render(source))
    made = str(clean(made, tags=set(TAGS), attributes={}, strip_comments=True, link_rel=None, clean_content_tags=set()))
    if not source or not _lost(source, text_of(made)):
        return made
    return "<p>" + "<br>".join(html.escape(line, quote=False) for line in source.split("\n")) + "</p>"


def _lost(source: str, shown: str) -> bool:
    """Whether Markdown hid something that was written: lists nested too deep to draw, or signs alone (`---`)."""
    written = _FENCE.sub("", source)
    return not shown.strip() or sum(map(str.isalpha, shown)) < sum(map(str.isalpha, written))


@lru_cache(maxsize=1)
def _tools() -> tuple[Any, Any]:
    try:
        import nh3
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise ConfigError(f"{NEEDS} ({error})") from error
    renderer = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False, "typographer": False})
    renderer.enable(["table", "strikethrough"]).disable(["link", "image", "autolink", "reference", "html_block", "html_inline", "entity"])
    return renderer, nh3.clean


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(made: str) -> str:
    """What a browser calls the `textContent` of this HTML."""
    parser = _Text()
    parser.feed(made)
    parser.close()
    return "".join(parser.parts)


def fingerprint(text: str) -> str:
    """Sixteen hexadecimal digits of a text without its white space: FNV-1a with 32 bits over UTF-16 units, twice with two starts.

    The page computes the same over what it shows, so that a text which a browser translated, or somebody edited, is noticed.
    Against accidents: whoever can edit a page can compute this too.
    """
    units = memoryview(_WHITE.sub("", text).encode("utf-16-le", "surrogatepass")).cast("H")
    first, second = 0x811C9DC5, 0x9747B28C
    for unit in units:
        first = ((first ^ unit) * 0x01000193) & 0xFFFFFFFF
        second = ((second ^ unit) * 0x01000193) & 0xFFFFFFFF
        second ^= second >> 15
    return f"{first:08x}{second:08x}"
