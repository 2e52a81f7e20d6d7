"""Attention over a pack: the shared header once, each item's own tree next to it.

Installed through transformers' attention interface, so any architecture that dispatches through it
runs unchanged. A token attends to the header's keys (dense) and to its ancestors in its item's
tree (small mask); the two results are merged by their log-sum-exp (cascade attention).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from evalkit.models.batching import ItemTree
from evalkit.models.hf import kernels
from evalkit.models.hf.kernels import Attended

KeyValue = tuple[torch.Tensor, torch.Tensor]
Masked = tuple[torch.Tensor | None, torch.Tensor]  # additive mask, None where nothing more is hidden; tokens that see nothing at all
WIDE = 1 << 40  # a window that never cuts
# What a layer may hand to its attention function; anything else may mean something that is not computed here.
COMPUTED = frozenset({"scaling", "sliding_window", "softcap", "s_aux"})
WITHOUT_MEANING = frozenset({"dropout", "position_ids", "use_cache", "output_attentions", "output_router_logits", "is_causal"})


class Reach(NamedTuple):
    """How far back a token looks.

    Attributes:
        window: at keys that are less than this far away.
        chunk: at keys in its own run of so many positions, counted from the text's beginning; 0 without such.
    """

    window: int = WIDE
    chunk: int = 0

    @property
    def everything(self) -> bool:
        """Whether nothing is too far."""
        return self.window >= WIDE and not self.chunk


EVERYTHING = Reach()


@dataclass(frozen=True, slots=True)
class Rule:
    """How one layer turns queries and keys into scores.

    Attributes:
        sinks: (heads,) score of a key that every token sees and whose value is nothing; None without.
    """

    scale: float
    reach: Reach = EVERYTHING
    softcap: float | None = None
    sinks: torch.Tensor | None = None


@dataclass
class Block:
    """Trees of one pack laid out for attention: items in rows, padded to the longest tree.

    Attributes:
        gather: (items, longest) index into the pack's tokens; padding points at token 0.
        scatter: (tokens,) index into the flattened (items, longest) grid.
        ancestors: (items, longest, longest) True where a token may look.
        depths: (items, longest) depth of each token below the header.
    """

    gather: torch.Tensor
    scatter: torch.Tensor
    ancestors: torch.Tensor
    depths: torch.Tensor
    masks: dict[tuple[Reach, int, int], torch.Tensor] = field(default_factory=dict)
    elsewhere: dict[Any, Block] = field(default_factory=dict)

    def on(self, device: Any) -> Block:
        """The same on another device, where a model is spread over several."""
        if device == self.gather.device:
            return self
        if device not in self.elsewhere:
            moved = (states.to(device) for states in (self.gather, self.scatter, self.ancestors, self.depths))
            self.elsewhere[device] = Block(*moved)
        return self.elsewhere[device]

    def mask(self, reach: Reach, start: int, dtype: torch.dtype, heads: int) -> torch.Tensor:
        """(items, 1, heads × longest, longest) additive mask, for `heads` query heads folded into rows, behind `start` tokens."""
        key = reach, start if reach.chunk else 0, heads  # layers of one model may group their heads in different ways
        if key not in self.masks:
            near = self.depths[:, :, None] - self.depths[:, None, :] < reach.window
            if reach.chunk:
                chunks = (self.depths + start) // reach.chunk
                near &= chunks[:, :, None] == chunks[:, None, :]
            allowed = (self.ancestors & near).repeat(1, heads, 1)[:, None]
            self.masks[key] = kernels.additive(allowed, dtype)
        return self.masks[key]


def lay_out(trees: Sequence[ItemTree], device: Any) -> Block:
    """The attention layout of a pack whose tokens are the trees' tokens one after another."""
    longest = max(len(tree.ids) for tree in trees)
    gather = torch.zeros((len(trees), longest), dtype=torch.long)
    depths = torch.zeros((len(trees), longest), dtype=torch.long)
    ancestors = torch.eye(longest, dtype=torch.bool).repeat(len(trees), 1, 1)  # padding looks at itself: no empty row
    scatter: list[int] = []
    offset = 0
    for row, tree in enumerate(trees):
        size = len(tree.ids)
        gather[row, :size] = torch.arange(offset, offset + size)
        depths[row, :size] = torch.tensor(tree.depths)
        scatter.extend(range(row * longest, row * longest + size))
        _mark(ancestors[row], tree)
        offset += size
    return Block(gather.to(device), torch.tensor(scatter, device=device), ancestors.to(device), depths.to(device))


def _mark(matrix: torch.Tensor, tree: ItemTree) -> None:
    """Fill one item's ancestor matrix; unbranched stretches are causal triangles, copied whole."""
    size = len(tree.ids)
    start = 0
    while start < size:
        end = start + 1
        while end < size and tree.parents[end] == end - 1:
            end += 1
        if (parent := tree.parents[start]) >= 0:
            matrix[start:end, :start] |= matrix[parent, :start]
        matrix[start:end, start:end] |= torch.ones(end - start, end - start, dtype=torch.bool).tril_()
        start = end


