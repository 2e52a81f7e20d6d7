"""Texts: what the engine is asked to write, and its tokens made into answers exactly as the engine of our own makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from evalkit.models.base import WorkItem
from evalkit.models.vllm.asks import Ask, Given
from evalkit.types import GenerationParams, Response


def writing_ask(index: int, item: WorkItem, ends: Collection[int]) -> Ask:
    """One sample. A model that may think is followed token by token, since stops and limits act on its answer alone.

    Args:
        ends: token ids that end a text.
    """
    params = item.params or GenerationParams()
    settings: dict[str, Any] = {"max_tokens": item.limit, "temperature": float(params.temperature), "stop_token_ids": sorted(ends)}
    stops = [stop for stop in params.stop if stop]
    if params.temperature > 0:
        settings |= {"top_p": float(params.top_p), "top_k": params.top_k, "min_p": float(params.min_p), "seed": seed_of(item)}
    if params.penalised:
        settings |= {"repetition_penalty": float(params.repetition_penalty), "presence_penalty": float(params.presence_penalty)}
    if stops and item.thinking is None:
        settings |= {"stop": stops, "detokenize": True}
    else:
        settings["detokenize"] = False
    return Ask(index, item.prompt_ids, "write", settings=settings, stream=item.thinking is not None)


def seed_of(item: WorkItem) -> int:
    """A sample's own seed, so that neither batch nor order can change its draws.

    The item's key already hashes prompt, parameters, the run's seed and the sample's index.
    """
    seed = item.params.seed if item.params else 0
    return int.from_bytes(hashlib.sha256(f"{item.key}|{seed}|{item.sample}".encode()).digest()[:7], "big")


class Written:
    """One text as it grows; `take` gives the answer when it is whole."""

    def __init__(self, item: WorkItem, tokenizer: Any, ends: frozenset[int]) -> None:
        from evalkit.models.hf.sequence import GeneratedSequence

        self.tokenizer, self.ends = tokenizer, ends
        self.row = GeneratedSequence.of(item)

    def take(self, given: Given) -> Response | None:
        """The answer once it is whole; the engine's own end of a text counts when ours has not come."""
        row = self.row
        if row.item.thinking is None:  # whole at once: only its end is looked at
            row.ids.extend(given.tokens[:-1])
            left = given.tokens[-1:]
        else:
            left = given.tokens
        for token in left:
            if (answer := row.add(token, self.tokenizer, self.ends)) is not None:
                return answer
        return self._ended() if given.done else None

    def _ended(self) -> Response:
        """The engine stopped where our own rules see no end: it had no room for more."""
        row = self.row
        text = self.tokenizer.decode(row.ids, skip_special_tokens=True)
        return Response(
            row.item.key,
            "length" if text.strip() else "empty",
            text=text,
            finish="length",
            context_tokens=len(row.item.prompt_ids),
            output_tokens=len(row.ids),
            truncated_tokens=row.item.truncated_tokens,
        )
