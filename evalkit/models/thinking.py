"""What a model thought before it answered: the marks around a thought, and a text taken in two."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ConfigError

Marks = tuple[str, str]
# Opening and closing mark of the families we know. A channel's closing mark is the start of the channel with the answer.
KNOWN: tuple[Marks, ...] = (
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("<|channel>thought", "<channel|>"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("◁think▷", "◁/think▷"),
    ("<thinking>", "</thinking>"),
    ("<unused94>thought", "<unused95>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<reasoning>", "</reasoning>"),
    ("<thought>", "</thought>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<|think|>", "<|end|><|begin|>assistant<|content|>"),
    ("Here is my thought process:", "Here is my response:"),
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
    ("<scratchpad>", "</scratchpad>"),
    ("<SCRATCHPAD>", "</SCRATCHPAD>"),
    ("<scratch_pad>", "</scratch_pad>"),
)
# Words that an answer may use for something else: marks of a thought only where the text begins with one.
_AT_START = frozenset({"<reasoning>", "<thought>", "<scratchpad>", "<SCRATCHPAD>", "<scratch_pad>"})
# Sentences that an answer may use for something else, the second one too.
_SENTENCES = frozenset({"Here is my thought process:", "Here are my reasoning steps:"})
# What some families put around the answer behind a thought, by the thought's opening mark.
_AROUND_ANSWER: dict[str, Marks] = {
    "<|START_THINKING|>": ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    "<|begin_of_thought|>": ("<|begin_of_solution|>", "<|end_of_solution|>"),
    "<|channel|>analysis<|message|>": ("", "<|return|>"),
    "Here are my reasoning steps:": ("", "[END FINAL RESPONSE]"),
}
_HIDDEN = "\ue0ff"  # a character of private use, in a mark that is spoken of
# Some marks are made of tokens that are added by themselves.
_TOKENS = {
    "<|channel|>analysis<|message|>": frozenset({"<|channel|>", "<|message|>"}),
    "<|think|>": frozenset({"<|think|>", "<|content|>"}),
}
THOUGHT_TOKENS = 4096  # of a local model that is known to think, where model.thinking_tokens is not set


@dataclass(frozen=True, slots=True)
class Thinking:
    """How one answer may think.

    Attributes:
        marks: opening and closing mark.
        tokens: tokens of the thought at most; those of the answer are counted from its end.
        opened: the prompt itself ends with the opening mark, so the text starts inside the thought.
    """

    marks: Marks
    tokens: int
    opened: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A text taken in two. `answer` is None while the thought has no end; `thought` is None where there is none."""

    thought: str | None
    answer: str | None


def split(text: str, pairs: Sequence[Marks], opened: bool = False) -> Said:
    """The thought and the answer of a whole text; white space between them belongs to neither.

    Args:
        pairs: marks to look for; the first pair of which a mark is in the text is the one.
        opened: the text starts inside a thought. A closing mark without an opening one says the same.
    """
    quoted, text = text, _unquoted(text, pairs)
    found = [pair for pair in pairs if _marks(text, pair, len(pairs) == 1, opened)]
    if not found:
        return Said(quoted.strip(), None) if opened else Said(None, quoted)
    said = _split(text, *found[0], opened)
    return Said(_quoted(said.thought), _quoted(said.answer))


def _unquoted(text: str, pairs: Sequence[Marks]) -> str:
    """A mark in a code span is spoken of: its first character is put out of sight until the text is taken in two."""
    if "`" not in text or _HIDDEN in text:
        return text
    for mark in dict.fromkeys(mark for pair in pairs for mark in pair):
        text = text.replace(f"`{mark}`", f"`{mark[:1]}{_HIDDEN}{mark[1:]}`")
    return text


def _quoted(text: str | None) -> str | None:
    return text and text.replace(_HIDDEN, "")


