"""A part of a run, by hand: `shard=2/8` answers every eighth chunk, beginning with the second; `evalkit merge` joins the parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evalkit.cluster.chunks import Chunk, chunks_of
from evalkit.errors import ConfigError
from evalkit.models.base import Capabilities, CountsTokens, Model, Remarks, WorkItem, tokens_of
from evalkit.types import Request, Response


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` (from 1) of `of` parts."""

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> Shard:
        """Raises ConfigError unless it is like `2/8`."""
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise ConfigError(f"shard={text} is no part of a run; give shard=1/8 to shard=8/8")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


class ShardModel:
    """A model that answers its part of the chunks, and each as a replica of a cluster would: the same bytes."""

    def __init__(self, model: Model, shard: Shard) -> None:
        self.model, self.shard = model, shard
        self.name = model.name

    @cached_property
    def capabilities(self) -> Capabilities:
        return self.model.capabilities

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        return self.model.encode(requests)

    def tokens(self) -> CountsTokens | None:
        return tokens_of(self.model)

    def remarks(self, requests: Sequence[Request]) -> tuple[str, ...]:
        return self.model.remarks(requests) if isinstance(self.model, Remarks) else ()

    def wanted(self, items: Sequence[WorkItem]) -> list[WorkItem]:
        """The items of this part, chunk by chunk."""
        return [item for chunk in self._mine(items) for item in chunk.items]

    def _mine(self, items: Sequence[WorkItem]) -> list[Chunk]:
        return chunks_of(items)[self.shard.number - 1 :: self.shard.of]

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        for chunk in self._mine(items):
            if any(item.key not in done for item in chunk.items):
                yield from self.model.answer(chunk.items, done)

    def identity(self) -> Mapping[str, Any]:
        return {**self.model.identity(), "shard": str(self.shard)}

    def describe(self) -> Mapping[str, Any]:
        return {**self.model.describe(), "shard": str(self.shard)}
