"""Keys and values of texts being written, and the attention that reads them.

A lane holds rows that were admitted together. Their keys and values end in the same column, so a
step appends one column, a sliding window is a slice, and a finished row's place is taken by the
last one. What the rows' prompts share stays outside, in the header's state, stored and read once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch

from evalkit.models.hf.attention import WIDE, Attended, Masked, Rule, attend, fold, header_mask, merge, rule_of, unfold
from evalkit.models.hf.forward import State
from evalkit.models.hf.rows import Row
from evalkit.models.planning import Header

ROOM = 32  # columns allocated ahead


class Lane:
    """Rows with a common header, right-aligned over columns of keys and values.

    Args:
        rows: the texts; row i has read `lengths[i]` tokens behind the header.
        state: keys and values of a prefill pack, per layer (1, kv heads, tokens, width).
        places: row i's tokens are `places[i] .. places[i] + lengths[i]` of the pack.
        header: the shared header's keys and values; empty without one.
        headers: the chain of headers it stands for.
    """

    def __init__(
        self, rows: Sequence[Row], lengths: Sequence[int], state: State, places: Sequence[int], header: State, headers: list[Header]
    ) -> None:
        self.rows = list(rows)
        self.header, self.headers, self.start = header, headers, headers[-1].length
        self.used = max(lengths)
        self.starts = [self.used - length for length in lengths]
        columns = torch.arange(self.used)
        index = torch.tensor(places)[:, None] + (columns[None] - torch.tensor(self.starts)[:, None]).clamp(min=0)
        self.buffers = {layer: [_gathered(states[0], index, ROOM) for states in pair] for layer, pair in state.items()}
        self._masks: dict[int, torch.Tensor | None] = {}

    @property
    def capacity(self) -> int:
        rows, _, columns, _ = next(iter(self.buffers.values()))[0].shape
        return rows * columns

    @property
    def needed(self) -> int:
        """Tokens held after the next step."""
        buffer = next(iter(self.buffers.values()))[0]
        return self.capacity if self.used < buffer.shape[2] else len(self.rows) * (self.used - min(self.starts) + ROOM)

    def open_column(self) -> None:
        """Make room for a token a row; leading columns and rows that nobody uses are dropped on the way."""
        if self.used == next(iter(self.buffers.values()))[0].shape[2]:
            lead, count = min(self.starts), len(self.rows)
            for pair in self.buffers.values():
                for place, old in enumerate(pair):
                    pair[place] = old.new_empty((count, old.shape[1], self.used - lead + ROOM, old.shape[3]))
                    pair[place][:, :, : self.used - lead] = old[:count, :, lead : self.used]
            self.used -= lead
            self.starts = [start - lead for start in self.starts]
        self.used += 1
        self._masks = {}

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Write the open column: (rows, kv heads, width) each."""
        for buffer, states in zip(self.buffers[layer], (key, value), strict=True):
            buffer[: len(self.rows), :, self.used - 1] = states

    def view(self, layer: int, window: int) -> tuple[torch.Tensor, torch.Tensor]:
        first = self._first(window)
        key, value = self.buffers[layer]
        return key[: len(self.rows), :, first : self.used], value[: len(self.rows), :, first : self.used]

    def mask(self, window: int, groups: int, like: torch.Tensor) -> torch.Tensor | None:
        """(rows, 1, groups, columns) additive mask of the columns before a row's first token; None when there are none."""
        first = self._first(window)
        if first not in self._masks:
            starts = torch.tensor(self.starts, device=like.device) - first
            outside = torch.arange(self.used - first, device=like.device)[None] < starts[:, None]
            mask = torch.zeros(outside.shape, dtype=like.dtype, device=like.device).masked_fill_(outside, -math.inf)
            self._masks[first] = mask[:, None, None].expand(-1, 1, groups, -1).contiguous() if max(self.starts) > first else None
        return self._masks[first]

    def remove(self, index: int) -> None:
        """Take a row out; the last one moves into its place."""
        last = len(self.rows) - 1
        if index != last:
            for pair in self.buffers.values():
                for buffer in pair:
                    buffer[index, :, : self.used] = buffer[last, :, : self.used]
        self.rows[index], self.starts[index] = self.rows[last], self.starts[last]
        self.rows.pop()
        self.starts.pop()

    def _first(self, window: int) -> int:
        return max(min(self.starts), self.used - window)


def _gathered(states: torch.Tensor, index: torch.Tensor, room: int) -> torch.Tensor:
    rows, columns = index.shape
    buffer = states.new_empty((rows, states.shape[0], columns + room, states.shape[2]))
    buffer[:, :, :columns] = states[:, index.to(states.device)].transpose(0, 1)
    return buffer


class LaneAttention:
    """The attention function of a decoding step: one token a row, lane after lane in one row of tokens."""

    def use(self, lanes: Sequence[Lane]) -> None:
        """Describe the next forward pass; lanes under one header come one after another."""
        self.lanes = lanes
        for lane in lanes:
            lane.open_column()
        self._header_masks: dict[tuple[int, int, int], Masked | None] = {}

    def __call__(
        self, module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: Any = None, **settings: Any
    ) -> tuple[torch.Tensor, None]:
        rule = rule_of(query, settings)
        groups = query.shape[1] // key.shape[1]
        out, lse = self._local(module.layer_idx, query, key, value, rule, groups)
        at = 0
        merged = []
        for header, run in groupby(self.lanes, key=lambda lane: id(lane.header)):
            lanes = list(run)
            end = at + sum(len(lane.rows) for lane in lanes)
            part: Attended = out[:, :, at:end], lse[:, :, at:end]
            if module.layer_idx in lanes[0].header:
                masked = self._mask(header, lanes, rule.window, query, groups)
                merged.append(merge(query[:, :, at:end], part, lanes[0].header[module.layer_idx], masked, rule))
            else:
                merged.append(part[0])
            at = end
        return torch.cat(merged, 2).transpose(1, 2), None

    def _local(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rule: Rule, groups: int) -> Attended:
        """Every row over its own columns: (1, heads, rows, width) and its log-sum-exp."""
        outs, sums, at = [], [], 0
        for lane in self.lanes:
            end = at + len(lane.rows)
            lane.append(layer, key[0, :, at:end].transpose(0, 1), value[0, :, at:end].transpose(0, 1))
            keys, values = lane.view(layer, rule.window)
            rows = query[0, :, at:end].transpose(0, 1)[:, :, None]
            out, lse = attend(fold(rows, groups), keys, values, lane.mask(rule.window, groups, query), rule)
            outs.append(unfold(out, groups)[:, :, 0])
            sums.append(unfold(lse[..., None], groups)[:, :, 0, 0])
            at = end
        return torch.cat(outs).transpose(0, 1)[None], torch.cat(sums).transpose(0, 1)[None]

    def _mask(self, header: int, lanes: Sequence[Lane], window: int, query: torch.Tensor, groups: int) -> Masked | None:
        if window >= WIDE:
            return None
        if (header, window, groups) not in self._header_masks:
            depths = torch.tensor([lane.used - 1 - start for lane in lanes for start in lane.starts], device=query.device)
            self._header_masks[header, window, groups] = header_mask(depths, lanes[0].start, window, query.dtype, groups)
        return self._header_masks[header, window, groups]
