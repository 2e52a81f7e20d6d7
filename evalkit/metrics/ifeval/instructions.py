"""A document's instructions: which checker each id names, with which arguments, and the eight versions of a loose answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, get_args, get_type_hints

from evalkit.errors import DataError, did_you_mean
from evalkit.metrics.ifeval import language, sentences, structure, wording
from evalkit.types import Doc

Checker = Callable[..., bool]

# A checker's parameters after the text are the arguments a row has to give, with their types.
CHECKERS: Mapping[str, Checker] = {
    "keywords:existence": wording.existence,
    "keywords:frequency": wording.keyword_frequency,
    "keywords:forbidden_words": wording.forbidden_words,
    "keywords:letter_frequency": wording.letter_frequency,
    "language:response_language": language.response_language,
    "length_constraints:number_sentences": sentences.number_sentences,
    "length_constraints:number_paragraphs": structure.number_paragraphs,
    "length_constraints:number_words": wording.number_words,
    "length_constraints:nth_paragraph_first_word": structure.nth_paragraph_first_word,
    "detectable_content:number_placeholders": structure.placeholders,
    "detectable_content:postscript": wording.postscript,
    "detectable_format:number_bullet_lists": structure.bullet_lists,
    "detectable_format:constrained_response": structure.constrained_response,
    "detectable_format:number_highlighted_sections": structure.highlighted_sections,
    "detectable_format:multiple_sections": structure.multiple_sections,
    "detectable_format:json_format": structure.json_format,
    "detectable_format:title": structure.title,
    "combination:two_responses": structure.two_responses,
    "combination:repeat_prompt": wording.repeat_prompt,
    "startend:end_checker": wording.end_checker,
    "startend:quotation": wording.quotation,
    "change_case:capital_word_frequency": sentences.capital_word_frequency,
    "change_case:english_capital": language.english_capital,
    "change_case:english_lowercase": language.english_lowercase,
    "punctuation:no_comma": wording.no_comma,
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a prompt, ready to be held against answers."""

    id: str
    check: Callable[[str], bool]

    @property
    def category(self) -> str:
        """The first half of the id: `keywords`, `length_constraints` …"""
        return self.id.partition(":")[0]

    def followed(self, text: str, *, loose: bool) -> bool:
        """Whether the answer, or any version of it when `loose`, follows the instruction; a blank one never does."""
        return any(version.strip() and self.check(version) for version in (loose_versions(text) if loose else (text,)))


def loose_versions(text: str) -> tuple[str, ...]:
    """The answer without its first line, its last line, both or neither, each with and without asterisks.

    Lines end at a line feed. What has lost a line is stripped, before the asterisks go. Equal versions count once.
    """
    lines = text.split("\n")
    versions = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return tuple(dict.fromkeys([*versions, *(version.replace("*", "") for version in versions)]))


def instructions(doc: Doc) -> tuple[Instruction, ...]:
    """The document's instructions, in the row's order; `doc.target` is a sequence of {id, kwargs}.

    Raises:
        DataError: an unknown id, or arguments that are missing, unknown or of the wrong kind; names document and id.
    """
    if not isinstance(doc.target, Sequence) or isinstance(doc.target, str) or not doc.target:
        raise DataError(f"document {doc.id}: target {doc.target!r} holds no instructions; give {{id, kwargs}} each, see tasks/ifeval.py")
    return tuple(_instruction(doc, given) for given in doc.target)


def _instruction(doc: Doc, given: Any) -> Instruction:
    name, arguments = given["id"], given["kwargs"]
    checker = CHECKERS.get(name)
    if checker is None:
        raise DataError(f"document {doc.id}: unknown instruction {name!r}{did_you_mean(str(name), CHECKERS)}; fix instruction_id_list")
    kinds = _kinds(checker)
    where = f"document {doc.id}: instruction {name}"
    if odd := [argument for argument in arguments if argument not in kinds]:
        raise DataError(f"{where} takes {', '.join(kinds) or 'no arguments'}, not {', '.join(odd)}; fix the row's kwargs")
    made = {}
    for argument, kind in kinds.items():
        if argument not in arguments:
            raise DataError(f"{where} needs {argument}, its kwargs have {', '.join(arguments) or 'nothing'}; fix the row's kwargs")
        try:
            made[argument] = _converted(kind, arguments[argument])
        except (ValueError, re.error) as error:
            raise DataError(f"{where}: {argument}={arguments[argument]!r} {error}; fix the row's kwargs") from error
    return Instruction(name, partial(checker, **made))


@lru_cache(maxsize=64)
def _kinds(checker: Checker) -> dict[str, Any]:
    """Argument name -> type, for everything after the text."""
    hints = get_type_hints(checker)
    return {name: hints[name] for name in list(inspect.signature(checker).parameters)[1:]}


def _converted(kind: Any, value: Any) -> Any:
    """The value as the checker takes it. White space around one text goes, inside a list of texts it stays: see the benchmark's code.

    Raises:
        ValueError, re.error: the value does not fit, in words that follow `name=value`.
    """
    if kind is int:
        # A column with nulls turns whole numbers into floats in some readers.
        if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
            raise ValueError("is not a whole number")
        return int(value)
    if kind == wording.Relation:
        if value not in get_args(wording.Relation):
            raise ValueError(f"is not a relation; use {' or '.join(get_args(wording.Relation))}")
        return value
    if kind == Sequence[wording.Regex]:
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(word, str) and word for word in value):
            raise ValueError("is not a list of words")
        return tuple(_pattern(word) for word in value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is not a text")
    return _pattern(value.strip()) if kind is wording.Regex else value.strip()


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is searched as a regular expression and is none ({text!r}: {error})") from error
    return text
