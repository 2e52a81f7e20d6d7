"""What is computed together and what only once: pure functions over token ids, no torch.

All log-likelihood items become one tree of shared headers. A header is a run of tokens that several
items begin with (a subject's few-shot examples); it is read once, its keys and values stay while
any item below it is in work. Under a header, items fill packs: one row of tokens with true
positions and no padding, in which the pairs of an item share their common prefix (a question's
stem under its choices). The plan depends on the items alone, so an interrupted run resumes with
the same packs.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from evalkit.models.base import TokenIds, WorkItem

MIN_HEADER = 32  # tokens: a shorter shared prefix costs less to read again than to keep
COHORT = 512  # texts written under one plan: many times what runs at once, so that a cohort's thin end costs little
MIN_SAVED = 256  # tokens a header must spare all its users together, for its own forward pass to pay
WORD = array("I").itemsize


@dataclass(frozen=True, slots=True)
class Ask:
    """One log-probability: read token `target` at tree node `node`, add it to `pair` of the item."""

    node: int
    target: int
    pair: int


@dataclass(frozen=True, slots=True)
class ItemTree:
    """The tokens of one item behind its header, each distinct prefix once.

    Attributes:
        ids: token at each node; a parent comes before its children.
        parents: parent node, -1 for a child of the header's last token.
        depths: distance below the header, from 0; the position is header length + depth.
        asks: which log-probabilities are wanted.
    """

    ids: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    asks: tuple[Ask, ...]


@dataclass(slots=True)
class Header:
    """A shared prefix and what hangs below it.

    Attributes:
        ids: tokens this header adds to its parent's.
        start: position of its first token (the parent's length).
        packs: indices of items computed together under exactly this header.
        children: longer headers that begin with this one.
    """

    ids: TokenIds
    start: int
    packs: list[list[int]] = field(default_factory=list)
    children: list[Header] = field(default_factory=list)

    @property
    def length(self) -> int:
        return self.start + len(self.ids)


def plan(items: Sequence[WorkItem], budget: int) -> Header:
    """The tree of headers over log-likelihood items; its root has no tokens.

    Args:
        items: with distinct keys; their order does not change what is shared.
        budget: tokens a pack may hold; an item over it gets its own pack, behind its own header.
    """
    root = Header((), 0)
    _Planner.of(items, budget).grow(root, range(len(items)), MIN_HEADER)
    return root


@dataclass(frozen=True, slots=True)
class _Planner:
    """Items in the order of their tokens, where whatever shares a header is adjacent; all lists are in that order.

    Attributes:
        order: index of the item at each place.
        own: tokens of an item that may go into a header: those all its contexts begin with, without a context's last.
        links: of these, how many an item shares with the one before it; 0 at the first.
        sizes: distinct prefix positions of an item.
    """

    items: Sequence[WorkItem]
    budget: int
    order: Sequence[int]
    own: Sequence[int]
    links: Sequence[int]
    sizes: Sequence[int]

    @classmethod
    def of(cls, items: Sequence[WorkItem], budget: int) -> _Planner:
        """Every comparison of long token sequences that a plan needs, each neighbour with the next once."""
        first = [packed(item.pairs[0][0]) for item in items]
        # As `items[i].pairs` sort, but for the speed of comparing bytes.
        order = sorted(range(len(items)), key=lambda i: (first[i], items[i].pairs[0][1], items[i].pairs[1:], i))
        own = [_own(items[i]) for i in order]
        links = [0] * min(1, len(order))
        links += [min(own[at - 1], own[at], agreeing(first[order[at - 1]], first[order[at]])) for at in range(1, len(order))]
        sizes = [shared + tree_size(items[i], shared) for i, shared in zip(order, own, strict=True)]
        return cls(items, budget, order, own, links, sizes)

    def grow(self, header: Header, run: range, least: int) -> None:
        """Split a run of places into children with a longer common prefix, and pack the rest here."""
        here: list[int] = []
        for at in self._children(header, run, least):
            if self.sizes[at] - header.length > self.budget and self.own[at] - header.length >= MIN_HEADER:
                header.children.append(Header(self._ids(at, header.length, self.own[at]), header.length, packs=[[self.order[at]]]))
            else:
                here.append(at)
        header.packs = packs_of([self.order[at] for at in here], [self.sizes[at] - header.length for at in here], self.budget)

    def _children(self, header: Header, run: range, least: int) -> list[int]:
        """Add a child per group that saves enough; returns the places that join none."""
        alone: list[int] = []
        for group in self._groups(run, header.length + least):
            if len(group) == 1:
                alone.extend(group)
                continue
            shared = min(self.links[group.start + 1 : group.stop])
            longer = shared - header.length
            if longer * (len(group) - 1) < MIN_SAVED:
                alone.extend(self._children(header, group, longer + 1))
                continue
            child = Header(self._ids(group.start, header.length, shared), header.length)
            self.grow(child, group, MIN_HEADER)
            header.children.append(child)
        return alone

    def _groups(self, run: range, least: int) -> Iterator[range]:
        """Maximal runs of neighbours that share at least `least` tokens."""
        start = run.start
        for at in run[1:]:
            if self.links[at] < least:
                yield range(start, at)
                start = at
        if run:
            yield range(start, run.stop)

    def _ids(self, at: int, start: int, end: int) -> TokenIds:
        return self.items[self.order[at]].pairs[0][0][start:end]


def _own(item: WorkItem) -> int:
    """Tokens that all contexts of an item begin with, the last of the shortest left out: it predicts a target."""
    first = item.pairs[0][0]
    others = [context for context, _ in item.pairs[1:] if context is not first]
    shared = min(map(len, [first, *others])) - 1
    return min((shared, *(agreeing(packed(first), packed(other)) for other in others if other != first)))


def packed(ids: TokenIds) -> bytes:
    """Token ids as bytes that sort as the ids do."""
    words = array("I", ids)
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


def agreeing(a: bytes, b: bytes) -> int:
    """Length in tokens of the common prefix of two packed sequences."""
    size = min(len(a), len(b))
    # The exclusive or of two equally long numbers begins with as many zeros as they have leading bits in common.
    differing = int.from_bytes(a[:size], "big") ^ int.from_bytes(b[:size], "big")
    return (8 * size - differing.bit_length()) // (8 * WORD)


def packs_of(indices: Sequence[int], sizes: Sequence[int], budget: int) -> list[list[int]]:
    """`indices` in packs of at most `budget` tokens, largest first; equal sizes keep their order."""
    order = sorted(range(len(indices)), key=lambda i: (-sizes[i], i))
    packs: list[list[int]] = []
    filled = 0
    for place in order:
        if packs and filled + sizes[place] <= budget:
            packs[-1].append(indices[place])
            filled += sizes[place]
        else:
            packs.append([indices[place]])
            filled = sizes[place]
    return packs


def padded_packs(items: Sequence[WorkItem], budget: int, start: int = 0, most: Callable[[int], int] | None = None) -> list[list[int]]:
    """Packs for models that read plain rows, longest first: distinct inputs × longest input ≤ budget.

    Args:
        start: tokens of every input that are read before.
        most: rows of so many tokens, those before included, that may be read at once; None for any number.
    """
    shapes = [(len(inputs), max(map(len, inputs)) - start) for inputs in (inputs_of(item) for item in items)]
    order = sorted(range(len(items)), key=lambda i: (-shapes[i][1], items[i].pairs, i))
    packs: list[list[int]] = []
    rows = 0
    for index in order:
        more, longest = shapes[index][0], shapes[packs[-1][0]][1] if packs else 0
        if packs and (rows + more) * longest <= budget and (most is None or rows + more <= most(start + longest)):
            packs[-1].append(index)
            rows += more
        else:
            packs.append([index])
            rows = more
    return packs


def padded_plan(items: Sequence[WorkItem], budget: int, most: Callable[[int], int], alone: int = MIN_SAVED) -> Header:
    """The tree of headers for models that read plain rows, each behind a copy of what a header left in the model's cache.

    Args:
        budget: tokens a pass may read. most: rows of so many tokens, their header's included, that may be read at once.
        alone: tokens that a header of a single item must spare (a long question under its choices), for its own two passes to pay.
    """
    root = plan(items, budget)
    waiting = [root]
    while waiting:
        header = waiting.pop()
        waiting.extend(header.children)
        here = []
        for index in sorted(index for pack in header.packs for index in pack):
            own = _own(items[index])
            if own - header.length >= MIN_HEADER and (own - header.length) * (len(inputs_of(items[index])) - 1) >= alone:
                stem = items[index].pairs[0][0][header.length : own]
                header.children.append(Header(stem, header.length, packs=padded_packs_of(items, [index], budget, own, most)))
            else:
                here.append(index)
        header.packs = padded_packs_of(items, here, budget, header.length, most)
    return root


def padded_packs_of(
    items: Sequence[WorkItem], indices: Sequence[int], budget: int, start: int, most: Callable[[int], int]
) -> list[list[int]]:
    """`padded_packs` of some of the items, by their indices among all."""
    return [[indices[place] for place in pack] for pack in padded_packs([items[index] for index in indices], budget, start, most)]


def inputs_of(item: WorkItem) -> list[TokenIds]:
    """The distinct sequences a model reads for an item's pairs, in order of first use."""
    return list(dict.fromkeys((context + target)[:-1] for context, target in item.pairs))


def tree_size(item: WorkItem, start: int) -> int:
    """Distinct prefix positions of an item behind its first `start` tokens."""
    sequences = sorted({packed((context[start:] + target)[:-1]) for context, target in item.pairs})
    repeated = sum(agreeing(before, ids) for before, ids in pairwise(sequences))
    return sum(map(len, sequences)) // WORD - repeated


def item_tree(item: WorkItem, start: int) -> ItemTree:
    """The item's tokens behind its first `start`, which must all be context in every pair."""
    ids: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    children: dict[tuple[int, int], int] = {}
    asks: list[Ask] = []
    before: TokenIds = ()
    path: list[int] = []  # nodes of the pair before; its context's are the next one's too where the context is the same
    for pair, (context, target) in enumerate(item.pairs):
        first = len(context) - 1 - start
        path = path[: first + 1 if target and context == before else 0]
        node = path[-1] if path else -1
        for depth, token in enumerate((context[start:] + target)[len(path) : -1], len(path)):
            known = children.get((node, token))
            if known is None:
                known = children[node, token] = len(ids)
                ids.append(token)
                parents.append(node)
                depths.append(depth)
            node = known
            path.append(node)
        asks.extend(Ask(node, token, pair) for node, token in zip(path[first:], target, strict=False))
        before = context
    return ItemTree(tuple(ids), tuple(parents), tuple(depths), tuple(asks))


def prompt_groups(items: Sequence[WorkItem], budget: int) -> list[tuple[list[Header], list[int]]]:
    """Generation items under the headers their prompts share, longest tail first.

    Returns:
        (chain of headers from the root, indices of the items below its last one).
    """
    # A target that nobody reads: the tree is over prompts, and a header ends before a prompt's last token.
    root = plan([replace(item, pairs=((item.prompt_ids, (0,)),)) for item in items], budget)
    groups: list[tuple[list[Header], list[int]]] = []

    def visit(header: Header, above: list[Header]) -> None:
        if header.packs:
            groups.append(([*above, header], [index for pack in header.packs for index in pack]))
        for child in header.children:
            visit(child, [*above, header])

    visit(root, [])
    return groups


def cohorts(items: Sequence[WorkItem], budget: int, size: int = COHORT) -> list[list[int]]:
    """Generation items in cohorts of at most `size`, prompts that share a header side by side.

    What is computed together with what depends on a cohort alone, so an interrupted run that repeats the cohort it was in
    writes the same texts to the last letter.
    """
    order = [index for _, indices in prompt_groups(items, budget) for index in indices]
    return [order[start : start + size] for start in range(0, len(order), size)]


def equal_batches(items: Sequence[WorkItem], budget: int, most: Callable[[int], int] | None = None) -> list[list[int]]:
    """Generation items whose prompts are equally long, in batches: rows × (prompt + tokens it may write) ≤ budget.

    Args:
        most: rows of so many tokens, read and written, that may be written at once; None for any number.
    """
    sizes = [len(item.prompt_ids) + item.limit for item in items]
    order = sorted(range(len(items)), key=lambda i: (-len(items[i].prompt_ids), -sizes[i], items[i].prompt_ids, i))
    batches: list[list[int]] = []
    for index in order:
        first = items[batches[-1][0]] if batches else None
        rows, longest = (len(batches[-1]) + 1, sizes[batches[-1][0]]) if batches else (1, 0)
        fits = rows * longest <= budget and (most is None or rows <= most(longest))
        if fits and first is not None and len(first.prompt_ids) == len(items[index].prompt_ids):
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
