"""Drafts are what followed the same tokens before, never longer than they deserve."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evalkit.models.hf.prompt_lookup import GRAM, LONGEST, PromptLookup, share_out

texts = st.lists(st.integers(0, 3), max_size=60)


@given(texts)
def test_a_draft_goes_on_as_the_text_once_did(ids: list[int]) -> None:
    draft = PromptLookup(ids).draft()
    if not draft:
        return
    whole = [*ids, *draft]
    for end in range(len(ids), len(whole)):  # each drafted token follows its gram somewhere before, drafted ones included
        gram = whole[end - GRAM : end + 1]
        assert any(whole[at : at + GRAM + 1] == gram for at in range(end - GRAM))
    assert len(draft) <= LONGEST


@given(texts)
def test_a_gram_seen_before_gives_a_draft_and_a_new_one_none(ids: list[int]) -> None:
    before = [ids[at : at + GRAM] for at in range(len(ids) - GRAM)]
    assert bool(PromptLookup(ids).draft()) == (len(ids) > GRAM and ids[-GRAM:] in before)


def test_trust_follows_what_was_kept() -> None:
    lookup = PromptLookup([1, 2, 3, 4] * 20)
    assert lookup.draft() == [1, 2, 3]
    lookup.judge(3, 3)
    assert lookup.draft() == [1, 2, 3, 4, 1, 2]
    lookup.judge(6, 6)
    assert len(lookup.draft()) == LONGEST
    lookup.judge(LONGEST, 1)
    assert lookup.draft() == [1, 2]
    lookup.judge(2, 0)
    assert lookup.draft() == []  # misses a turn
    assert lookup.draft() == [1]


@given(st.lists(st.integers(0, 15), max_size=20), st.integers(-5, 60))
def test_what_is_shared_out_fits(lengths: list[int], room: int) -> None:
    sizes = share_out([[0] * length for length in lengths], room)
    assert all(size <= length for size, length in zip(sizes, lengths, strict=True))
    assert sum(sizes) == min(sum(lengths), max(0, room))
