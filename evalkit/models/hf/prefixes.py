"""What texts share, read once into the model's own cache: for models whose attention does not go through ours.

The state of a recurrent layer behind a prefix is as good as the prefix, and so are the keys and values that a model's own code keeps.
A copy of them for every row goes before each batch of ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch

from evalkit.models.batching import Header

NAMES = ("past_key_values", "cache_params")  # what models call their cache


@dataclass(frozen=True)
class CacheSize:
    """Bytes of a model's cache for one row: recurrent states, and keys and values per token."""

    states: float = 0.0
    per_token: float = 0.0

    def rows(self, tokens: int, room: int) -> int:
        """How many rows of so many tokens fit into `room` bytes; at least one."""
        return max(1, int(room / max(1.0, self.states + self.per_token * tokens)))


class Prefixes:
    """Shared prefixes of one model, each read behind the one before it.

    Args:
        forward: takes what a model's `forward` takes, gives what that gives.

    Attributes:
        positions: whether the model is told them. Some count from their first layer's keys, which a recurrent one has none of.
        size: of a cache, measured at start.
    """

    def __init__(self, forward: Callable[..., Any], device: torch.device) -> None:
        self.positions = True
        self.size = CacheSize()
        self._forward = forward
        self._device = device
        self._name = NAMES[0]

    def behind(self, chain: Sequence[Header], kept: dict[int, Any], budget: int) -> Any:
        """The cache behind the last header of a chain, for one row; None where there is nothing to read.

        Args:
            kept: what was read before, by identity of its header.
            budget: tokens of a forward pass.

        Raises:
            RuntimeError: the model has no cache that can be handed back to it.
        """
        cache: Any = None
        for header in chain:
            if header.ids:
                if id(header) not in kept:
                    kept[id(header)] = self._read(header, deepcopy(cache), budget)
                cache = kept[id(header)]
        return cache

    def measure(self, ids: Sequence[int], budget: int) -> None:
        """Find out how large a cache is, with and without the second half of `ids`."""
        half = len(ids) // 2
        short, long = (_bytes(self.behind([Header(tuple(ids[:end]), 0)], {}, budget)) for end in (half, len(ids)))
        per_token = max(0.0, (long - short) / (len(ids) - half))
        self.size = CacheSize(max(0.0, long - per_token * len(ids)), per_token)

    def told(self, cache: Any, start: int, rows: int, length: int) -> dict[str, Any]:
        """What a forward pass over `rows` ends of `length` tokens is told of the `start` tokens before them, which `cache` holds."""
        more: dict[str, Any] = {"use_cache": True}
        if self.positions:
            more["position_ids"] = torch.arange(start, start + length, device=self._device).expand(rows, length)
        return more if cache is None else {**more, self._name: rows_of(cache, rows)}

    def _read(self, header: Header, cache: Any, budget: int) -> Any:
        for place in range(0, len(header.ids), budget):
            row = torch.tensor([header.ids[place : place + budget]], device=self._device)
            with torch.inference_mode():
                told = self._forward(input_ids=row, **self.told(cache, header.start + place, *row.shape))
            self._name = next((name for name in NAMES if getattr(told, name, None) is not None), "")
            if not self._name:
                raise RuntimeError("it has no cache that can be handed back to it")
            cache = getattr(told, self._name)
        return cache


def rows_of(cache: Any, count: int) -> Any:
    """A cache of one row as one of `count` equal rows; the given one stays as it is."""
    copy = deepcopy(cache)
    if count > 1:
        copy.reorder_cache(torch.zeros(count, dtype=torch.long))
    return copy


def _bytes(cache: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in {id(one): one for one in _tensors(cache)}.values())


def _tensors(held: Any) -> Iterator[torch.Tensor]:
    """Every tensor that a cache holds, however its classes name them."""
    if isinstance(held, torch.Tensor):
        yield held
    elif isinstance(held, Mapping):
        for one in held.values():
            yield from _tensors(one)
    elif isinstance(held, (list, tuple)):
        for one in held:
            yield from _tensors(one)
    elif hasattr(held, "__dict__") and not isinstance(held, type):
        yield from _tensors(vars(held))
