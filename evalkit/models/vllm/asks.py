"""What is sent to the engine and what comes back, as plain values; nothing here needs vLLM.

One work item becomes one or more asks:

- a set of single tokens after one context is one ask that writes one token and lists those it was asked about;
- a longer continuation is *followed*: the engine is made to write it token by token, and says what it thought of each. The
  context is then read through the prefix cache, and only the continuation costs a step;
- where an engine cannot be led so, its log-probabilities of the prompt are read, on each distinct sequence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evalkit.errors import ModelError
from evalkit.models.base import TokenIds, WorkItem
from evalkit.models.batching import Header, inputs_of, plan
from evalkit.types import Response

MOST_TOKENS = 128  # ids that one request may ask about: the engine's own limit
PACK = 1024  # tokens of the planner's packs; only the order of its headers is used here
Form = Literal["follow", "prompt"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the engine.

    Attributes:
        item: index of the work item it belongs to.
        prompt: token ids that are read.
        kind: `choose` one of `tokens`, `follow` them one after another, `read` the prompt and one of `tokens`, or `write`.
        tokens: ids asked about; for `write` none.
        pairs: of the item, those it answers: for `choose` one per token, else all that share the sequence.
        settings: sampling parameters by vLLM's names.
        stream: whether every new token is wanted as it comes.
    """

    item: int
    prompt: TokenIds
    kind: Literal["choose", "follow", "read", "write"]
    tokens: TokenIds = ()
    pairs: tuple[int, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False

    @property
    def length(self) -> int:
        """Tokens read and written."""
        return len(self.prompt) + int(self.settings["max_tokens"])


@dataclass(frozen=True, slots=True)
class Given:
    """One answer of the engine, or the next tokens of one.

    Attributes:
        tokens: written; the new ones alone when the ask streams.
        listed: per written token, log-probability and rank by token id.
        prompt: per prompt token, the same; None where nothing was asked.
        done: nothing more follows.
        cached: prompt tokens that were not read again.
    """

    tokens: TokenIds
    listed: tuple[Mapping[int, tuple[float, int]], ...] = ()
    prompt: tuple[Mapping[int, tuple[float, int]] | None, ...] | None = None
    done: bool = True
    cached: int = 0


def reading_order(items: Sequence[WorkItem]) -> list[int]:
    """Log-likelihood items as the planner walks its tree: whatever shares a beginning is adjacent."""

    def walk(header: Header) -> Iterator[int]:
        for pack in header.packs:
            yield from pack
        for child in header.children:
            yield from walk(child)

    return list(walk(plan(items, PACK)))


def scoring_asks(index: int, item: WorkItem, form: Form) -> list[Ask]:
    """The requests that answer one log-likelihood item."""
    singles: dict[TokenIds, dict[int, list[int]]] = {}
    longer: list[int] = []
    for pair, (context, target) in enumerate(item.pairs):
        if len(target) == 1:
            singles.setdefault(context, {}).setdefault(target[0], []).append(pair)
        else:
            longer.append(pair)
    asks = [ask for context, wanted in singles.items() for ask in _choices(index, context, wanted)]
    if form == "follow":
        return asks + [_followed(index, item, pairs) for pairs in _alike(longer, [item.pairs[pair] for pair in longer])]
    inputs = inputs_of(item)
    groups: dict[TokenIds, list[int]] = {ids: [] for ids in inputs}
    for pair in longer:
        context, target = item.pairs[pair]
        groups[(context + target)[:-1]].append(pair)
    return asks + [ask for ids, pairs in groups.items() if pairs for ask in _read(index, item, ids, pairs)]


def _alike(pairs: Sequence[int], values: Sequence[Any]) -> list[list[int]]:
    groups: dict[Any, list[int]] = {}
    for pair, value in zip(pairs, values, strict=True):
        groups.setdefault(value, []).append(pair)
    return list(groups.values())


def _choices(index: int, context: TokenIds, wanted: Mapping[int, Sequence[int]]) -> Iterator[Ask]:
    """One request per 128 distinct tokens after a context."""
    ids = list(wanted)
    for start in range(0, len(ids), MOST_TOKENS):
        part = ids[start : start + MOST_TOKENS]
        settings = {"max_tokens": 1, "temperature": 0.0, "logprob_token_ids": part, "detokenize": False, "ignore_eos": True}
        tokens = tuple(token for token in part for _ in wanted[token])
        yield Ask(index, context, "choose", tokens, tuple(pair for token in part for pair in wanted[token]), settings)


def _followed(index: int, item: WorkItem, pairs: Sequence[int]) -> Ask:
    context, target = item.pairs[pairs[0]]
    settings = {"max_tokens": len(target), "temperature": 0.0, "logprobs": 0, "detokenize": False, "ignore_eos": True}
    return Ask(index, context, "follow", target, tuple(pairs), settings)


def _read(index: int, item: WorkItem, ids: TokenIds, pairs: Sequence[int]) -> Iterator[Ask]:
    """The log-probabilities of a prompt, and behind it those of the continuations' last tokens."""
    lasts = list(dict.fromkeys(item.pairs[pair][1][-1] for pair in pairs))
    for start in range(0, len(lasts), MOST_TOKENS):
        part = lasts[start : start + MOST_TOKENS]
        own = [pair for pair in pairs if item.pairs[pair][1][-1] in part]
        settings = {"max_tokens": 1, "temperature": 0.0, "logprob_token_ids": part, "prompt_logprobs": 0}
        tokens = tuple(item.pairs[pair][1][-1] for pair in own)
        yield Ask(index, ids, "read", tokens, tuple(own), {**settings, "detokenize": False, "ignore_eos": True})


def scored_pairs(ask: Ask, given: Given, item: WorkItem) -> Iterator[tuple[int, float, bool]]:
    """(pair, log-likelihood, greedy) of every pair an ask answers.

    Raises:
        ModelError: the engine wrote or listed something else than it was asked.
    """
    if ask.kind == "follow":
        if given.tokens != ask.tokens or len(given.listed) != len(ask.tokens):
            raise _odd(item, f"it wrote {len(given.tokens)} tokens by itself where it had to follow {len(ask.tokens)}")
        values = [_value(given.listed[place], token, item) for place, token in enumerate(ask.tokens)]
        whole = math.fsum(value for value, _ in values)
        greedy = all(rank == 1 for _, rank in values)
        yield from ((pair, whole, greedy) for pair in ask.pairs)
        return
    for pair, token in zip(ask.pairs, ask.tokens, strict=True):
        if not given.listed or not given.tokens:
            raise _odd(item, "it listed nothing")
        value, _ = _value(given.listed[0], token, item)
        best = given.tokens[0] == token  # at temperature 0 the written token is the likeliest one
        before = list(_prompt_values(given, item, pair)) if ask.kind == "read" else []
        yield pair, math.fsum([*(one for one, _ in before), value]), best and all(rank == 1 for _, rank in before)


def _prompt_values(given: Given, item: WorkItem, pair: int) -> Iterator[tuple[float, int]]:
    context, target = item.pairs[pair]
    if given.prompt is None or len(given.prompt) != len(context) + len(target) - 1:
        raise _odd(item, f"it listed {len(given.prompt or ())} tokens of a prompt of {len(context) + len(target) - 1}")
    for place, token in enumerate(target[:-1], len(context)):
        yield _value(given.prompt[place] or {}, token, item)


def _value(listed: Mapping[int, tuple[float, int]], token: int, item: WorkItem) -> tuple[float, int]:
    if token not in listed:
        raise _odd(item, f"it listed no log-probability of token {token}")
    return listed[token]


def _odd(item: WorkItem, what: str) -> ModelError:
    return ModelError(f"vLLM's answer to {item.task}/{item.doc_id} cannot be used: {what}; use model=hf, or another version of vLLM")


class Gathering:
    """Items whose asks come back one by one; an item is an answer when all of them have."""

    def __init__(self, items: Sequence[WorkItem], asks: Iterable[Ask]) -> None:
        self.items = items
        self.left: dict[int, int] = {}
        for ask in asks:
            self.left[ask.item] = self.left.get(ask.item, 0) + 1
        self.found: dict[int, dict[int, tuple[float, bool]]] = {}

    def take(self, ask: Ask, given: Given) -> Response | None:
        """The item's answer, if this was what it lacked."""
        item = self.items[ask.item]
        found = self.found.setdefault(ask.item, {})
        for pair, value, greedy in scored_pairs(ask, given, item):
            found[pair] = (value, greedy)
        self.left[ask.item] -= 1
        if self.left[ask.item]:
            return None
        del self.found[ask.item]
        return Response(
            item.key,
            "ok",
            loglikelihoods=tuple(found[pair][0] for pair in range(len(item.pairs))),
            greedy=tuple(found[pair][1] for pair in range(len(item.pairs))),
            context_tokens=max(len(context) for context, _ in item.pairs),
            output_tokens=sum(len(target) for _, target in item.pairs),
            truncated_tokens=item.truncated_tokens,
        )
