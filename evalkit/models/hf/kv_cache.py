"""Keys and values of texts being written, and the attention that reads them.

A batch holds rows that were admitted together. A step appends to every row its last token and the draft behind it; what the model
would not have written itself is overwritten by the next step. A finished row's place is taken by the last one. What the rows'
prompts share stays outside, in the header's state, stored and read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import torch

from evalkit.models.batching import Header
from evalkit.models.hf.attention import (
    Masked,
    Reach,
    Rule,
    attend,
    fold,
    header_mask,
    merge,
    rule_of,
    tempered,
    unfold,
    with_sinks,
    within,
)
from evalkit.models.hf.forward import State
from evalkit.models.hf.kernels import Attended, additive
from evalkit.models.hf.prompt_lookup import LONGEST
from evalkit.models.hf.sequence import GeneratedSequence

ROOM = 32  # columns allocated ahead
PADDED = 16  # tokens that one attention call may read in vain, which is about what another call costs


@dataclass
class Run:
    """Neighbouring rows of a batch that one attention call reads, each padded to the longest draft among them.

    Attributes:
        rows: first and last (excluded) row in the batch.
        tokens: the same of the step's tokens in the batch.
        counts, lengths: of each row, tokens in the step and columns filled before it.
        start: position of the first column.
    """

    rows: slice
    tokens: slice
    counts: list[int]
    lengths: list[int]
    start: int
    device: Any
    masks: dict[tuple[Reach, int], torch.Tensor | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.most, self.shortest = max(self.counts), min(self.lengths)
        self.end = max(length + count for length, count in zip(self.lengths, self.counts, strict=True))
        self.filled = sum(self.counts) == len(self.counts) * self.most  # nothing is padded
        lengths, counts = torch.tensor(self.lengths, device=self.device), torch.tensor(self.counts, device=self.device)
        steps = torch.minimum(torch.arange(self.most, device=self.device)[None], counts[:, None] - 1)
        self.gather = (counts.cumsum(0) - counts)[:, None] + steps  # (rows, most)
        self.columns = lengths[:, None] + steps
        self.row = torch.tensor([row for row, count in enumerate(self.counts) for _ in range(count)], device=self.device)
        self.step = torch.tensor([step for count in self.counts for step in range(count)], device=self.device)

    def in_rows(self, states: torch.Tensor) -> torch.Tensor:
        """(heads, tokens, width) of the batch's step to (rows, heads, most, width)."""
        mine = states[:, self.tokens]
        return (mine.unflatten(1, (-1, self.most)) if self.filled else mine[:, self.gather]).transpose(0, 1)

    def in_line(self, states: torch.Tensor) -> torch.Tensor:
        """The inverse: (rows, heads, most, …) to (tokens, heads, …)."""
        return states.transpose(1, 2).flatten(0, 1) if self.filled else states[self.row, :, self.step]

    def span(self, reach: Reach) -> slice:
        """Columns that some token looks at."""
        first = max(0, self.shortest + 1 - reach.window)
        if reach.chunk:
            first = max(first, (self.start + self.shortest) // reach.chunk * reach.chunk - self.start)
        return slice(first, self.end)

    def mask(self, reach: Reach, groups: int, like: torch.Tensor) -> torch.Tensor | None:
        """(rows, 1, groups × most, columns) additive mask; None when all see all."""
        if (reach, groups) not in self.masks:
            even = self.most == 1 and self.shortest == max(self.lengths)
            self.masks[reach, groups] = None if even else self._mask(reach, groups, like)
        return self.masks[reach, groups]

    def _mask(self, reach: Reach, groups: int, like: torch.Tensor) -> torch.Tensor:
        span = self.span(reach)
        keys = torch.arange(span.start, span.stop, device=like.device)
        distance = self.columns[:, :, None] - keys
        outside = (distance < 0) | (distance >= reach.window)
        if reach.chunk:
            outside |= ((self.start + self.columns) // reach.chunk)[:, :, None] != (self.start + keys) // reach.chunk
        return additive(~outside.repeat(1, groups, 1), like.dtype)[:, None]


def runs_of(counts: Sequence[int]) -> list[tuple[int, int]]:
    """First and last (excluded) rows of runs that are padded by `PADDED` tokens at most."""
    found: list[tuple[int, int]] = []
    start, most, tokens = 0, 0, 0
    for row, count in enumerate(counts):
        longest = max(most, count)
        if longest * (row + 1 - start) - tokens - count > PADDED:
            found.append((start, row))
            start, longest, tokens = row, count, 0
        most, tokens = longest, tokens + count
    return [*found, (start, len(counts))]


class CachedBatch:
    """Rows with a common header over columns of keys and values, left-aligned.

    Args:
        rows: the texts; row i has read `lengths[i]` tokens behind the header.
        state: keys and values of a prefill pack, per attention call (1, kv heads, tokens, width).
        places: row i's tokens are `places[i] .. places[i] + lengths[i]` of the pack.
        header: the shared header's keys and values; empty without one.
        headers: the chain of headers it stands for.

    Attributes:
        lengths: columns of each row that hold tokens of its text.
        counts: tokens of each row in the coming step.
        runs: its rows as attention reads them.
    """

    def __init__(
        self,
        rows: Sequence[GeneratedSequence],
        lengths: Sequence[int],
        state: State,
        places: Sequence[int],
        header: State,
        headers: list[Header],
    ) -> None:
        self.rows, self.lengths = list(rows), list(lengths)
        self.counts: list[int] = []
        self.runs: list[Run] = []
        self.header, self.headers, self.start = header, headers, headers[-1].length
        columns = torch.arange(max(lengths))[None]
        index = torch.tensor(places)[:, None] + torch.minimum(columns, torch.tensor(lengths)[:, None] - 1)
        self.buffers = {layer: [_gathered(states[0], index, ROOM) for states in pair] for layer, pair in state.items()}

    @property
    def columns(self) -> int:
        """Columns a row has."""
        return int(next(iter(self.buffers.values()))[0].shape[2])

    @property
    def capacity(self) -> int:
        """Tokens whose keys and values are held."""
        return int(next(iter(self.buffers.values()))[0].shape[0]) * self.columns

    @property
    def needed(self) -> int:
        """Tokens held after the next step."""
        return self.capacity if self._fits() else len(self.rows) * (max(self.lengths) + ROOM)

    def open(self, counts: Sequence[int], device: Any) -> None:
        """Make room for a step that reads `counts[i]` tokens of row i, and say where they go; rows that nobody uses are dropped."""
        if not self._fits():
            used, count = max(self.lengths), len(self.rows)
            for pair in self.buffers.values():
                for place, old in enumerate(pair):
                    # Zeros, for a column that is masked takes part with weight 0, which no infinity survives.
                    pair[place] = old.new_zeros((count, old.shape[1], used + ROOM, old.shape[3]))
                    pair[place][:, :, :used] = old[:count, :, :used]
        self.counts, self.runs, at = list(counts), [], 0
        for first, last in runs_of(counts):
            size = sum(counts[first:last])
            lengths = self.lengths[first:last]
            self.runs.append(Run(slice(first, last), slice(at, at + size), list(counts[first:last]), lengths, self.start, device))
            at += size
        self._row = torch.tensor([row for row, count in enumerate(counts) for _ in range(count)], device=device)
        self._column = torch.tensor(self.depths, device=device)
        self._elsewhere: dict[Any, tuple[list[Run], torch.Tensor, torch.Tensor]] = {}
        self._even = max(counts) == 1 and min(self.lengths) == max(self.lengths)

    def on(self, device: Any) -> tuple[list[Run], torch.Tensor, torch.Tensor]:
        """The step's runs, and row and column of each of its tokens, on the device of some layer."""
        if device == self._row.device:
            return self.runs, self._row, self._column
        if device not in self._elsewhere:
            runs = [Run(run.rows, run.tokens, run.counts, run.lengths, self.start, device) for run in self.runs]
            self._elsewhere[device] = (runs, self._row.to(device), self._column.to(device))
        return self._elsewhere[device]

    @property
    def depths(self) -> list[int]:
        """Distance below the header of every token of the step."""
        return [length + step for length, count in zip(self.lengths, self.counts, strict=True) for step in range(count)]

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Write the step's keys and values: (kv heads, tokens, width) each."""
        _, row, column = self.on(key.device)
        for buffer, states in zip(self.buffers[layer], (key, value), strict=True):
            if self._even:
                buffer[: len(self.rows), :, self.lengths[0]] = states.transpose(0, 1)
            else:
                buffer[row, :, column] = states.transpose(0, 1)

    def view(self, layer: int, run: Run, reach: Reach) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values that some token of the run may look at: (rows, kv heads, columns, width) each."""
        key, value = self.buffers[layer]
        span = run.span(reach)
        return key[run.rows, :, span], value[run.rows, :, span]

    def remove(self, index: int) -> None:
        """Take a row out; the last one moves into its place."""
        last = len(self.rows) - 1
        if index != last:
            used = self.lengths[last]
            for pair in self.buffers.values():
                for buffer in pair:
                    buffer[index, :, :used] = buffer[last, :, :used]
        self.rows[index], self.lengths[index] = self.rows[last], self.lengths[last]
        self.rows.pop()
        self.lengths.pop()

    def _fits(self) -> bool:
        return max(self.lengths) + 1 + LONGEST <= self.columns


def _gathered(states: torch.Tensor, index: torch.Tensor, room: int) -> torch.Tensor:
    rows, columns = index.shape
    buffer = states.new_zeros((rows, states.shape[0], columns + room, states.shape[2]))
    buffer[:, :, :columns] = states[:, index.to(states.device)].transpose(0, 1)
    return buffer


class BatchAttention:
    """The attention function of a step: each row's tokens, row after row and batch after batch in one row of tokens."""

    def use(self, batches: Sequence[CachedBatch]) -> None:
        """Describe the next forward pass; batches are open, and those under one header come one after another."""
        self.batches = batches
        self.calls = 0
        self._header_masks: dict[tuple[Any, int, Reach, int], Masked | None] = {}

    def __call__(
        self, module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: Any = None, **settings: Any
    ) -> tuple[torch.Tensor, None]:
        call, self.calls = self.calls, self.calls + 1
        rule = rule_of(module, query, attention_mask, settings)
        groups = query.shape[1] // key.shape[1]
        query = tempered(module, query, lambda: self._positions(query.device))
        out, lse = with_sinks(self._local(call, query, key, value, rule, groups), rule)
        at = 0
        merged = []
        for header, run in groupby(self.batches, key=lambda batch: id(batch.header)):
            batches = list(run)
            end = at + sum(sum(batch.counts) for batch in batches)
            part: Attended = out[:, :, at:end], lse[:, :, at:end]
            known = batches[0].header.get(call)
            if known is not None and (seen := within(known, rule.reach)) is not None:
                masked = self._mask(header, batches, rule.reach, query, groups)
                merged.append(merge(query[:, :, at:end], part, seen, masked, rule))
            else:
                merged.append(part[0])
            at = end
        return torch.cat(merged, 2).transpose(1, 2), None

    def _local(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, rule: Rule, groups: int) -> Attended:
        """Every token over its row's own columns: (1, heads, tokens, width) and its log-sum-exp."""
        outs, sums, at = [], [], 0
        for batch in self.batches:
            end = at + sum(batch.counts)
            batch.append(layer, key[0, :, at:end], value[0, :, at:end])
            for run in batch.on(query.device)[0]:
                keys, values = batch.view(layer, run, rule.reach)
                rows = run.in_rows(query[0, :, at:end])
                out, lse = attend(fold(rows, groups), keys, values, run.mask(rule.reach, groups, query), rule)
                outs.append(run.in_line(unfold(out, groups)))
                sums.append(run.in_line(unfold(lse[..., None], groups)[..., 0]))
            at = end
        return torch.cat(outs).transpose(0, 1)[None], torch.cat(sums).transpose(0, 1)[None]

    def _positions(self, device: Any) -> torch.Tensor:
        return torch.tensor([batch.start + depth for batch in self.batches for depth in batch.depths], device=device)

    def _mask(self, header: int, batches: Sequence[CachedBatch], reach: Reach, query: torch.Tensor, groups: int) -> Masked | None:
        if reach.everything:
            return None
        kind = (query.device, header, reach, groups)
        if kind not in self._header_masks:
            depths = torch.tensor([depth for batch in batches for depth in batch.depths], device=query.device)
            self._header_masks[kind] = header_mask(depths, batches[0].start, reach, query.dtype, groups)
        return self._header_masks[kind]
