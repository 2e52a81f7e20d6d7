"""Work in chunks that depend on the items alone: not on what is done, on how many replicas there are, or on time.

A replica plans each chunk by itself, so a chunk's answers are the same bytes wherever and whenever it is answered. Items that
begin with the same tokens are in one chunk, and a cut is made where neighbours share least: a shared header is read again
only in the chunks that it is cut over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalkit.models.base import WorkItem
from evalkit.models.batching import agreeing, packed, tree_size

CHUNK_TOKENS = 32_768  # distinct tokens to read: two full passes of a GPU, a second or two of a 12B model's time
CHUNK_TEXTS = 128  # texts written together: about where a GPU's arithmetic, not its memory, begins to decide
LOOK_BACK = 0.5  # of a chunk: where in it a cut may be made earlier, to keep a longer shared prefix whole


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items answered together by one replica.

    Attributes:
        number: place among all chunks of the run, in the order of tokens; names the chunk.
        cost: tokens to read, shared ones once, and tokens it may write.
    """

    number: int
    items: tuple[WorkItem, ...]
    cost: int


@dataclass(frozen=True, slots=True)
class _Placed:
    """An item in the order of tokens.

    Attributes:
        link: tokens that it shares with the item before it.
        size: tokens it reads when nothing is shared.
        written: tokens it may write.
    """

    item: WorkItem
    link: int
    size: int
    written: int

    @property
    def new(self) -> int:
        return self.size - self.link


def chunks_of(items: Sequence[WorkItem], tokens: int | None = None, texts: int | None = None) -> list[Chunk]:
    """Every distinct item in exactly one chunk; log-likelihoods and texts never share one.

    Args:
        items: in any order; a repeated key counts once.
        tokens: distinct tokens that a chunk may read, `CHUNK_TOKENS` by default; a single item may be over it.
        texts: items that a chunk of texts may have, `CHUNK_TEXTS` by default.
    """
    tokens, texts = tokens or CHUNK_TOKENS, texts or CHUNK_TEXTS
    distinct = list({item.key: item for item in items}.values())
    found: list[Chunk] = []
    for kind in ("loglikelihood", "generate"):
        run = _placed([item for item in distinct if item.kind == kind])
        for part in _cut(run, tokens, texts if kind == "generate" else len(run) or 1):
            read = sum(place.new for place in part) + part[0].link
            cost = read + sum(place.written for place in part)
            found.append(Chunk(len(found), tuple(place.item for place in part), cost))
    return found


def _placed(items: Sequence[WorkItem]) -> list[_Placed]:
    """In the order of tokens; items of a server that reads text itself are in the order of their keys."""
    begins = [packed(item.prompt_ids or (item.pairs[0][0] if item.pairs else ())) for item in items]
    order = sorted(range(len(items)), key=lambda i: (begins[i], items[i].pairs[1:], items[i].sample, items[i].key))
    placed: list[_Placed] = []
    for at, i in enumerate(order):
        item = items[i]
        written = item.limit if item.kind == "generate" else 0
        size = tree_size(item, 0) if item.pairs else len(item.prompt_ids) or max(1, item.cost - written)
        link = min(agreeing(begins[order[at - 1]], begins[i]), size - 1) if at else 0
        placed.append(_Placed(item, link, size, written))
    return placed


def _cut(run: Sequence[_Placed], tokens: int, texts: int) -> Iterator[Sequence[_Placed]]:
    start = 0
    while start < len(run):
        filled, end = run[start].size, start + 1
        while end < len(run) and end - start < texts and filled + run[end].new <= tokens:
            filled += run[end].new
            end += 1
        if end < len(run) and end - start < texts:
            earliest = start + max(1, int((end - start) * LOOK_BACK))
            # Of the places with the shortest shared prefix the last one, so that chunks stay long.
            end = min(range(earliest, end + 1), key=lambda at: (run[at].link, -at))
        yield run[start:end]
        start = end