def chain(ids: Sequence[int]) -> ItemTree:
    """A tree without branches: a header being read."""
    size = len(ids)
    return ItemTree(tuple(ids), tuple(range(-1, size - 1)), tuple(range(size)), ())


class TreeAttention:
    """The attention function a model calls in every layer; `block` says what the pack looks like.

    Attributes:
        header: per attention call of a pass, in their order, the header's (keys, values), each (1, kv heads, tokens, width); a model
            that goes through its layers several times calls each several times.
        capture: likewise, keys and values of the pack itself; None when they are not wanted.
        calls: forward calls seen since `use`; 0 after a forward means the model bypasses the interface.
    """

    def __init__(self) -> None:
        self.block: Block | None = None
        self.header: dict[int, KeyValue] = {}
        self.header_length = 0
        self.capture: dict[int, KeyValue] | None = None
        self.calls = 0
        self.reaches: set[Reach] = set()  # that layers asked for, since the beginning
        self._header_masks: dict[tuple[Any, Reach, int], Masked | None] = {}

    def use(self, block: Block, header: dict[int, KeyValue], header_length: int, capture: dict[int, KeyValue] | None) -> None:
        """Describe the next forward pass."""
        self.block, self.header, self.header_length, self.capture = block, header, header_length, capture
        self.calls = 0
        self._header_masks = {}

    def __call__(
        self,
        module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        **settings: Any,
    ) -> tuple[torch.Tensor, None]:
        assert self.block is not None, "use() comes before a forward pass"
        block = self.block.on(query.device)
        call, self.calls = self.calls, self.calls + 1
        if self.capture is not None:
            self.capture[call] = (key, value)
        rule = rule_of(module, query, attention_mask, settings)
        self.reaches.add(rule.reach)
        query = tempered(module, query, lambda: self.header_length + block.depths.flatten()[block.scatter])
        out, lse = with_sinks(self._local(block, query, key, value, rule), rule)
        if call in self.header and (seen := within(self.header[call], rule.reach)) is not None:
            groups = query.shape[1] // key.shape[1]
            out = merge(query, (out, lse), seen, self._header_mask(block, rule.reach, query.dtype, groups), rule)
        return out.transpose(1, 2), None

    def _local(self, block: Block, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rule: Rule) -> Attended:
        """Attention of every token to its ancestors: (1, heads, tokens, width) and its log-sum-exp."""
        groups = query.shape[1] // key.shape[1]
        items, longest = block.gather.shape
        reach = rule.reach if rule.reach.window < longest else rule.reach._replace(window=WIDE)
        mask = block.mask(reach, self.header_length, query.dtype, groups)
        rows = [states[0][:, block.gather].transpose(0, 1) for states in (query, key, value)]
        out, lse = attend(fold(rows[0], groups), rows[1], rows[2], mask, rule)
        out = unfold(out, groups).transpose(0, 1).reshape(query.shape[1], items * longest, -1)[:, block.scatter]
        lse = unfold(lse[..., None], groups).transpose(0, 1).reshape(query.shape[1], items * longest)[:, block.scatter]
        return out[None], lse[None]

    def _header_mask(self, block: Block, reach: Reach, dtype: torch.dtype, groups: int) -> Masked | None:
        if reach.everything:
            return None
        key = (block.gather.device, reach, groups)
        if key not in self._header_masks:
            depths = block.depths.flatten()[block.scatter]
            self._header_masks[key] = header_mask(depths, self.header_length, reach, dtype, groups)
        return self._header_masks[key]


def rule_of(module: Any, query: torch.Tensor, mask: torch.Tensor | None, settings: Mapping[str, Any]) -> Rule:
    """What a layer asks of its attention function, from the arguments it calls it with.

    Raises:
        RuntimeError: the layer wants something that is not computed here.
    """
    if mask is not None:
        raise RuntimeError("its layers mask keys in a way of their own")
    if unknown := sorted(name for name, value in settings.items() if value is not None and name not in COMPUTED | WITHOUT_MEANING):
        raise RuntimeError(f"its layers ask attention for {', '.join(unknown)}, which ours does not know")
    scale = settings.get("scaling")
    return Rule(
        1.0 / math.sqrt(query.shape[-1]) if scale is None else scale,
        Reach(settings.get("sliding_window") or WIDE, _chunk(module)),
        settings.get("softcap"),
        settings.get("s_aux"),
    )


