"""Plans hold every item once, keep to their budget, read what is asked, and depend on the items alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.models.base import TokenIds, WorkItem, content_key
from evalkit.models.batching import (
    MIN_HEADER,
    MIN_SAVED,
    Ask,
    Header,
    ItemTree,
    agreeing,
    cohorts,
    equal_batches,
    inputs_of,
    item_tree,
    packed,
    packs_of,
    padded_packs,
    plan,
    prompt_groups,
    tree_size,
)
from evalkit.types import GenerationParams

Pairs = tuple[tuple[TokenIds, TokenIds], ...]
ids = st.lists(st.integers(0, 3), min_size=1, max_size=10).map(tuple)
# Long prefixes in common, as few-shot examples make them, one inside another.
prefixes = [(), (7,) * 40, (7,) * 40 + (8,) * 90, (7,) * 40 + (9,) * 70, (6,) * 300, (5,) * 31, (5,) * 32]
apart = st.lists(st.tuples(ids, ids), min_size=1, max_size=4)
letters = st.tuples(ids, st.lists(ids, min_size=1, max_size=4)).map(lambda p: [(p[0], k) for k in p[1]])  # one context, several targets


def pairs_behind(some: list[TokenIds]) -> st.SearchStrategy[Pairs]:
    return st.tuples(st.sampled_from(some), apart | letters).map(lambda p: tuple((p[0] + c, k) for c, k in p[1]))


pairs = pairs_behind(prefixes)


def scored(index: int, chosen: Pairs) -> WorkItem:
    return WorkItem(content_key(str(index)), "t", str(index), 0, "loglikelihood", pairs=chosen)


def generated(index: int, prompt: TokenIds, room: int) -> WorkItem:
    return WorkItem(content_key(str(index)), "t", str(index), 0, "generate", prompt_ids=prompt, params=GenerationParams(room))


few = st.lists(st.sampled_from(prefixes), min_size=1, max_size=3)  # so that many items share a header
scoring = few.flatmap(lambda some: st.lists(pairs_behind(some), max_size=25)).map(lambda found: [scored(i, p) for i, p in enumerate(found)])
generation = st.lists(st.tuples(ids, st.integers(1, 20)), max_size=25).map(lambda found: [generated(i, *p) for i, p in enumerate(found)])


def walk(header: Header, before: TokenIds = ()) -> Iterator[tuple[TokenIds, list[int]]]:
    assert header.start == len(before)
    read = before + header.ids
    assert header.length == len(read)
    for pack in header.packs:
        yield read, pack
    for child in header.children:
        assert child.ids
        yield from walk(child, read)


@settings(max_examples=60, deadline=None)
@given(scoring, st.integers(1, 400))
def test_every_item_is_planned_once_behind_tokens_it_begins_with(items: list[WorkItem], budget: int) -> None:
    planned = list(walk(plan(items, budget)))
    assert sorted(index for _, pack in planned for index in pack) == list(range(len(items)))
    for header, pack in planned:
        for index in pack:
            # The header ends before the context does: the first target is predicted by a token of the item.
            assert all(context[: len(header)] == header and len(context) > len(header) for context, _ in items[index].pairs)
        assert len(pack) == 1 or sum(tree_size(items[index], len(header)) for index in pack) <= budget


@settings(max_examples=80, deadline=None)
@given(scoring, st.integers(1, 400), st.randoms(use_true_random=False))
def test_the_order_of_the_items_changes_no_pack(items: list[WorkItem], budget: int, chance: random.Random) -> None:
    """Tasks in another order are computed alike, so that even the last digit stays."""
    shuffled = list(items)
    chance.shuffle(shuffled)

    def shown(given_items: list[WorkItem]) -> list[tuple[TokenIds, list[Pairs]]]:
        return [(header, [given_items[index].pairs for index in pack]) for header, pack in walk(plan(given_items, budget))]

    assert shown(items) == shown(shuffled)


def common(contexts: list[TokenIds], limit: int) -> int:
    """Tokens that all contexts begin with, one by one."""
    return next((at for at in range(limit) if len({context[at] for context in contexts}) > 1), limit)


def shared_by(items: list[WorkItem]) -> int:
    contexts = [context for item in items for context, _ in item.pairs]
    return common(contexts, min(map(len, contexts)) - 1)


def prefixes_of(item: WorkItem, start: int) -> set[TokenIds]:
    whole = [(context + target)[:-1] for context, target in item.pairs]
    return {ids[:end] for ids in whole for end in range(start + 1, len(ids) + 1)}


def planned_plainly(header: Header, items: list[WorkItem], run: list[int], budget: int) -> Header:
    """What `plan` is to find, with no thought of speed."""

    def split(some: list[int], least: int) -> list[int]:
        left: list[int] = []
        while some:
            size = 1
            while size < len(some) and shared_by([items[i] for i in some[size - 1 : size + 1]]) >= least:
                size += 1
            group, some = some[:size], some[size:]
            end = shared_by([items[i] for i in group])
            if len(group) == 1:
                left += group
            elif (end - header.length) * (len(group) - 1) < MIN_SAVED:
                left += split(group, end + 1)
            else:
                child = Header(items[group[0]].pairs[0][0][header.length : end], header.length)
                header.children.append(planned_plainly(child, items, group, budget))
        return left

    here = []
    for index in split(run, header.length + MIN_HEADER):
        end = shared_by([items[index]])
        if len(prefixes_of(items[index], header.length)) > budget and end >= header.length + MIN_HEADER:
            header.children.append(Header(items[index].pairs[0][0][header.length : end], header.length, [[index]]))
        else:
            here.append(index)
    header.packs = packs_of(here, [len(prefixes_of(items[i], header.length)) for i in here], budget)
    return header


@settings(max_examples=150, deadline=None)
@given(scoring, st.integers(1, 400))
def test_a_plan_is_the_one_found_token_by_token(items: list[WorkItem], budget: int) -> None:
    run = sorted(range(len(items)), key=lambda i: (items[i].pairs, i))
    assert plan(items, budget) == planned_plainly(Header((), 0), items, run, budget)


wide = st.lists(st.sampled_from([0, 1, 255, 256, 65535, 65536, 128_000, 2**31, 2**32 - 1]), max_size=6).map(tuple)


@given(wide, wide, wide)
def test_packed_ids_sort_and_agree_as_ids_do(start: TokenIds, one: TokenIds, other: TokenIds) -> None:
    one, other = start + one, start + other
    assert (packed(one) < packed(other)) == (one < other)
    size = min(len(one), len(other))
    assert agreeing(packed(one), packed(other)) == common([one, other], size)


def grown_plainly(item: WorkItem, start: int) -> ItemTree:
    """The tree with its nodes in the order in which the pairs first read them."""
    whole = [(context + target)[:-1] for context, target in item.pairs]
    nodes = list(dict.fromkeys(ids[:end] for ids in whole for end in range(start + 1, len(ids) + 1)))
    at = {ids: node for node, ids in enumerate(nodes)} | {nodes[0][:start]: -1}
    asks = [
        Ask(at[(context + target)[: len(context) + place]], token, pair)
        for pair, (context, target) in enumerate(item.pairs)
        for place, token in enumerate(target)
    ]
    depths = [len(ids) - start - 1 for ids in nodes]
    return ItemTree(tuple(ids[-1] for ids in nodes), tuple(at[ids[:-1]] for ids in nodes), tuple(depths), tuple(asks))


@settings(max_examples=60, deadline=None)
@given(pairs, st.data())
def test_a_tree_asks_for_every_target_where_it_is_predicted(chosen: Pairs, data: st.DataObject) -> None:
    item = scored(0, chosen)
    shared = next(n for n in range(400, -1, -1) if all(len(c) > n and c[:n] == chosen[0][0][:n] for c, _ in chosen))
    start = data.draw(st.integers(0, shared))
    tree = item_tree(item, start)

    def path(node: int) -> TokenIds:
        assert node < 0 or (
            tree.parents[node] < node and tree.depths[node] == (tree.depths[tree.parents[node]] + 1 if tree.parents[node] >= 0 else 0)
        )
        return (*path(tree.parents[node]), tree.ids[node]) if node >= 0 else ()

    asked: list[list[tuple[TokenIds, int]]] = [[] for _ in chosen]
    for ask in tree.asks:
        asked[ask.pair].append((path(ask.node), ask.target))
    wanted = [
        [((context + target)[start : len(context) + place], token) for place, token in enumerate(target)] for context, target in chosen
    ]
    assert asked == wanted
    assert tree == grown_plainly(item, start)
    every = {path(node) for node in range(len(tree.ids))}
    assert len(every) == len(tree.ids) == tree_size(item, start)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 120))
def test_packs_hold_every_index_once_within_the_budget(sizes: list[int], budget: int) -> None:
    indices = [100 + i for i in range(len(sizes))]
    packs = packs_of(indices, sizes, budget)
    assert sorted(index for pack in packs for index in pack) == indices
    assert all(len(pack) == 1 or sum(sizes[index - 100] for index in pack) <= budget for pack in packs)


@settings(max_examples=60, deadline=None)
@given(scoring, st.integers(1, 600))
def test_padded_packs_count_their_padding(items: list[WorkItem], budget: int) -> None:
    packs = padded_packs(items, budget)
    assert sorted(index for pack in packs for index in pack) == list(range(len(items)))
    for pack in packs:
        inputs = [ids for index in pack for ids in inputs_of(items[index])]
        assert len(pack) == 1 or len(inputs) * max(map(len, inputs)) <= budget


@settings(max_examples=60, deadline=None)
@given(generation, st.integers(1, 200))
def test_generation_batches_leave_room_for_what_is_written(items: list[WorkItem], budget: int) -> None:
    batches = equal_batches(items, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(items)))
    for batch in batches:
        assert len({len(items[i].prompt_ids) for i in batch}) == 1
        longest = max(len(items[i].prompt_ids) + (items[i].params or GenerationParams()).max_new_tokens for i in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget


@settings(max_examples=60, deadline=None)
@given(generation, st.sampled_from([0, 40, 300]), st.integers(1, 400))
def test_every_prompt_waits_once_behind_tokens_it_begins_with(items: list[WorkItem], shared: int, budget: int) -> None:
    items = [generated(i, (7,) * shared + item.prompt_ids, 5) for i, item in enumerate(items)]
    groups = prompt_groups(items, budget)
    assert sorted(index for _, indices in groups for index in indices) == list(range(len(items)))
    for chain_of, indices in groups:
        header = sum((part.ids for part in chain_of), ())
        assert len(header) == chain_of[-1].length
        assert all(items[i].prompt_ids[: len(header)] == header and len(items[i].prompt_ids) > len(header) for i in indices)


@given(generation, st.integers(8, 200), st.integers(1, 9))
@settings(deadline=None)
def test_cohorts_hold_every_text_once_and_depend_on_the_items_alone(items: list[WorkItem], budget: int, size: int) -> None:
    found = cohorts(items, budget, size)
    assert sorted(index for cohort in found for index in cohort) == list(range(len(items)))
    assert all(1 <= len(cohort) <= size for cohort in found)
    assert cohorts(items, budget, size) == found


def test_nothing_to_plan() -> None:
    assert (
        list(walk(plan([], 100))) == []
        and packs_of([], [], 9) == []
        and padded_packs([], 9) == []
        and equal_batches([], 9) == []
        and prompt_groups([], 9) == []
    )


def test_shots_in_common_are_read_once() -> None:
    shots = tuple(range(500))
    items = [scored(i, ((((*shots, i, 1)), (2,)), ((*shots, i, 1), (3,)))) for i in range(10, 20)]
    ((header, pack),) = walk(plan(items, 1000))
    assert header == shots and len(pack) == 10
