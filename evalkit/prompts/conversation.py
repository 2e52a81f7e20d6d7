"""A conversation of several turns: the history is given as it is, the last answer is generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.errors import ConfigError, DataError
from evalkit.prompts.completion import generation_params
from evalkit.types import Doc, GenerateRequest, GenerationParams, Message

ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}


@dataclass(frozen=True)
class Conversation:
    """Asks for the next assistant turn after `doc.fields[messages]`, a list of {role, content} that ends with the user.

    Gold assistant turns stay in the history (teacher forcing), so one bad answer does not spoil the next. A model with a
    chat template gets messages; as plain text the turns are `User: …` and `Assistant: …` lines ending in `Assistant:`,
    and generation also stops where the model would start the user's next turn.

    Raises:
        ConfigError: an unknown name or an impossible value in `params`.
    """

    messages: str = "messages"
    params: GenerationParams | Mapping[str, Any] = field(default_factory=GenerationParams)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", generation_params(self.params))

    def render(self, task: str, doc: Doc, shots: Sequence[Doc], chat: bool) -> GenerateRequest:
        """Raises ConfigError when shots are asked for, and DataError when there is no user turn to answer."""
        if shots:
            raise ConfigError(f"task {task}: a conversation takes no shots; set num_fewshot=0")
        turns = doc.fields.get(self.messages) or ()
        if not turns or turns[-1]["role"] != "user":
            raise DataError(f"document {doc.id or '?'}: {self.messages} must end with a user turn; fix to_doc or the row")
        params = generation_params(self.params)
        if chat:
            return GenerateRequest(task, doc.id, tuple(Message(turn["role"], turn["content"]) for turn in turns), params)
        text = "\n".join(f"{ROLES[turn['role']]}: {turn['content']}" for turn in turns)
        return GenerateRequest(task, doc.id, f"{text}\n{ROLES['assistant']}:", replace(params, stop=self.stops(chat)))

    def stops(self, chat: bool) -> tuple[str, ...]:
        """Where an answer is cut; in plain text also where the user's next turn would start."""
        given = generation_params(self.params).stop
        next_turn = f"\n{ROLES['user']}:"
        return given if chat or next_turn in given else (*given, next_turn)
