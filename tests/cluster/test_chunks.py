"""Chunks: every item once, whatever order it comes in, and what shares a prefix together."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from evalkit.cluster import chunks as module
from evalkit.cluster.chunks import chunks_of
from evalkit.cluster.wire import pack_items, unpack_items
from evalkit.models.base import WorkItem
from evalkit.models.batching import packed
from evalkit.types import GenerationParams

ids = st.lists(st.integers(0, 3), min_size=1, max_size=12).map(tuple)
pairs = st.lists(st.tuples(ids, ids), min_size=1, max_size=4).map(tuple)


def scoring(number: int, given: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]) -> WorkItem:
    return WorkItem(f"s{number}", "t", str(number), 0, "loglikelihood", pairs=given)


def writing(number: int, prompt: tuple[int, ...]) -> WorkItem:
    return WorkItem(f"g{number}", "t", str(number), 0, "generate", prompt_ids=prompt, params=GenerationParams(max_new_tokens=7))


works = st.tuples(st.lists(pairs, max_size=12), st.lists(ids, max_size=12)).map(
    lambda both: [scoring(i, p) for i, p in enumerate(both[0])] + [writing(i, p) for i, p in enumerate(both[1])]
)


@given(works, st.integers(1, 60), st.integers(1, 5), st.randoms(use_true_random=False))
def test_every_item_stands_in_one_chunk_whatever_the_order(items: list[WorkItem], tokens: int, texts: int, chance: random.Random) -> None:
    found = chunks_of(items, tokens, texts)
    assert sorted(item.key for chunk in found for item in chunk.items) == sorted(item.key for item in items)
    assert [chunk.number for chunk in found] == list(range(len(found)))
    assert all(len({item.kind for item in chunk.items}) == 1 for chunk in found)
    assert all(len(chunk.items) <= texts for chunk in found if chunk.items[0].kind == "generate")
    again = list(items) + items[:3]  # a repeated request is one
    chance.shuffle(again)
    assert chunks_of(again, tokens, texts) == found


@given(works)
def test_what_travels_comes_back_equal(items: list[WorkItem]) -> None:
    assert unpack_items(pack_items(items)) == items


def test_a_context_travels_once() -> None:
    context = tuple(range(1000))
    parcel = pack_items([scoring(0, tuple((context, (i,)) for i in range(4)))])
    assert len(parcel.ids) == 4 * (1000 + 4)
    back = unpack_items(parcel)[0]
    assert back.pairs[0][0] is back.pairs[3][0]


def test_cuts_are_made_where_little_is_shared() -> None:
    """Four subjects of five questions: a header of 100 tokens is never cut over two chunks that could hold it whole."""
    headers = [tuple(random.Random(s).choices(range(1000), k=100)) for s in range(4)]
    items = [scoring(10 * s + q, ((((*header, 2000 + q, 5)), (1,)),)) for s, header in enumerate(headers) for q in range(5)]
    found = chunks_of(items, tokens=250)
    for chunk in found:
        begins = {item.pairs[0][0][:100] for item in chunk.items}
        assert sum(begin in {item.pairs[0][0][:100] for item in other.items} for other in found for begin in begins) == len(begins)
    assert sorted(len(chunk.items) for chunk in found) == [10, 10]


def test_sizes_are_those_of_the_room(monkeypatch: object) -> None:
    items = [writing(i, (i % 7, i)) for i in range(300)]
    assert [len(chunk.items) for chunk in chunks_of(items)] == [128, 128, 44]
    assert module.CHUNK_TEXTS == 128


def test_texts_of_a_server_keep_their_cost() -> None:
    from evalkit.types import GenerateRequest

    items = [
        WorkItem(
            f"k{i}",
            "t",
            str(i),
            0,
            "generate",
            request=GenerateRequest("t", str(i), "word " * 40, GenerationParams()),
            params=GenerationParams(),
        )
        for i in range(5)
    ]
    found = chunks_of(items, texts=2)
    assert [len(chunk.items) for chunk in found] == [2, 2, 1] and all(chunk.cost > 256 for chunk in found)
    assert packed(()) == b""
