"""Checkers that look at words, letters and the ends of a response."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NewType

Relation = Literal["less than", "at least"]
# Searched as a regular expression, unescaped, as the benchmark's own code does: `c.t` finds `cat`.
Regex = NewType("Regex", str)

# The benchmark knows this marker without its last full stop, and only these two with optional spaces.
_POSTSCRIPTS = {"P.P.S": r"\s*p\.\s?p\.\s?s.*$", "P.S.": r"\s*p\.\s?s\..*$"}


def holds(count: int, relation: Relation, threshold: int) -> bool:
    """`count` is below the threshold, or reaches it."""
    return count < threshold if relation == "less than" else count >= threshold


def existence(text: str, keywords: Sequence[Regex]) -> bool:
    """Every keyword occurs, whatever its case; inside a longer word is enough."""
    return all(re.search(keyword, text, re.IGNORECASE) for keyword in keywords)


def keyword_frequency(text: str, keyword: Regex, relation: Relation, frequency: int) -> bool:
    """Non-overlapping occurrences of the keyword, whatever its case, inside longer words too."""
    return holds(len(re.findall(keyword, text, re.IGNORECASE)), relation, frequency)


def forbidden_words(text: str, forbidden_words: Sequence[Regex]) -> bool:
    """None of the words occurs as a whole word, whatever its case."""
    return not any(re.search(rf"\b{word}\b", text, re.IGNORECASE) for word in forbidden_words)


def letter_frequency(text: str, letter: str, let_relation: Relation, let_frequency: int) -> bool:
    """Occurrences of one character, upper and lower case together."""
    return holds(text.lower().count(letter.lower()), let_relation, let_frequency)


def number_words(text: str, relation: Relation, num_words: int) -> bool:
    r"""Runs of `\w`: `don't` is two words; an Indic vowel sign or virama (a mark, not a letter) splits a word too."""
    return holds(len(re.findall(r"\w+", text)), relation, num_words)


def no_comma(text: str) -> bool:
    """No ASCII comma; commas of other scripts are allowed."""
    return "," not in text


def postscript(text: str, postscript_marker: str) -> bool:
    """The marker occurs, whatever its case; anything may be before it on its line."""
    pattern = _POSTSCRIPTS.get(postscript_marker, rf"\s*{postscript_marker.lower()}.*$")
    return re.search(pattern, text.lower(), re.MULTILINE) is not None


def end_checker(text: str, end_phrase: str) -> bool:
    """The response ends with the phrase, whatever its case, white space and then double quotes around it aside."""
    return text.strip().strip('"').lower().endswith(end_phrase.strip().lower())


def quotation(text: str) -> bool:
    """Straight double quotes around the whole."""
    text = text.strip()
    return len(text) > 1 and text.startswith('"') and text.endswith('"')


def repeat_prompt(text: str, prompt_to_repeat: str) -> bool:
    """The response begins with the request, whatever its case."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())