def _chunk(module: Any) -> int:
    """The chunk of a layer whose kind is `chunked_attention`: of the configuration, since no layer hands it over."""
    config = getattr(module, "config", None)
    kinds, layer = getattr(config, "layer_types", None), getattr(module, "layer_idx", None)
    chunked = kinds and layer is not None and layer < len(kinds) and kinds[layer] == "chunked_attention"
    return int(getattr(config, "attention_chunk_size", None) or 0) if chunked else 0


def tempered(module: Any, query: torch.Tensor, positions: Callable[[], torch.Tensor]) -> torch.Tensor:
    """(1, heads, tokens, width) queries of a layer whose temperature grows with the position (Llama 4 where it has no rotary embedding).

    Such a layer takes a token's place in the pass for its position; in a pack it is another one.
    """
    if not getattr(module, "attn_temperature_tuning", False) or getattr(module, "use_rope", False):
        return query

    def temperature(places: torch.Tensor) -> torch.Tensor:
        return torch.log1p(torch.floor((places.float() + 1.0) / module.floor_scale)) * module.attn_scale + 1.0

    places = torch.arange(query.shape[2], device=query.device)
    return (query * (temperature(positions()) / temperature(places))[:, None]).to(query.dtype)


def with_sinks(local: Attended, rule: Rule) -> Attended:
    """The local part, (1, heads, tokens, …), with a layer's sinks: they add to its normaliser and nothing to its result."""
    if rule.sinks is None:
        return local
    out, lse = local
    sinks = rule.sinks.to(lse.device, lse.dtype)[None, :, None]
    return out * torch.sigmoid(lse - sinks)[..., None].to(out.dtype), torch.logaddexp(lse, sinks)


def within(header: KeyValue, reach: Reach) -> KeyValue | None:
    """The tokens of a header that a token right behind it looks at; None when there is none.

    What lies further back is read by no token, so that a window costs the same behind a header of any length.
    """
    length = header[0].shape[2]
    seen = _seen(length, reach)
    if seen == length:
        return header
    return (header[0][:, :, -seen:], header[1][:, :, -seen:]) if seen > 0 else None


def _seen(length: int, reach: Reach) -> int:
    """How many of a header's last tokens are within reach of a token right behind it."""
    seen = min(length, reach.window - 1)
    return min(seen, length % reach.chunk) if reach.chunk else seen


def header_mask(depths: torch.Tensor, header_length: int, reach: Reach, dtype: torch.dtype, groups: int) -> Masked | None:
    """Mask of a header under a window or chunks, and which tokens see nothing of it; None when all see all.

    Args:
        depths: (tokens,) distance of each token below the header.
        header_length: the mask is of as many of its last tokens as are within reach (`within`).
    """
    seen = _seen(header_length, reach)
    # Of the chunk that a header ends in, a token sees all or, in a later chunk, nothing.
    blind = torch.zeros_like(depths, dtype=torch.bool)
    if reach.chunk:
        blind = (depths + header_length) // reach.chunk != (header_length - 1) // reach.chunk
    if int(depths.max()) + seen < reach.window:
        return (None, blind) if bool(blind.any()) else None
    distance = (depths + seen)[:, None] - torch.arange(seen, device=depths.device)[None, :]
    allowed = distance < reach.window
    blind = blind | ~allowed.any(1)
    allowed = (allowed | blind[:, None]).repeat(groups, 1)  # a row without any key has no softmax; its result is dropped
    return kernels.additive(allowed, dtype)[None, None], blind


def merge(query: torch.Tensor, local: Attended, header: KeyValue, masked: Masked | None, rule: Rule) -> torch.Tensor:
    """Add a header's part to the local result, weighting the two by their normalisers; all (1, heads, tokens, …)."""
    (out, lse), (key, value) = local, header
    groups = query.shape[1] // key.shape[1]
    mask, blind = masked if masked is not None else (None, None)
    far, far_lse = attend(fold(query, groups), key, value, mask, rule)
    far, far_lse = unfold(far, groups), unfold(far_lse[..., None], groups)[..., 0]
    share = torch.sigmoid(far_lse - lse)[..., None].to(out.dtype)
    merged = torch.lerp(out, far, share)
    return merged if blind is None else torch.where(blind[None, None, :, None], out, merged)


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, rule: Rule) -> Attended:
    """Attention and the log-sum-exp of its scores, as a layer's rule has it; query and key have equal head counts."""
    return kernels.attend(query, key, value, mask, rule.scale, rule.softcap)


def fold(query: torch.Tensor, groups: int) -> torch.Tensor:
    """(b, heads, t, d) to (b, kv heads, groups × t, d): grouped heads become rows, keys stay as they are."""
    b, heads, t, d = query.shape
    return query.reshape(b, heads // groups, groups * t, d)


def unfold(out: torch.Tensor, groups: int) -> torch.Tensor:
    """The inverse of `fold`."""
    b, kv, rows, d = out.shape
    return out.reshape(b, kv * groups, rows // groups, d)
