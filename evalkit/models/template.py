"""Messages to the text a model reads, through the tokenizer's own chat template, with nothing lost on the way."""

from __future__ import annotations

import calendar
import datetime
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.errors import ConfigError, ModelError
from evalkit.models.checkpoint import first_line
from evalkit.types import Message

DAY = "2024-07-26"  # what Llama 3.1's template takes for today when nobody says
DIRECTIVES = "aAbBcCdDeFgGhHIjklmMnpPrRStTuUVwWxXyYzZf%"  # of strftime
FLAGS = ("", "-", "_", "0", "^", "#", "E", "O")
LAST = "\x00evalkit\x00"
log = logging.getLogger("evalkit")


@dataclass(frozen=True)
class TemplateSettings:
    """What a template is given, as `model.date`, `model.template_args` and `model.system` say.

    Attributes:
        date: the day templates see, as 2024-07-26; `today` is the day of the run.
        args: names of the template's own, such as `enable_thinking`.
        system: a system turn before every conversation that has none of its own.

    Raises:
        ConfigError: a date that is none, args that are no mapping, a system that is no text.
    """

    date: str = DAY
    args: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "date", str(self.date))
        object.__setattr__(self, "args", dict(self.args) if isinstance(self.args, Mapping) else self.args)
        if not isinstance(self.args, dict):
            raise ConfigError(f"model.template_args={self.args!r} is no mapping; give {{enable_thinking: false}} or the like")
        if self.system is not None and (not isinstance(self.system, str) or not self.system.strip()):
            raise ConfigError(f"model.system={self.system!r} is no text; null asks without a system turn")
        try:
            # One day for the whole run, also where it goes past midnight.
            object.__setattr__(self, "date", (datetime.date.today() if self.date == "today" else self.day).isoformat())
        except ValueError:
            raise ConfigError(f"model.date={self.date!r} is no day; write it as {DAY}, or today") from None

    @property
    def day(self) -> datetime.date:
        return datetime.date.fromisoformat(self.date)

    def told(self) -> dict[str, Any]:
        """What is not at its default, by the setting's name; `today` is the day it stands for, since prompts hold it."""
        date = None if self.date == DAY else self.date
        named = {"date": date, "template_args": dict(self.args) or None, "system": self.system}
        return {name: value for name, value in named.items() if value is not None}

    def with_system(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The conversation behind `system`, unless it has a system turn itself."""
        if self.system is None or messages[0].role == "system":
            return tuple(messages)
        return (Message("system", self.system), *messages)


class ChatTemplate:
    """Renders conversations; says in one line what a template refuses or loses."""

    def __init__(self, tokenizer: Any, settings: TemplateSettings | None = None) -> None:
        self.tokenizer = tokenizer
        self.settings = settings or TemplateSettings()
        self.system_merged = False
        self.parts: bool | None = None
        self._warned = False

    def render(self, messages: Sequence[Message], where: str) -> str:
        """The text of a conversation; a last turn of the assistant is left open.

        Args:
            where: task and document, for errors.

        Raises:
            ModelError: the template refuses the conversation, or its text lacks a message.
        """
        messages = self.settings.with_system(messages)
        try:
            return self._render(messages, where)
        except Exception as error:  # a template may raise whatever its expressions raise
            if messages[0].role == "system" and len(messages) > 1:
                # Some templates refuse a system turn: its text then opens the first user turn, and the manifest says so.
                merged = (Message(messages[1].role, f"{messages[0].content}\n\n{messages[1].content}"), *messages[2:])
                try:
                    text = self._render(merged, where)
                except Exception as second:
                    raise self._refused(second, where) from second
                self.system_merged = True
                return text
            raise self._refused(error, where) from error

    def dated(self, messages: Sequence[Message]) -> bool:
        """Whether the text of a conversation holds the day.

        Raises:
            ModelError: as `render` does.
        """
        template = str(self.tokenizer.chat_template)
        if "strftime_now" not in template and "date_string" not in template:
            return False
        other = ChatTemplate(self.tokenizer, replace(self.settings, date="1999-03-28"))
        return other.render(messages, "a prompt") != self.render(messages, "a prompt")

    def _render(self, messages: Sequence[Message], where: str) -> str:
        """In text, or in lists of parts where the template loses text given as such."""
        failure: Exception | None = None
        lost: list[Message] = []
        for parts in (self.parts,) if self.parts is not None else (False, True):
            try:
                text = self._continued(messages, parts)
            except Exception as error:
                failure = failure or error
                continue
            lost = [message for message in messages if message.content.strip() and message.content.strip() not in text]
            if not lost:
                self.parts = parts
                return text
        if failure is not None and (self.parts is not None or not lost):
            raise failure
        raise ModelError(
            f"{where}: the chat template leaves out what the {lost[0].role} says ({lost[0].content.strip()[:40]!r}); "
            "use tasks.TASK.chat=false or another template"
        )

    def _continued(self, messages: Sequence[Message], parts: bool) -> str:
        if messages[-1].role != "assistant":
            text = self._apply(messages, parts, begun=False)
            self._warn(messages, parts, text)
            return text
        try:
            return self._apply(messages, parts, begun=True)
        except ValueError:
            # The template trims a begun answer. Behind the generation prompt it is the same text, if the template writes turns so.
            asked, probe = self._apply(messages[:-1], parts, begun=False), Message("assistant", LAST)
            closed = self._apply((*messages[:-1], probe), parts, begun=False)
            if not closed.startswith(asked + LAST):
                raise
            return asked + messages[-1].content

    def _apply(self, messages: Sequence[Message], parts: bool, *, begun: bool) -> str:
        turns = [{"role": m.role, "content": [{"type": "text", "text": m.content}] if parts else m.content} for m in messages]
        return str(
            self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=not begun, continue_final_message=begun, **self._given()
            )
        )

    def _given(self) -> dict[str, Any]:
        """The names a template may use: the day, in the two forms templates ask for, and its own."""
        given: dict[str, Any] = {}
        template = self.tokenizer.chat_template
        if isinstance(template, str) and "strftime_now" in template:
            given["chat_template"] = _clock(self.settings.day) + template
        if self.settings.date != DAY:
            given["date_string"] = self.settings.day.strftime("%d %b %Y")
        return given | dict(self.settings.args)

    def _warn(self, messages: Sequence[Message], parts: bool, text: str) -> None:
        if self._warned:
            return
        self._warned = True
        turns = [{"role": m.role, "content": [{"type": "text", "text": m.content}] if parts else m.content} for m in messages]
        if text == str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=False, **self._given())):
            log.warning("the chat template ignores add_generation_prompt, so nothing opens the model's turn")

    def _refused(self, error: Exception, where: str) -> ModelError:
        if isinstance(error, ModelError):
            return error
        return ModelError(f"{where}: the chat template refuses the conversation: {first_line(error)}; use tasks.TASK.chat=false")


# The callable that templates ask cannot be handed to them as a value; a macro of the same name goes before it.
CLOCK = (
    "{%- macro strftime_now(format) -%}{%- set at = namespace(on=false, flag='') -%}{%- for c in format -%}"
    "{%- if not at.on and c == '%' -%}{%- set at.on = true -%}{%- elif not at.on -%}{{ c }}"
    "{%- elif c in '-_0^#EO' and not at.flag -%}{%- set at.flag = c -%}"
    "{%- else -%}{{ DAY.get(at.flag ~ c, '%' ~ at.flag ~ c) }}{%- set at.on = false -%}{%- set at.flag = '' -%}{%- endif -%}"
    "{%- endfor -%}{%- if at.on -%}{{ '%' ~ at.flag }}{%- endif -%}{%- endmacro -%}"
)


def _clock(day: datetime.date) -> str:
    """The function that a template asks for the time, on that day at midnight."""
    midnight = datetime.datetime.combine(day, datetime.time())
    told = {flag + letter: midnight.strftime(f"%{flag}{letter}") for flag in FLAGS for letter in DIRECTIVES}
    told["s"] = str(calendar.timegm(midnight.timetuple()))
    return CLOCK.replace("DAY", repr(told))
