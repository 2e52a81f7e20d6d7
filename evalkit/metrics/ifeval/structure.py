"""Checkers that look at the shape of a response: paragraphs, sections, bullets, marks of Markdown, JSON."""

from __future__ import annotations

import json
import re

from evalkit.metrics.ifeval.wording import Regex

CONSTRAINED_RESPONSES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_FENCES = ("```json", "```Json", "```JSON", "```")
_WORD_ENDS = re.compile(r"""[.,?!'"]""")


def number_paragraphs(text: str, num_paragraphs: int) -> bool:
    """Exactly so many pieces between `***`; a blank first or last piece does not count, a blank middle one fails."""
    pieces = _without_blank_ends(re.split(r"\s?\*\*\*\s?", text))
    return all(pieces) and len(pieces) == num_paragraphs


def nth_paragraph_first_word(text: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly so many paragraphs, and the n-th begins with the word.

    Paragraphs end at two line breaks. Blank ones do not add to the number, but they keep their place: after four line
    breaks the next paragraph is two places further, as in the benchmark's own code.
    """
    pieces = text.split("\n\n")
    count = sum(bool(piece.strip()) for piece in pieces)
    if count != num_paragraphs or not 1 <= nth_paragraph <= count:
        return False
    words = pieces[nth_paragraph - 1].split()
    return bool(words) and _bare(words[0]) == first_word.lower()


def _bare(word: str) -> str:
    """The word without quotes in front, up to the first mark that ends one, in lower case."""
    return _WORD_ENDS.split(word.lstrip("'").lstrip('"'))[0].lower()


def placeholders(text: str, num_placeholders: int) -> bool:
    """At least so many square brackets, `[address]`; each within one line."""
    return len(re.findall(r"\[.*?\]", text)) >= num_placeholders


def bullet_lists(text: str, num_bullets: int) -> bool:
    """Exactly so many bullets, `* one` or `- one`.

    The white space a pattern allows in front may reach over blank lines, and a lone `*` takes the line below with it.
    """
    stars = re.findall(r"^\s*\*[^\*].*$", text, re.MULTILINE)
    dashes = re.findall(r"^\s*-.*$", text, re.MULTILINE)
    return len(stars) + len(dashes) == num_bullets


def constrained_response(text: str) -> bool:
    """One of the three answers occurs, with this spelling."""
    return any(answer in text for answer in CONSTRAINED_RESPONSES)


def highlighted_sections(text: str, num_highlights: int) -> bool:
    """At least so many `*parts*` and `**parts**` that are not blank; counted by two passes that may overlap."""
    single = re.findall(r"\*[^\n\*]*\*", text)
    double = re.findall(r"\*\*[^\n\*]*\*\*", text)
    return sum(bool(part.strip("*").strip()) for part in [*single, *double]) >= num_highlights


def multiple_sections(text: str, section_spliter: Regex, num_sections: int) -> bool:
    """At least so many headings of the form `Section 1`. The benchmark spells the argument so."""
    return len(re.split(rf"\s?{section_spliter}\s?\d+\s?", text)) - 1 >= num_sections


def json_format(text: str) -> bool:
    """The whole response is JSON, a code fence around it aside."""
    text = text.strip()
    for fence in _FENCES:
        text = text.removeprefix(fence)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(text: str) -> bool:
    """Something like `<<title>>` on one line that is not blank."""
    return any(found.lstrip("<").rstrip(">").strip() for found in re.findall(r"<<[^\n]+>>", text))


def two_responses(text: str) -> bool:
    """Two parts that differ, separated by six asterisks; a blank first or last part does not count."""
    parts = _without_blank_ends(text.split("******"))
    return all(parts) and len(parts) == 2 and parts[0] != parts[1]


def _without_blank_ends(pieces: list[str]) -> list[str]:
    """Stripped pieces; the first and the last one only if there is something in it."""
    stripped = [piece.strip() for piece in pieces]
    last = len(stripped) - 1
    return [piece for i, piece in enumerate(stripped) if piece or 0 < i < last]
