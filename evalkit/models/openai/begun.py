"""Answers that a prompt begins: whether a chat endpoint goes on in the turn, and what is done where it starts over."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.types import Message, Prompt

AUTO, AS_IT_IS, FLAGS, NEVER = "auto", "as_it_is", "flags", "never"
WAYS = (AUTO, AS_IT_IS, FLAGS, NEVER)
# What vLLM wants before it goes on in a last turn of the assistant.
CONTINUE: Mapping[str, Any] = {"add_generation_prompt": False, "continue_final_message": True}
# An answer like those that tasks begin, down to the line end that some servers refuse, broken off where only one word makes sense.
# In its own turn nobody starts with it.
PROBE = (
    Message("user", "Write a Python function that adds two numbers."),
    Message("assistant", "Here is the completed function:\n```python\ndef add(first, second):\n    return (\n        first +\n"),
)
PROBE_TOKENS = 16
WENT_ON = re.compile(r"\s*second\b(?!\s*[+:])")
FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*(?:\n|\Z)(.*?)(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
DEFINED = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+(\w+)", re.MULTILINE)


@dataclass
class Begun:
    """How an endpoint takes a begun answer.

    Attributes:
        way: one of WAYS; a probe turns `auto` into another.
        seen: what the probe saw; empty where none was needed.
    """

    way: str = AUTO
    seen: str = ""

    def describe(self) -> str | None:
        """For the manifest; None while nothing was begun."""
        said = {
            AUTO: None,
            AS_IT_IS: "sent as they are, and the server goes on",
            FLAGS: f"sent with {', '.join(CONTINUE)}, and the server goes on",
            NEVER: "left out of the prompt, because the server starts over; what follows them is found in the answer",
        }[self.way]
        return f"{said} ({self.seen})" if said and self.seen else said


def begun_in(prompt: Prompt | None) -> str:
    """The answer's beginning that a conversation ends with; empty where there is none."""
    last = prompt[-1] if isinstance(prompt, tuple) and prompt else None
    return last.content if last is not None and last.role == "assistant" else ""


def went_on(answer: str) -> bool:
    """Whether the answer to PROBE goes on where its turn breaks off."""
    return WENT_ON.match(answer) is not None


async def find_way(said: Callable[[Mapping[str, Any]], Any]) -> Begun:
    """Ask PROBE as it is, then with the words some servers want.

    Args:
        said: the answer to PROBE with these parameters more; None where the server refuses them.
    """
    answers = []
    for way, extra in ((AS_IT_IS, {}), (FLAGS, CONTINUE)):
        answer: str | None = await said(extra)
        if answer is not None and went_on(answer):
            return Begun(way, "a probe went on")
        answers.append("was refused" if answer is None else f"gave {' '.join(answer.split())[:30]!r}")
    return Begun(NEVER, f"a probe {answers[0]}; with continue_final_message it {answers[1]}")


def behind(begun: str, answer: str) -> str:
    """What of an answer that started over is where the begun one would go on.

    The begun text itself is taken off. Where it leaves a fenced block open, the block of the answer that defines what the open
    one begins is what counts, or the first block.
    """
    if (whole := _after(begun, answer)) is not None:
        return whole
    opened = _open_block(begun)
    blocks = [match[2] for match in FENCED.finditer(answer)]
    if opened is None or not blocks:
        return answer
    names = DEFINED.findall(opened)
    block = next((block for block in blocks if names and names[-1] in DEFINED.findall(block)), blocks[0])
    rest = _after(opened, block)
    return f"\n{block}" if rest is None else rest


def _after(head: str, text: str) -> str | None:
    """The text behind `head`, white space around it aside; None where it does not start so."""
    head, text = head.strip(), text.lstrip()
    return text[len(head) :] if head and text.startswith(head) else None


def _open_block(text: str) -> str | None:
    """What is in a fenced block that is not closed; None where all are."""
    last = None
    for match in FENCED.finditer(text):
        last = match
    if last is None or last.end() < len(text) or text[last.end(2) :].strip():
        return None
    return last[2]
