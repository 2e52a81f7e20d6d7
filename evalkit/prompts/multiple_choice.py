"""Ranking answers by log-probability: same context and different answers, or the reverse."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import ConfigError, DataError
from evalkit.prompts.base import Layout, check_template, fill, gold_index
from evalkit.types import Doc, LoglikelihoodRequest

STYLES = ("cloze", "letter")


@dataclass(frozen=True)
class MultipleChoice(Layout):
    """One context, a continuation for every choice.

    style `cloze` scores the text of the choices; `letter` scores A, B, C…, and the template has to list the choices.

    Raises:
        ConfigError: an unknown style.
    """

    style: str = "cloze"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.style not in STYLES:
            raise ConfigError(f"prompt style {self.style!r} is unknown; use {' or '.join(STYLES)}")

    def render(self, task: str, doc: Doc, shots: Sequence[Doc], chat: bool) -> LoglikelihoodRequest:
        """As many pairs as the document has choices, in their order."""
        shown = [(fill("template", self.template, shot), self.answers(shot)[gold_index(shot)]) for shot in shots]
        context = self.assemble(doc, shown, fill("template", self.template, doc), chat)
        return LoglikelihoodRequest(task, doc.id, tuple((context, self.continuation(answer, chat)) for answer in self.answers(doc)))

    def answers(self, doc: Doc) -> Sequence[str]:
        """What is scored for each choice.

        Raises:
            DataError: fewer than two choices, or more than there are letters.
        """
        if len(doc.choices) < 2 or (self.style == "letter" and len(doc.choices) > len(string.ascii_uppercase)):
            raise DataError(f"document {doc.id or '?'} has {len(doc.choices)} choices; ranking needs 2 or more (letters: at most 26)")
        return doc.choices if self.style == "cloze" else string.ascii_uppercase[: len(doc.choices)]


@dataclass(frozen=True)
class PartialEvaluation(Layout):
    """A context for every choice, one continuation for all: the choice that makes the rest most likely wins.

    The template may also name `{choice}`, the text of the choice put in; `rest` is a template for what is scored.
    A shot shows the context with the right choice. Protocol: Trinh and Le (2018), "partial" scoring.
    """

    rest: str = "{rest}"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_template("rest", self.rest)

    def render(self, task: str, doc: Doc, shots: Sequence[Doc], chat: bool) -> LoglikelihoodRequest:
        """As many pairs as the document has choices, in their order."""
        shown = [(self.context(shot, gold_index(shot)), fill("rest", self.rest, shot)) for shot in shots]
        scored = self.continuation(fill("rest", self.rest, doc), chat)
        contexts = [self.assemble(doc, shown, self.context(doc, i), chat) for i in range(len(doc.choices))]
        return LoglikelihoodRequest(task, doc.id, tuple((context, scored) for context in contexts))

    def context(self, doc: Doc, index: int) -> str:
        """The query with choice `index` put in."""
        return fill("template", self.template, doc, {"choice": doc.choices[index]})