def _split(text: str, opening: str, closing: str, opened: bool) -> Said:
    thoughts: list[str] = []
    kept, rest, inside = "", text, opened
    while closing in rest:
        block, rest = rest.split(closing, 1)
        before, mark, thought = block.partition(opening)
        if thoughts and not mark and not rest.strip():  # a closing mark too many behind the answer
            rest = block
            break
        # A second closing mark without an opening one: the thought spoke of its own marks, and went on.
        kept, thought = (kept + before, thought) if mark and not inside else ("", kept + block.removeprefix(opening))
        thoughts.append(thought.strip())
        inside = False
    before, mark, thought = rest.partition(opening)
    # Behind a thought an opening mark inside a sentence is spoken of; before any, everything points to a thought cut short.
    if inside or (mark and not (thoughts and before.strip())):
        return Said("\n\n".join([*thoughts, (rest.removeprefix(opening) if inside else thought).strip()]), None)
    start, end = _AROUND_ANSWER.get(opening, ("", ""))
    answer = after_thought(kept + rest)
    if start and answer.startswith(start):
        answer = after_thought(answer.removeprefix(start))
    return Said("\n\n".join(thoughts), answer.rstrip().removesuffix(end) if end and answer.rstrip().endswith(end) else answer)


def _marks(text: str, pair: Marks, known: bool, opened: bool) -> bool:
    """Whether a mark of a pair, which may be known to be the model's, is in a text as a mark."""
    if pair[0] in _SENTENCES:
        return text.lstrip().startswith(pair[0]) or (opened and pair[1] in text)
    if pair[0] in _AT_START and pair[0] in text and not known:
        return text.lstrip().startswith(pair[0])
    return pair[0] in text or pair[1] in text


def after_thought(text: str) -> str:
    """What follows a thought, without the white space between them; the first line keeps its indentation, which may be a program's."""
    answer = text.lstrip()
    return text[: len(text) - len(answer)].rpartition("\n")[2] + answer if answer and "\n" in text[: len(text) - len(answer)] else answer


def without_blank_lines(text: str) -> str:
    """A text without empty lines at its start: what follows a thought that came by itself. Its first line keeps its indentation."""
    answer = text.lstrip()
    return text[: len(text) - len(answer)].rpartition("\n")[2] + answer


def checked_thinking(value: Any) -> str | Marks:
    """`auto`, `off` or a pair of marks, as `model.thinking` gives it (YAML reads `off` as false).

    Raises:
        ConfigError: it is none of these.
    """
    if value is False or value == "off":
        return "off"
    if value == "auto":
        return "auto"
    if isinstance(value, (list, tuple)) and len(set(value)) == 2 == len(value) and all(isinstance(m, str) and m.strip() for m in value):
        return (value[0], value[1])
    raise ConfigError(f"model.thinking={value!r} is unknown; use auto, off, or two different marks such as ['<think>','</think>']")


def checked_tokens(value: Any) -> int | None:
    """`model.thinking_tokens`: null or a whole number from 0.

    Raises:
        ConfigError: it is neither.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ConfigError(f"model.thinking_tokens={value!r} is no whole number from 0; null leaves the default")


def thinking_told(setting: str | Marks, tokens: int | None) -> dict[str, Any]:
    """What was set about thoughts, for a run's identity; nothing at the defaults, so that no finished run is orphaned."""
    named = {"thinking": None if setting == "auto" else setting if isinstance(setting, str) else list(setting), "thinking_tokens": tokens}
    return {name: value for name, value in named.items() if value is not None}


def pairs_of(setting: str | Marks) -> tuple[Marks, ...]:
    """The marks a text of an unknown model is looked through for."""
    return () if setting == "off" else KNOWN if isinstance(setting, str) else (setting,)


def marks_of(setting: str | Marks, template: str, added: Collection[str]) -> Marks | None:
    """The marks of a model whose tokenizer is known; None when it does not think.

    Args:
        template: the chat template's text.
        added: the tokenizer's added tokens.
    """
    if not isinstance(setting, str):
        return setting
    for pair in pairs_of(setting):
        tokens = _TOKENS.get(pair[0], frozenset(pair))
        if tokens <= set(added) or all(mark in template for mark in pair):
            return pair
    return None
