"""One row of tokens with true positions through a model whose attention is ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from evalkit.models.batching import Header, ItemTree
from evalkit.models.hf.attention import KeyValue, TreeAttention, chain, lay_out
from evalkit.models.hf.lm_head import Projection
from evalkit.models.hf.rotary import Rotary, reaching
from evalkit.models.placement import home_of

State = dict[int, KeyValue]  # a header's keys and values, by attention call of a pass


class Forward:
    """Runs packs; hidden states come back, and only positions somebody asks for go on to the vocabulary.

    Attributes:
        length: what is read belongs to texts at least this long, as far as rotary embeddings go; 0 for any (`Rotary.class_of`).
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.projection = Projection(model)
        self.attention = TreeAttention()
        self.rotary = Rotary(model)
        self.length = 0
        self.device = home_of(model)

    def hidden(self, attention: Any, ids: Sequence[int], positions: Sequence[int]) -> torch.Tensor:
        """(tokens, width) hidden states before the vocabulary projection."""
        device = self.device
        self.rotary.forget()
        with _installed(self.model, attention), self.projection.held_back() as seen:
            self.model(input_ids=torch.tensor([ids], device=device), position_ids=torch.tensor([positions], device=device), use_cache=False)
        return seen[0][0]

    def trees(self, trees: Sequence[ItemTree], start: int, state: State, capture: State | None) -> torch.Tensor:
        """Hidden states of the trees' tokens, in order, behind a header of `start` tokens."""
        far = reaching(trees, start, self.length)
        trees = trees if far is None else far
        self.attention.use(lay_out(trees, self.device), state, start, capture)
        ids = [token for tree in trees for token in tree.ids]
        hidden = self.hidden(self.attention, ids, [start + depth for tree in trees for depth in tree.depths])
        if far is None:
            return hidden
        for layer, (key, value) in (capture or {}).items():
            capture[layer] = key[:, :, :-1], value[:, :, :-1]  # type: ignore[index]
        return hidden[:-1]

    def chains(self, rows: Sequence[Sequence[int]], start: int, state: State, capture: State) -> torch.Tensor:
        """Hidden states of unbranched sequences behind a header."""
        return self.trees([chain(ids) for ids in rows], start, state, capture)

    def read(self, header: Header, before: State, budget: int) -> State:
        """Keys and values of a header behind its parent's, in causal chunks of the budget.

        The room for all of them is made once: joining each chunk to those before would copy a long text again and again, and
        hold it twice.
        """
        state, room = before, State()
        for start in range(0, len(header.ids), budget):
            tree = chain(header.ids[start : start + budget])
            fresh: State = {}
            at = header.start + start
            self.trees([tree], at, state, fresh)
            if len(tree.ids) == header.length:  # all there is
                return fresh
            end = at + len(tree.ids)
            for layer, pair in fresh.items():
                room[layer] = room.get(layer) or _roomy(pair, header.length, before.get(layer))
                for whole, part in zip(room[layer], pair, strict=True):
                    whole[:, :, at:end] = part
            state = {layer: (key[:, :, :end], value[:, :, :end]) for layer, (key, value) in room.items()}
        return state

    def read_chain(self, chain_of: Sequence[Header], kept: dict[int, State], budget: int) -> State:
        """The state of the last header of a chain; `kept` holds what was read before, by identity."""
        state: State = {}
        for part in chain_of:
            if part.ids:
                if id(part) not in kept:
                    kept[id(part)] = self.read(part, state, budget)
                state = kept[id(part)]
        return state


def _roomy(pair: KeyValue, length: int, before: KeyValue | None) -> KeyValue:
    """Room for the keys and values of `length` tokens, like `pair`'s; the first are those of `before`."""
    made = []
    for place, states in enumerate(pair):
        room = states.new_empty((*states.shape[:2], length, states.shape[3]))
        if before is not None:
            room[:, :, : before[place].shape[2]] = before[place]
        made.append(room)
    return made[0], made[1]


class _installed:
    """The model with our attention instead of its own, for the length of a `with` block."""

    def __init__(self, model: Any, attention: Any) -> None:
        self.model, self.attention = model, attention

    def __enter__(self) -> None:
        from transformers import AttentionInterface

        name = f"evalkit_{id(self.attention)}"
        AttentionInterface.register(name, self.attention)
        self.before = self.model.config._attn_implementation
        self.model.config._attn_implementation = name
        text = self.model.config.get_text_config()
        self.text_before = text._attn_implementation
        text._attn_implementation = name

    def __exit__(self, *_: object) -> None:
        self.model.config.get_text_config()._attn_implementation = self.text_before
        self.model.config._attn_implementation = self.before
