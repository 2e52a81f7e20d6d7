"""Which sequences are computed together: pure functions over token ids, no torch.

A *row* is one token sequence the model reads once. Pairs whose inputs are equal share a row, so
the four letters after one MMLU question cost one forward pass, as do repeated requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from evalkit.models.base import TokenIds, WorkItem


@dataclass(slots=True)
class Row:
    """Token ids read once, and what is asked of them.

    Attributes:
        ids: the input (context plus continuation, less its last token).
        asks: (item index, pair index, first position, target ids): the log-probability of
            `target[j]` is read at position `first + j`.
    """

    ids: TokenIds
    asks: list[tuple[int, int, int, TokenIds]] = field(default_factory=list)


def rows_of(items: Sequence[WorkItem]) -> list[Row]:
    """One row per distinct input among all pairs of all items, in order of first use."""
    rows: dict[TokenIds, Row] = {}
    for index, item in enumerate(items):
        for pair, (context, continuation) in enumerate(item.pairs):
            ids = (context + continuation)[:-1]
            row = rows.setdefault(ids, Row(ids))
            row.asks.append((index, pair, len(context) - 1, continuation))
    return list(rows.values())


def packs_of(items: Sequence[WorkItem], budget: int) -> list[list[int]]:
    """Indices of `items` in packs, longest first, so that a pack's rows × longest row ≤ budget.

    An item's pairs stay together, so that a pack finishes whole answers. An item over the budget
    gets a pack of its own. The plan depends on the items alone, not on what is already answered.
    """
    shapes = [_shape(item) for item in items]
    order = sorted(range(len(items)), key=lambda i: (-shapes[i][1], items[i].prompt_ids or items[i].pairs, i))
    packs: list[list[int]] = []
    rows = 0
    for index in order:
        if packs and (rows + shapes[index][0]) * shapes[packs[-1][0]][1] <= budget:
            packs[-1].append(index)
            rows += shapes[index][0]
        else:
            packs.append([index])
            rows = shapes[index][0]
    return packs


def _shape(item: WorkItem) -> tuple[int, int]:
    """(rows, longest row) of one item; generation counts the tokens it may still write."""
    if item.kind == "generate":
        return 1, len(item.prompt_ids) + (item.params.max_new_tokens if item.params else 0)
    inputs = {(context + continuation)[:-1] for context, continuation in item.pairs}
    return len(inputs), max(len(ids) for ids in inputs)
