"""Log-likelihoods by the plan: long shared prefixes once, logits only where they are asked for.

Four paths give the same numbers. The tree path runs packs through `TreeAttention`; the cached path
runs right-padded batches behind prefixes that the model's own cache holds; the plain path runs
right-padded batches of whole sequences; the single path one sequence at a time. At start the tree
path is checked on a few sequences against one at a time; where it does not fit (recurrent layers,
biased attention, a model's own attention code) the others are checked likewise, in this order from
the last. The manifest says which one ran.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch

from evalkit.models.base import WorkItem
from evalkit.models.batching import MIN_SAVED, Ask, Header, ItemTree, inputs_of, item_tree, padded_packs, padded_plan, plan
from evalkit.models.hf.forward import Forward, State
from evalkit.models.hf.path_check import choose_path
from evalkit.models.hf.prefixes import Prefixes
from evalkit.types import Response

SAVED_ON_GPU = 2048  # tokens that two small passes must spare on a GPU, which hardly notices a few hundred
Work = tuple[Header, list[Header], list[WorkItem]]  # a header, its ancestors, items computed together under it


class Scorer:
    """Scores log-likelihood items with one model.

    Args:
        model: a causal language model in evaluation mode.
        pad: any valid token id.
        budget: tokens a forward pass may read.
        room: bytes that the rows of a pass may have in the model's own cache.

    Attributes:
        path: `tree`, `cached`, `plain` or `single`; `why` says why not a faster one.

    Raises:
        ModelError: the model is not causal.
    """

    def __init__(self, model: Any, pad: int, budget: int, room: int = 1 << 30) -> None:
        self.model = model
        self.pad = pad
        self.budget = budget
        self.room = room
        self.forward = Forward(model)
        self.projection = self.forward.projection
        self.prefixes = Prefixes(self._whole, self.forward.device)
        self.path, self.why = choose_path(self)

    def packs(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[Work]:
        """Every pack that has an item not in `done`."""
        distinct = list({item.key: item for item in items}.values())
        # Every plan before the first pack: headers are known by identity while any of them is in use.
        plans = [(group, self._plan(length, group)) for length, group in self.forward.rotary.by_class(distinct)]
        for group, root in plans:
            yield from _walk(root, [], group, done)

    def _plan(self, length: int | None, items: Sequence[WorkItem]) -> Header:
        if length is None:  # each is taken to pieces
            return Header((), 0, packs=[[index] for index in range(len(items))])
        if self.path == "tree":
            return plan(items, self.budget)
        if self.path == "cached":
            return padded_plan(items, self.budget, self.most_rows, MIN_SAVED if self.forward.device.type == "cpu" else SAVED_ON_GPU)
        return Header((), 0, packs=padded_packs(items, self.budget))

    def most_rows(self, tokens: int) -> int:
        """Rows of so many tokens that fit into the room for the model's own cache."""
        return self.prefixes.size.rows(tokens, self.room)

    def score(self, header: Header, above: Sequence[Header], items: Sequence[WorkItem], kept: dict[int, State]) -> list[Response]:
        """Log-likelihoods of a pack under its header; `kept` carries headers' keys and values from pack to pack."""
        classes = self.forward.rotary.classes_of(items[0])
        if len(classes) > 1:
            return [self._by_length(item) for item in items]
        (self.forward.length,) = classes
        with torch.inference_mode():
            if self.path in ("plain", "single"):
                return self.untreed(items, self.path)
            chain_of = [*above, header]
            for stale in [key for key in kept if key not in {id(h) for h in chain_of}]:
                del kept[stale]  # its last user is done
            if self.path == "cached":
                return self.untreed(items, "cached", header.length, self.prefixes.behind(chain_of, kept, self.budget))
            return self._tree(items, header.length, self.forward.read_chain(chain_of, kept, self.budget))

    def _by_length(self, item: WorkItem) -> Response:
        """An item whose pairs lie on both sides of a length at which rotary embeddings change: each side by itself."""
        rotary = self.forward.rotary
        classes = [rotary.class_of(len(context) + len(target) - 1) for context, target in item.pairs]
        sums, best = [0.0] * len(classes), [True] * len(classes)
        for one in sorted(set(classes)):
            places = [place for place, other in enumerate(classes) if other == one]
            part = replace(item, pairs=tuple(item.pairs[place] for place in places))
            kept: dict[int, State] = {}
            (answer,) = [answer for work in self.packs([part], set()) for answer in self.score(*work, kept)]
            for place, value, hit in zip(places, answer.loglikelihoods or (), answer.greedy or (), strict=True):
                sums[place], best[place] = value, hit
        return _response(item, sums, best)

    def _tree(self, items: Sequence[WorkItem], start: int, state: State) -> list[Response]:
        trees = [item_tree(item, start) for item in items]
        hidden = self.forward.trees(trees, start, state, None)
        return self._answers(items, trees, hidden, list(accumulate((len(tree.ids) for tree in trees[:-1]), initial=0)))

    def untreed(self, items: Sequence[WorkItem], path: str, start: int = 0, before: Any = None) -> list[Response]:
        """Log-likelihoods of items in one padded batch (`plain`, or `cached` behind `start` tokens that the cache `before` holds), or each
        sequence alone (`single`)."""
        rows = [list(ids[start:]) for item in items for ids in inputs_of(item)]
        if path != "single":
            longest = max(map(len, rows))
            hidden = self._states([row + [self.pad] * (longest - len(row)) for row in rows], start, before).flatten(0, 1)
            firsts = [index * longest for index in range(len(rows))]
        else:
            hidden = torch.cat([self._states([row])[0] for row in rows])
            firsts = list(accumulate((len(row) for row in rows[:-1]), initial=0))
        trees, first = [], 0
        for item in items:
            count = len(inputs_of(item))
            trees.append(_separate(item, firsts[first : first + count], start))
            first += count
        return self._answers(items, trees, hidden, [0] * len(items))

    def logits(self, row: Sequence[int], places: slice, start: int = 0, before: Any = None) -> torch.Tensor:
        """(places, vocabulary) logits, in float32 or wider, of one sequence behind the `start` tokens that the cache `before` holds."""
        hidden = self._states([row], start, before)[0, places]
        return self.projection.logits(hidden) if self.projection.exact else hidden.float()

    def _states(self, rows: Sequence[Sequence[int]], start: int = 0, before: Any = None) -> torch.Tensor:
        """(rows, tokens, width) hidden states of equally long rows; logits where the projection is not exact.

        Padding behind every real token needs no mask in a causal model.

        Args:
            before: a cache of the `start` tokens before every row.
        """
        forward = self.forward
        ids = torch.tensor(rows, device=forward.device)
        more: dict[str, Any] = {}
        if forward.length > ids.shape[1]:  # as in `Forward.trees`, and only for the check at start: a batch has rows of this length
            far = [*range(ids.shape[1]), forward.length - 1]
            more = {"position_ids": torch.tensor([far] * len(rows), device=forward.device)}
            ids = torch.cat([ids, ids[:, -1:]], 1)
        if before is not None:
            more = self.prefixes.told(before, start, *ids.shape)
        forward.rotary.forget()
        if not self.projection.exact:
            return self.model(**{"input_ids": ids, "use_cache": False, **more}).logits[:, : len(rows[0])]
        with self.projection.held_back() as seen:
            self.model(**{"input_ids": ids, "use_cache": False, **more})
        return seen[0][:, : len(rows[0])]

    def _whole(self, **told: Any) -> Any:
        """A forward pass that projects nothing, where that can be held back."""
        if not self.projection.exact:
            return self.model(**told)
        with self.projection.held_back():
            return self.model(**told)

    def _answers(self, items: Sequence[WorkItem], trees: Sequence[ItemTree], hidden: torch.Tensor, bases: Sequence[int]) -> list[Response]:
        """Sum the asked log-probabilities per pair; each asked position is projected once."""
        asks = [(base + ask.node, ask.target) for tree, base in zip(trees, bases, strict=True) for ask in tree.asks]
        logprobs, greedy = self.projection.read(hidden, asks)
        responses = []
        place = 0
        for item, tree in zip(items, trees, strict=True):
            sums = [0.0] * len(item.pairs)
            best = [True] * len(item.pairs)
            for ask in tree.asks:
                sums[ask.pair] += logprobs[place]
                best[ask.pair] &= greedy[place]
                place += 1
            responses.append(_response(item, sums, best))
        return responses


def _walk(header: Header, above: list[Header], items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[Work]:
    for pack in header.packs:
        batch = [items[index] for index in pack]
        if any(item.key not in done for item in batch):
            yield header, above, batch
    for child in header.children:
        yield from _walk(child, [*above, header], items, done)


def _separate(item: WorkItem, firsts: Sequence[int], start: int) -> ItemTree:
    """The item's asks when its distinct inputs are at `firsts`, each its own row without its first `start` tokens."""
    rows = dict(zip(inputs_of(item), firsts, strict=True))
    asks = tuple(
        Ask(rows[(context + target)[:-1]] + len(context) - 1 - start + place, token, pair)
        for pair, (context, target) in enumerate(item.pairs)
        for place, token in enumerate(target)
    )
    return ItemTree((), (), (), asks)


def _response(item: WorkItem, sums: Sequence[float], best: Sequence[bool]) -> Response:
    return Response(
        item.key,
        "ok",
        loglikelihoods=tuple(sums),
        greedy=tuple(best),
        context_tokens=max(len(context) for context, _ in item.pairs),
        output_tokens=sum(len(target) for _, target in item.pairs),
        truncated_tokens=item.truncated_tokens,
    )
