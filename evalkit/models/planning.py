"""What is computed together and what only once: pure functions over token ids, no torch.

All log-likelihood items become one tree of shared headers. A header is a run of tokens that several
items begin with (a subject's few-shot examples); it is read once, its keys and values stay while
any item below it is in work. Under a header, items fill packs: one row of tokens with true
positions and no padding, in which the pairs of an item share their common prefix (a question's
stem under its choices). The plan depends on the items alone, so an interrupted run resumes with
the same packs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from evalkit.models.base import TokenIds, WorkItem

MIN_HEADER = 32  # tokens: a shorter shared prefix costs less to read again than to keep
COHORT = 512  # texts written under one plan: many times what runs at once, so that a cohort's thin end costs little
MIN_SAVED = 256  # tokens a header must spare all its users together, for a forward pass of its own to pay


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
        budget: tokens a pack may hold; an item over it gets a pack of its own, behind a header of its own.
    """
    order = sorted(range(len(items)), key=lambda i: (items[i].pairs, i))
    reach = [min(len(context) for context, _ in item.pairs) - 1 for item in items]
    root = Header((), 0)
    _Planner(items, reach, budget).grow(root, order, MIN_HEADER)
    return root


@dataclass(frozen=True, slots=True)
class _Planner:
    """`reach[i]`: tokens of item i that may go into a header (all but the last of its shortest context)."""

    items: Sequence[WorkItem]
    reach: Sequence[int]
    budget: int

    def grow(self, header: Header, run: Sequence[int], least: int) -> None:
        """Split a sorted run into children with a longer common prefix, and pack the rest here."""
        alone = self._children(header, run, least)
        here: list[int] = []
        for index in alone:
            size = tree_size(self.items[index], header.length)
            own = _shared([index], self.items, self.reach)
            if size > self.budget and own - header.length >= MIN_HEADER:
                header.children.append(Header(self._ids(index, header.length, own), header.length, packs=[[index]]))
            else:
                here.append(index)
        header.packs = packs_of(here, [tree_size(self.items[i], header.length) for i in here], self.budget)

    def _children(self, header: Header, run: Sequence[int], least: int) -> list[int]:
        """Add a child per group that saves enough; returns the items that join none."""
        alone: list[int] = []
        for group in _groups(run, self.items, self.reach, header.length + least):
            if len(group) == 1:
                alone.extend(group)
                continue
            shared = _shared(group, self.items, self.reach)
            longer = shared - header.length
            if longer * (len(group) - 1) < MIN_SAVED:
                alone.extend(self._children(header, group, longer + 1))
                continue
            child = Header(self._ids(group[0], header.length, shared), header.length)
            self.grow(child, group, MIN_HEADER)
            header.children.append(child)
        return alone

    def _ids(self, index: int, start: int, end: int) -> TokenIds:
        return self.items[index].pairs[0][0][start:end]


def _groups(run: Sequence[int], items: Sequence[WorkItem], reach: Sequence[int], least: int) -> Iterator[list[int]]:
    """Maximal runs of neighbours that share at least `least` tokens."""
    group: list[int] = []
    for index in run:
        if group and _common(items[group[-1]], items[index], min(reach[group[-1]], reach[index])) < least:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _shared(group: Sequence[int], items: Sequence[WorkItem], reach: Sequence[int]) -> int:
    """Tokens that all items of the group, in all their pairs, begin with."""
    limit = min(reach[index] for index in group)
    first = items[group[0]]
    return min(_common(first, items[index], limit) for index in group)


def _common(a: WorkItem, b: WorkItem, limit: int) -> int:
    """Length of the prefix shared by every context of two items, at most `limit`."""
    first = a.pairs[0][0]
    shared = limit
    for context, _ in (*a.pairs[1:], *b.pairs):
        if context[:shared] != first[:shared]:
            shared = next(i for i in range(shared) if context[i] != first[i])
    return shared


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


def padded_packs(items: Sequence[WorkItem], budget: int) -> list[list[int]]:
    """Packs for models that read plain rows: distinct inputs × longest input ≤ budget, longest first."""
    shapes = [(len(inputs), max(map(len, inputs))) for inputs in (inputs_of(item) for item in items)]
    order = sorted(range(len(items)), key=lambda i: (-shapes[i][1], items[i].pairs, i))
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


def inputs_of(item: WorkItem) -> list[TokenIds]:
    """The distinct sequences a model reads for an item's pairs, in order of first use."""
    return list(dict.fromkeys((context + target)[:-1] for context, target in item.pairs))


def tree_size(item: WorkItem, start: int) -> int:
    """Distinct prefix positions of an item behind its first `start` tokens."""
    sequences = sorted({(context + target)[start:-1] for context, target in item.pairs})
    total = 0
    before: TokenIds = ()
    for ids in sequences:
        total += len(ids) - _prefix(before, ids)
        before = ids
    return total


def _prefix(a: TokenIds, b: TokenIds) -> int:
    if b[: len(a)] == a:
        return len(a)
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def item_tree(item: WorkItem, start: int) -> ItemTree:
    """The item's tokens behind its first `start`, which must all be context in every pair."""
    ids: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    children: dict[tuple[int, int], int] = {}
    asks: list[Ask] = []
    for pair, (context, target) in enumerate(item.pairs):
        node = -1
        first = len(context) - 1 - start
        for depth, token in enumerate((context + target)[start:-1]):
            known = children.get((node, token))
            if known is None:
                known = children[node, token] = len(ids)
                ids.append(token)
                parents.append(node)
                depths.append(depth)
            node = known
            if depth >= first:
                asks.append(Ask(node, target[depth - first], pair))
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

    What is computed beside what depends on a cohort alone, so an interrupted run that repeats the cohort it was in
    writes the same texts to the last letter.
    """
    order = [index for _, indices in prompt_groups(items, budget) for index in indices]
    return [order[start : start + size] for start in range(0, len(order), size)]


def equal_batches(items: Sequence[WorkItem], budget: int) -> list[list[int]]:
    """Generation items whose prompts are equally long, in batches: rows × (prompt + tokens it may write) ≤ budget."""
    sizes = [len(item.prompt_ids) + (item.params.max_new_tokens if item.params else 0) for item in items]
    order = sorted(range(len(items)), key=lambda i: (-len(items[i].prompt_ids), -sizes[i], items[i].prompt_ids, i))
    batches: list[list[int]] = []
    for index in order:
        first = items[batches[-1][0]] if batches else None
        fits = first is not None and (len(batches[-1]) + 1) * sizes[batches[-1][0]] <= budget
        if fits and first is not None and len(first.prompt_ids) == len(items[index].prompt_ids):
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
