"""Rotary embeddings that depend on length, and what may be read together under them.

LongRoPE has one set of factors up to a length and another one above it; dynamic NTK has one set per length above its own. A model
decides by the highest position of a pass, so one long document would change the numbers of all that is read together with it. Here
a length belongs to a class, and one class is read at a time. Where no token of a pass is that far (a shared header, a chunk of a
long text), a token that nobody looks at is placed there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalkit.models.base import WorkItem
from evalkit.models.batching import ItemTree, inputs_of

SWITCHED = ("longrope", "su", "yarn_su")  # one set of factors up to a length, another one above


class Rotary:
    """What a model's configuration says about its rotary embeddings.

    Attributes:
        switches: lengths above which other factors hold, ascending; empty for nearly all models.
        grows_from: length above which every length has its own factors; None without such.
        unknown: lengths were seen to matter in a way that the configuration does not tell.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        config = model.config.get_text_config()
        switches: set[int] = set()
        growing: set[int] = set()
        for rope in _settings(config):
            kind = str(rope.get("rope_type") or rope.get("type") or "")
            longest = getattr(config, "max_position_embeddings", None)
            original = rope.get("original_max_position_embeddings") or getattr(config, "original_max_position_embeddings", None)
            if kind in SWITCHED and (original or longest):
                switches.add(int(original or longest or 0))
            elif "dynamic" in kind and longest:
                growing.add(int(longest))
        self.switches = sorted(switches)
        self.unknown = False
        self.grows_from = min(growing, default=None)
        self._keeping = [module for module in model.modules() if growing and hasattr(module, "original_max_seq_len")]

    @property
    def depends_on_length(self) -> bool:
        """Whether any two lengths differ."""
        return bool(self.switches) or self.grows_from is not None

    def class_of(self, length: int) -> int:
        """The shortest length with the factors of `length`; 0 for the class of short ones."""
        if self.grows_from is not None and length > self.grows_from:
            return length
        passed = bisect_left(self.switches, length)
        return self.switches[passed - 1] + 1 if passed else 0

    def class_of_text(self, item: WorkItem) -> int | None:
        """The class of every length that a generation item may reach; None where it can pass from one to another."""
        first = self.class_of(len(item.prompt_ids))
        return first if first == self.class_of(len(item.prompt_ids) + max(0, item.limit - 1)) else None

    def classes_of(self, item: WorkItem) -> set[int]:
        """The classes of what is read for a log-likelihood item."""
        return {self.class_of(len(ids)) for ids in inputs_of(item)} if self.depends_on_length else {0}

    def by_class(self, items: Sequence[WorkItem]) -> Iterator[tuple[int | None, list[WorkItem]]]:
        """Log-likelihood items by class, those of several classes last, under None."""
        groups: dict[int | None, list[WorkItem]] = {}
        for item in items:
            found = self.classes_of(item)
            groups.setdefault(found.pop() if len(found) == 1 else None, []).append(item)
        yield from sorted(groups.items(), key=lambda group: (group[0] is None, group[0] or 0))

    def forget(self) -> None:
        """Drop the factors of the longest text so far, which a model with dynamic NTK goes on with; before every pass."""
        for module in self._keeping:
            kinds = getattr(module, "rope_type", "")
            for prefix in [f"{layer}_" for layer in kinds] if isinstance(kinds, Mapping) else [""]:
                original = getattr(module, f"{prefix}original_inv_freq", None)
                if original is not None:
                    now = getattr(module, f"{prefix}inv_freq")
                    module.register_buffer(f"{prefix}inv_freq", original.to(now.device), persistent=False)
                    setattr(module, f"{prefix}max_seq_len_cached", module.original_max_seq_len)


def reaching(trees: Sequence[ItemTree], start: int, length: int) -> list[ItemTree] | None:
    """The trees with a last token at position `length - 1`, below which nothing hangs; None where one is that far already."""
    if not length or start + max(max(tree.depths) for tree in trees) >= length - 1:
        return None
    last = trees[-1]
    far = replace(
        last, ids=(*last.ids, last.ids[-1]), parents=(*last.parents, len(last.ids) - 1), depths=(*last.depths, length - 1 - start)
    )
    return [*trees[:-1], far]


def _settings(config: Any) -> Iterator[Mapping[str, Any]]:
    """Every set of rotary settings: one for the model, or one per kind of layer."""
    for name in ("rope_parameters", "rope_scaling"):
        told = getattr(config, name, None)
        if isinstance(told, Mapping):
            yield from [value for value in told.values() if isinstance(value, Mapping)] or [told]
