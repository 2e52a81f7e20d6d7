"""Keys and values that grow in place: a step appends a token without copying what is there."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

SPARE = 128  # tokens allocated ahead


class GrowingLayer(DynamicLayer):
    """A dynamic layer over a buffer with room to spare; `keys` and `values` are views of its used part."""

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.used = 0
        self.buffers = [_room(key_states, key_states.shape[2] + SPARE), _room(value_states, value_states.shape[2] + SPARE)]
        self.is_initialized = True
        self._view()

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.used + key_states.shape[2]
        for place, states in enumerate((key_states, value_states)):
            if end > self.buffers[place].shape[2]:
                wider = _room(states, end + max(SPARE, end // 2))
                wider[:, :, : self.used] = self.buffers[place][:, :, : self.used]
                self.buffers[place] = wider
            self.buffers[place][:, :, self.used : end] = states
        self.used = end
        self._view()
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        if self.is_initialized:
            self.buffers = [buffer[indices] for buffer in self.buffers]
            self._view()

    def _view(self) -> None:
        self.keys, self.values = (buffer[:, :, : self.used] for buffer in self.buffers)


def _room(states: torch.Tensor, tokens: int) -> torch.Tensor:
    batch, heads, _, width = states.shape
    return states.new_empty((batch, heads, tokens, width))


def growing_cache() -> Cache:
    """A cache for models whose every layer is attention; sliding layers keep all keys and mask them."""
    return Cache(layer_class_to_replicate=GrowingLayer)
