"""Prompts to ask and to rate: JSON lines of {"id", "language", "category", "messages" or "prompt", "reference"?}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from evalkit.data import DataSpec
from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.files import numbered_jsonl
from evalkit.languages import LANGUAGES
from evalkit.metrics import LanguageConsistency
from evalkit.prompts import Conversation
from evalkit.task import Task
from evalkit.types import Doc, GenerationParams, Message

TASK = "open_prompts"
ANOTHER_ANSWER = "\nAssistant:"
FIELDS = ("id", "language", "category", "messages", "prompt", "reference")
ROLES = ("system", "user", "assistant")
# Code is in Latin letters whatever the language: it says nothing of the language that an answer is written in.
CODE = r"(?s)```.*?(?:```|\Z)|`[^`\n]*`"


class Asked(Conversation):
    """A conversation whose answer, in plain text, also ends where the model would give itself another turn: one answer is rated."""

    def stops(self, chat: bool) -> tuple[str, ...]:
        """As a conversation's, and the line that begins an answer."""
        given = super().stops(chat)
        return given if chat else (*given, ANOTHER_ANSWER)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of a set; `turns` ends with the user's."""

    id: str
    language: str
    category: str
    turns: tuple[Message, ...]
    reference: str | None = None


def shipped() -> Path:
    """The invented prompts that travel with the package."""
    return Path(str(files("evalkit.rating").joinpath("prompts.jsonl")))


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Every prompt of a file, in order.

    Raises:
        DataError: a line is not a prompt, or an id comes twice; names `file:line`, the field and what to write.
    """
    found: dict[str, Prompt] = {}
    for number, row in numbered_jsonl(path):
        try:
            prompt = prompt_of(row)
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from error
        if prompt.id in found:
            raise DataError(f"{path}:{number}: id {prompt.id!r} is that of an earlier prompt too; give every prompt its own")
        found[prompt.id] = prompt
    if not found:
        raise DataError(f'{path} holds no prompt; give lines like {{"id": "a1", "language": "hi", "category": "reasoning", "prompt": "…"}}')
    return tuple(found.values())


def prompt_of(row: Mapping[str, Any]) -> Prompt:
    """Raises ValueError naming the field, its value and what to write."""
    for name in row:
        if name not in FIELDS:
            raise ValueError(f"unknown field {name!r}{did_you_mean(name, FIELDS)}; a prompt has {', '.join(FIELDS)}")
    about = {name: row.get(name) for name in ("id", "language", "category")}
    for name, value in about.items():
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"field {name!r}: {value!r} is no text; every prompt has an id, a language and a category")
    language = str(about["language"])
    if language not in LANGUAGES:
        raise ValueError(f"field 'language': {language!r} is not a known code{did_you_mean(language, LANGUAGES)}; as hi or en")
    if ("prompt" in row) == ("messages" in row):
        raise ValueError("give either 'prompt' (a text) or 'messages' (turns of role and content), and not both")
    turns = (Message("user", _text("prompt", row["prompt"])),) if "prompt" in row else _turns(row["messages"])
    reference = row.get("reference")
    if reference is not None and not isinstance(reference, str):
        raise ValueError(f"field 'reference': {reference!r} is no text; leave it out where there is none")
    return Prompt(str(about["id"]), language, str(about["category"]).strip(), turns, reference)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"field {name!r}: {value!r} is no text; write what the model is asked")
    return value


def _turns(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('field \'messages\': not a list of turns; write [{"role": "user", "content": "…"}]')
    turns = []
    for turn in value:
        if not isinstance(turn, dict) or turn.get("role") not in ROLES or set(turn) != {"role", "content"}:
            raise ValueError(f"field 'messages': {turn!r} is no turn; a turn has role (system, user or assistant) and content")
        turns.append(Message(turn["role"], _text("messages", turn["content"])))
    if turns[-1].role != "user":
        raise ValueError("field 'messages': the last turn is not the user's; the model's answer comes after the user's turn")
    return tuple(turns)


def to_doc(row: Mapping[str, Any]) -> Doc:
    """A prompt as the document of a task."""
    prompt = prompt_of(row)
    turns = [{"role": turn.role, "content": turn.content} for turn in prompt.turns]
    return Doc(prompt.id, {"messages": turns}, target=prompt.reference, language=prompt.language, group=prompt.category)


def chosen(word: str, asked: Sequence[str], there: Sequence[str], of: str) -> list[str]:
    """What was asked for of what is there, in its order; all where nothing was.

    Args:
        word: what the setting is called.
        of: whose the values are, for the error.

    Raises:
        ConfigError: a value that is not there.
    """
    for name in asked:
        if name not in there:
            raise ConfigError(
                f"{word}={','.join(asked)}: {of} nothing in {name!r}{did_you_mean(name, there)}; there are {', '.join(there)}"
            )
    return [name for name in there if not asked or name in asked]


def task_of(path: Path, languages: Sequence[str] = (), max_new_tokens: int = 1024, categories: Sequence[str] = ()) -> Task:
    """A task that asks every prompt of a file; its own score says only whether the answer is in the language of the prompt.

    Args:
        languages, categories: those to ask; empty for all that the file has.

    Raises:
        DataError: a damaged file.
        ConfigError: a language or category that is not in it.
    """
    prompts = read_prompts(path)
    of = f"{path.name} has"
    wanted = chosen("languages", languages, list(dict.fromkeys(prompt.language for prompt in prompts)), of)
    kinds = chosen("categories", categories, list(dict.fromkeys(prompt.category for prompt in prompts)), of)
    having = {prompt.language for prompt in prompts if prompt.category in kinds}
    wanted = [language for language in wanted if language in having]
    if not wanted:
        raise ConfigError(
            f"{of} no prompt of categories={','.join(kinds)} in languages={','.join(languages)}; leave one of the two words out"
        )
    consistency: Any = LanguageConsistency(measure="language", ignore=CODE)
    return Task(
        name=TASK,
        data=DataSpec(
            path=f"prompts {path.name}",
            split="test",
            to_doc="evalkit.rating.prompt_set.to_doc",
            language_field="language",
            unique="id",
            groups=kinds if categories else (),
            one_file=True,
            root=str(path),
        ),
        prompt=Asked(params=GenerationParams(max_new_tokens=max_new_tokens)),
        metrics=(consistency,),
        headline="in_language",
        languages=wanted,
        chat="auto",
        notes=(f"{TASK}: answers for people to rate; the score here only says whether an answer is in the prompt's language",),
    )
