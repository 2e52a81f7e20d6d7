"""Log-likelihoods by the plan: long shared prefixes once, logits only where they are asked for.

Two paths give the same numbers. The tree path runs packs through `TreeAttention`; the plain path
runs right-padded batches through the model as it is. At start the tree path is checked against the
plain one on a few sequences; a model it does not fit (recurrent layers, biased attention, its own
attention code) takes the plain path, and the manifest says which one ran.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch

from evalkit.models.base import WorkItem
from evalkit.models.batching import Ask, Header, ItemTree, inputs_of, item_tree, padded_packs, plan
from evalkit.models.hf.forward import Forward, State
from evalkit.types import Response

log = logging.getLogger("evalkit")
Work = tuple[Header, list[Header], list[WorkItem]]  # a header, its ancestors, items computed together under it
TOLERANCE = 2e-4  # relative difference of the paths' log-likelihoods that the start-up check accepts, in float32


class Scorer:
    """Scores log-likelihood items with one model.

    Args:
        model: a causal language model in evaluation mode.
        pad: any valid token id.
        budget: tokens a forward pass may read.
    """

    def __init__(self, model: Any, pad: int, budget: int) -> None:
        self.model = model
        self.pad = pad
        self.budget = budget
        self.forward = Forward(model)
        self.projection = self.forward.projection
        self.why = "its attention does not go through ours (its own code, recurrent layers)"
        self.path = "tree" if self._tree_works() else "plain"

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
        if self.path == "plain":
            return Header((), 0, packs=padded_packs(items, self.budget))
        return plan(items, self.budget)

    def score(self, header: Header, above: Sequence[Header], items: Sequence[WorkItem], kept: dict[int, State]) -> list[Response]:
        """Log-likelihoods of a pack under its header; `kept` carries headers' keys and values from pack to pack."""
        classes = self.forward.rotary.classes_of(items[0])
        if len(classes) > 1:
            return [self._by_length(item) for item in items]
        (self.forward.length,) = classes
        with torch.inference_mode():
            if self.path == "plain":
                return self._plain(items)
            chain_of = [*above, header]
            for stale in [key for key in kept if key not in {id(h) for h in chain_of}]:
                del kept[stale]  # its last user is done
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

    def _plain(self, items: Sequence[WorkItem]) -> list[Response]:
        """One right-padded batch: padding behind every real token needs no mask in a causal model."""
        rows = [ids for item in items for ids in inputs_of(item)]
        longest = max(map(len, rows))
        ids = torch.full((len(rows), longest), self.pad, dtype=torch.long)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
        ids = ids.to(self.forward.device)
        self.forward.rotary.forget()
        if self.projection.exact:
            with self.projection.held_back() as seen:
                self.model(input_ids=ids, use_cache=False)
            hidden = seen[0]
        else:
            hidden = self.model(input_ids=ids, use_cache=False).logits
        trees, bases, first = [], [], 0
        for item in items:
            trees.append(_separate(item, longest))
            bases.append(first * longest)
            first += len(inputs_of(item))
        return self._answers(items, trees, hidden.flatten(0, 1), bases)

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

    def _tree_works(self) -> bool:
        """Compare both paths on branching sequences under a header; False sends the model down the plain path."""
        config = self.model.config.get_text_config()
        if not self.projection.exact or not _dispatches(self.model):
            return False
        probe, header = _probe(config.vocab_size, getattr(config, "sliding_window", None))
        try:
            with torch.inference_mode():
                expected = self._plain([probe])[0].loglikelihoods or ()
                state = self.forward.read(header, {}, self.budget)
                if not self.forward.attention.calls:
                    return False
                got = self._tree([probe], header.length, state)[0].loglikelihoods or ()
        except (RuntimeError, TypeError, AttributeError, IndexError, ValueError) as error:
            log.debug("tree attention does not fit this model: %s", error)
            return False
        tolerance = TOLERANCE if self.model.dtype in (torch.float32, torch.float64) else 0.05
        worst = max(abs(a - b) / max(1.0, abs(a)) for a, b in zip(expected, got, strict=True))
        self.why = f"what it shares changes its numbers (by {worst:.1g}, relative)"
        return worst <= tolerance


def _dispatches(model: Any) -> bool:
    """Whether the architecture says that its attention goes through the interface, and is not recurrent."""
    interface = getattr(model, "_supports_attention_backend", False) or getattr(model, "_supports_sdpa", False)
    return bool(interface) and not getattr(model, "_is_stateful", False)


def _walk(header: Header, above: list[Header], items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[Work]:
    for pack in header.packs:
        batch = [items[index] for index in pack]
        if any(item.key not in done for item in batch):
            yield header, above, batch
    for child in header.children:
        yield from _walk(child, [*above, header], items, done)


def _separate(item: WorkItem, longest: int) -> ItemTree:
    """The item's asks when every distinct input is a padded row of its own."""
    rows = {ids: row for row, ids in enumerate(inputs_of(item))}
    asks = tuple(
        Ask(rows[(context + target)[:-1]] * longest + len(context) - 1 + place, token, pair)
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


def _probe(vocabulary: int, window: int | None) -> tuple[WorkItem, Header]:
    """An item of three pairs that branch twice, and the header before them; long enough to feel a window."""
    size = min((window or 0) + 24, 2048) if window else 24
    head = tuple((7 * i + 3) % vocabulary for i in range(size))
    stem = (*head, *((11 * i + 5) % vocabulary for i in range(9)))
    ends = tuple(tuple((13 * i + 17 * pair + 1) % vocabulary for i in range(4 + pair)) for pair in range(3))
    pairs = ((stem, ends[0]), (stem, (*ends[0][:2], *ends[1])), ((*stem, *ends[2][:3]), ends[2]))
    return WorkItem("probe", "probe", "probe", 0, "loglikelihood", pairs=pairs), Header(head, 0)
