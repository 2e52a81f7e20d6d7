"""What came back: the thought, the answer and what became of it, refusals and filters distinguished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.models.base import WorkItem, cut_at_stops
from evalkit.models.openai.begun import behind
from evalkit.models.openai.client import Route
from evalkit.models.openai.cost import Used
from evalkit.models.openai.failures import Malformed, message_of, shortened
from evalkit.models.thinking import Marks, after_thought, split, without_blank_lines
from evalkit.types import GenerationParams, Response

# Words of endpoints for what became of an answer, in lower case; the last five that filter are Google's.
FILTERED = frozenset({"content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii"})
CUT = frozenset({"length", "max_tokens", "model_length"})
QUESTION = 12  # characters: a shorter question may be at the start of an answer by chance
BROKEN = frozenset({"error", "abort", "aborted", "cancelled"})


@dataclass
class Thought:
    """What is known of the thoughts of a hosted model.

    Attributes:
        pairs: marks to look for in the content; none when `model.thinking` is off.
        tokens: asked for on top of the answer's.
        known: stops are applied here alone, because the model thinks or repeats the question; found out from the first answer
            that shows it.
        opened: the prompt ends with the opening mark.
    """

    pairs: Sequence[Marks] = ()
    tokens: int = 0
    known: bool = False
    opened: bool = False

    def of(self, item: WorkItem) -> Thought:
        """Of one item: as encoded, where the tokenizer is here and its model thinks."""
        own = item.thinking
        return self if own is None else Thought([own.marks], own.tokens, known=True, opened=own.opened)


def answers(
    body: Mapping[str, Any], route: Route, items: Sequence[WorkItem], thought: Thought, begun: str = "", asked: str = ""
) -> list[Response]:
    """One response a choice; tokens are split evenly where the server only counts them together.

    Args:
        begun: an answer's beginning that the task asked for and the prompt left out.
        asked: the last turn of the user.
    """
    choices = sorted(body["choices"], key=lambda choice: choice.get("index") or 0)
    if not 1 <= len(choices) <= len(items):
        raise Malformed(f"{len(choices)} choices where {len(items)} were asked for")
    used = Used.of(body) or Used()
    whole, rest = divmod(used.completion, len(choices))
    responses = []
    for place, (item, choice) in enumerate(zip(items, choices, strict=False)):
        said = _said(choice, route, (item.params or GenerationParams()).stop, thought, begun, asked)
        context, tokens = used.prompt or len(item.prompt_ids), whole + (place < rest)
        responses.append(replace(said, key=item.key, context_tokens=context, output_tokens=tokens, truncated_tokens=item.truncated_tokens))
    return responses


def _said(choice: Mapping[str, Any], route: Route, stops: Sequence[str], thought: Thought, begun: str, asked: str) -> Response:
    """The thought, the answer before its first stop, and what became of it; the caller adds key and tokens.

    Raises:
        Malformed: the server says that it broke off; what there is of the text is no answer.
    """
    finish = str(choice.get("finish_reason") or "").lower()
    if choice.get("error") or finish in BROKEN:
        said, _ = message_of(choice, f"finish_reason {finish}")
        raise Malformed(f"the server broke off: {shortened(said)}")
    message: Mapping[str, Any] = choice["message"] if route == "chat" else choice
    refusal = message.get("refusal") if route == "chat" else None
    full = _content(message.get("content") if route == "chat" else choice["text"])
    parts = split(full, thought.pairs, thought.opened)
    apart = _reasoning(message) if thought.pairs else None
    thinking = "\n\n".join(part for part in (apart, parts.thought) if part) or parts.thought
    # Empty lines between a thought and its answer are neither's, wherever the thought is handed over.
    answer = without_blank_lines(parts.answer) if apart and parts.answer is not None else parts.answer
    # A server that hands the thought over by itself leaves the content empty until the thought has ended.
    unfinished = answer is None or bool(apart and not answer.strip() and (finish in CUT or not thought.known))
    answer = without_question(asked, answer or "") if stops else answer or ""
    answer = behind(begun, answer) if begun else answer
    text = cut_at_stops(answer, stops)
    kept = Response("", "ok", text=text, raw=full if full != text else None, thinking=thinking, finish=finish or None)
    if refusal or finish == "refusal":
        return replace(kept, status="refused", text=text or str(refusal or ""))
    if finish in FILTERED or finish.startswith("content_filter"):
        return replace(kept, status="filtered")
    if unfinished:
        return replace(kept, status="thinking")
    if not text.strip():
        return replace(kept, status="empty")
    return replace(kept, status="length" if finish in CUT and len(text) == len(answer) else "ok")


def without_question(asked: str, answer: str) -> str:
    """The answer behind a question that is repeated whole. Where a task has stops, they would otherwise be found in the question.

    A task without stops takes a text as it is: repeating the question may be what it asks for (IFEval).
    """
    head, text = asked.strip(), answer.lstrip()
    return after_thought(text[len(head) :]) if len(head) >= QUESTION and text.startswith(head) else answer


def cut_in_question(asked: str, response: Response, stops: Sequence[str]) -> bool:
    """Whether a server's stop may have ended the answer while it repeated the question, or the empty lines behind its thought."""
    head, text = asked.strip(), (response.text or "").strip()
    cuts = [cut_at_stops(before + head, stops).strip() for before in ("", "\n\n")]
    return len(head) >= QUESTION and any(text == cut != head for cut in cuts)


def _reasoning(message: Mapping[str, Any]) -> str | None:
    """The thought where the server hands it over in its own field, under one of several names, or as parts of the content (Mistral)."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(said := message.get(name), str) and said.strip():
            return said.strip()
    listed = next((said for name in ("reasoning_details", "thinking_blocks") if isinstance(said := message.get(name), list)), None)
    content = message.get("content") if listed is None else listed
    parts = (
        [part.get("thinking") or part.get("text") for part in content if str(part.get("type")).startswith(("thinking", "reasoning"))]
        if isinstance(content, list)
        else []
    )
    texts = [part if isinstance(part, str) else "".join(str(inner.get("text", "")) for inner in part or ()) for part in parts]
    return "\n\n".join(text.strip() for text in texts if text.strip()) or None


def _content(content: Any) -> str:
    """Text, or the text parts of a list; null is an empty answer."""
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    raise Malformed(f"content is a {type(content).__name__}, not text")
