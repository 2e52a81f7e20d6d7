"""A text as a run takes it: the thought taken off, the answer cut at the task's stops."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from evalkit.models.base import cut_at_stops
from evalkit.models.thinking import KNOWN, Marks, split, without_blank_lines
from evalkit.types import Response, Status

LIMIT = frozenset({"length", "max_tokens", "model_length"})  # words of back ends for an answer that met its limit
_CUTTABLE = frozenset({"ok", "length", "empty", "thinking"})
_TOKEN = re.compile(r"<[^<>\s]+>")


def heard(key: str, text: str, stops: Sequence[str], marks: Sequence[Marks]) -> Response:
    """A text made elsewhere as the answer a run would have kept.

    Args:
        marks: pairs around a thought that are looked for.
    """
    said = split(text, marks)
    answer = cut_at_stops(said.answer or "", stops)
    status: Status = "thinking" if said.answer is None else "ok" if answer.strip() else "empty"
    return Response(key, status, text=answer, raw=text if answer != text else None, thinking=said.thought)


def recut(response: Response, stops: Sequence[str], marks: Sequence[Marks] | None = None) -> Response:
    """A saved answer, cut again from everything the model said.

    Args:
        stops: of the task as it is now.
        marks: pairs around a thought, where they are to be looked for in another way than the run did; None: as the run did.
    """
    if response.text is None or response.status not in _CUTTABLE:
        return response
    if marks is None and response.status == "thinking":
        return response  # other stops do not end a thought
    whole = response.said or ""
    thought, answer = response.thinking, whole
    if marks is not None or response.thinking is not None:
        said = split(whole, KNOWN if marks is None else marks)
        if said.answer is None:
            return response if marks is None else replace(response, status="thinking", text="", raw=whole or None, thinking=said.thought)
        # A server may hand the thought over by itself; then there is none in the text.
        by_itself = said.thought is None and response.thinking is not None
        thought, answer = said.thought if said.thought is not None or marks is not None else thought, said.answer
        answer = without_blank_lines(answer) if by_itself else answer
    if thought == response.thinking:
        answer = _from_its_start(answer, response.text)
    if marks is None and thought is not None and _TOKEN.sub("", cut_at_stops(answer, stops)) == response.text:
        return response  # a local model's own tokens are in what was said, but not in its answer
    text = cut_at_stops(answer, stops)
    kept = replace(response, text=text, raw=whole if whole != text else None, thinking=thought)
    if not text.strip():
        return replace(kept, status="empty")
    if len(text) < len(answer) or response.finish is not None:
        at_limit = len(text) == len(answer) and response.finish in LIMIT
        return replace(kept, status="length" if at_limit else "ok")
    return replace(kept, status="length" if response.status == "length" else "ok")


def _from_its_start(answer: str, text: str) -> str:
    """What was said from where the run began the answer: behind a question that was repeated, or inside a block of code."""
    return answer if not text or answer.startswith(text) or (place := answer.rfind(text)) < 0 else answer[place:]
