"""What travels to a replica: token ids in arrays, each sequence of an item once; nothing of a task, a document or a metric."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from evalkit.models.base import TokenIds, WorkItem


class Parcel(NamedTuple):
    """Items on their way.

    Attributes:
        bare: the items without their token ids.
        ids: every distinct sequence of every item, behind each other, as unsigned 32-bit numbers.
        lengths: of these sequences.
        shapes: per item, how many sequences it has, then its pairs as two indices each; no pair means that it is a prompt.
    """

    bare: tuple[WorkItem, ...]
    ids: bytes
    lengths: bytes
    shapes: tuple[tuple[int, ...], ...]


def pack_items(items: Sequence[WorkItem]) -> Parcel:
    """Items as a replica gets them; `unpack_items` gives equal ones back."""
    ids, lengths, shapes = array("I"), array("I"), []
    for item in items:
        sequences: dict[TokenIds, int] = {}
        shape = [sequences.setdefault(part, len(sequences)) for pair in item.pairs for part in pair]
        if not item.pairs:
            sequences[item.prompt_ids] = 0
        for sequence in sequences:
            ids.extend(sequence)
            lengths.append(len(sequence))
        shapes.append((len(sequences), *shape))
    bare = tuple(replace(item, pairs=(), prompt_ids=()) for item in items)
    return Parcel(bare, ids.tobytes(), lengths.tobytes(), tuple(shapes))


def unpack_items(parcel: Parcel) -> list[WorkItem]:
    """The items of a parcel."""
    ids, lengths = array("I", parcel.ids), iter(array("I", parcel.lengths))
    items, at = [], 0
    for item, (count, *shape) in zip(parcel.bare, parcel.shapes, strict=True):
        sequences: list[TokenIds] = []
        for _ in range(count):
            length = next(lengths)
            sequences.append(tuple(ids[at : at + length]))
            at += length
        # One object for one context: what is computed per sequence is looked up by it.
        pairs = tuple((sequences[a], sequences[b]) for a, b in _two_by_two(shape))
        items.append(replace(item, pairs=pairs) if pairs else replace(item, prompt_ids=sequences[0]))
    return items


def _two_by_two(values: Iterable[int]) -> Iterable[tuple[int, int]]:
    each = iter(values)
    return zip(each, each, strict=True)
