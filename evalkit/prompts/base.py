"""What every prompt has in common: description, shots, query, as one text or as a conversation.

The assembly is that of lm-evaluation-harness 0.4.13: as text, `description + shot + … + query` with a
shot being `question + delimiter + answer + fewshot_delimiter`; as a conversation, the description is
the system message and the shots share one user message with the query, unless turns are asked for.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.types import Doc, GenerateRequest, LoglikelihoodRequest, Message, Prompt


class PromptFormatter(Protocol):
    """Turns a document and its shots into what a model is asked."""

    def render(self, task: str, doc: Doc, shots: Sequence[Doc], chat: bool) -> LoglikelihoodRequest | GenerateRequest:
        """The request for one document; `chat` asks for messages instead of text."""
        ...


@runtime_checkable
class CutsAnswers(Protocol):
    """A formatter whose answers end at stops, so that a saved answer can be cut again without a prompt."""

    def stops(self, chat: bool) -> tuple[str, ...]:
        """Where an answer is cut, when prompts are conversations (`chat`) or plain text."""
        ...


@dataclass(frozen=True)
class Layout:
    """Shared settings of all formatters. Templates are `str.format` strings over `Doc.fields`.

    Attributes:
        template: the query, and the question of every shot; `{question}`, `{choices[0]}`; a literal brace is doubled.
        description: goes before the first shot as it is (nothing is inserted after it); a template over the asked document.
        delimiter: between a question and its answer, and so at the start of every scored continuation.
        chat_delimiter: the same at the start of a scored continuation in a conversation, where the template has already set
            the turns: nothing in lm-evaluation-harness, a blank in lighteval.
        fewshot_delimiter: after the answer of every shot.
        multi_turn_shots: in a conversation, every shot is a user turn and an assistant turn of its own.

    Raises:
        ConfigError: a template is not a valid format string.
    """

    template: str
    description: str = ""
    delimiter: str = " "
    chat_delimiter: str = ""
    fewshot_delimiter: str = "\n\n"
    multi_turn_shots: bool = False

    def __post_init__(self) -> None:
        check_template("template", self.template)
        check_template("description", self.description)

    def assemble(self, doc: Doc, shots: Sequence[tuple[str, str]], query: str, chat: bool) -> Prompt:
        """The whole prompt from (question, answer) shots and the rendered query."""
        description = fill("description", self.description, doc)
        if not chat:
            return description + self._shots_text(shots) + query
        system = (Message("system", description),) if description else ()
        if self.multi_turn_shots:
            turns = tuple(m for q, a in shots for m in (Message("user", q), Message("assistant", a)))
            return (*system, *turns, Message("user", query))
        return (*system, Message("user", self._shots_text(shots) + query))

    def continuation(self, answer: str, chat: bool) -> str:
        """The text scored after the context."""
        return (self.chat_delimiter if chat else self.delimiter) + answer

    def _shots_text(self, shots: Sequence[tuple[str, str]]) -> str:
        return "".join(f"{question}{self.delimiter}{answer}{self.fewshot_delimiter}" for question, answer in shots)


def check_template(what: str, template: str) -> None:
    """Raises ConfigError when `template` is no format string, before any document is read."""
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise ConfigError(f"prompt {what} {template!r}: {error}; write {{{{ for a literal brace") from error
    bare = [name for name in names if not name or name[0].isdigit()]
    if bare:
        raise ConfigError(f"prompt {what} {template!r}: a field needs a name, as {{question}}; write {{{{}}}} for literal braces")


def fill(what: str, template: str, doc: Doc, extra: Mapping[str, Any] | None = None) -> str:
    """`template` with the document's fields (and `extra`, which wins).

    Raises:
        ConfigError: the template names a field, an index or an attribute the document does not have.
    """
    if "{" not in template and "}" not in template:
        return template
    fields = {**doc.fields, **extra} if extra else doc.fields
    try:
        return template.format_map(fields)
    except KeyError as error:
        name = str(error.args[0])
        here = ", ".join(sorted(str(f) for f in fields)) or "none"
        near = did_you_mean(name, fields)
        known = f"document {doc.id or '?'} does not have; it has {here}{near}"
        raise ConfigError(f"prompt {what} names the field {name!r}, which {known}") from error
    except (IndexError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"prompt {what} {template!r} cannot be filled from document {doc.id or '?'}: {error}; fix it") from error


def gold_index(doc: Doc) -> int:
    """Index of the right choice (the first, where several are right).

    Raises:
        DataError: the target is not an index into the choices.
    """
    target = doc.target[0] if isinstance(doc.target, tuple | list) and doc.target else doc.target
    if not isinstance(target, int) or isinstance(target, bool) or not 0 <= target < len(doc.choices):
        raise DataError(f"document {doc.id or '?'}: target {doc.target!r} is no index of its {len(doc.choices)} choices; fix to_doc")
    return target
