"""Drawing shots: lm-evaluation-harness 0.4.13's stream, and what holds for every sampler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.data import draw
from evalkit.errors import ConfigError, DataError
from evalkit.types import Doc

# Drawn by lm_eval.api.samplers.ContextSampler of lm-evaluation-harness 0.4.13 (rnd=1234); a string holds one
# document's shots in order, by index into the pool.
PLAIN = ["7 1 0", "1 9 0", "10 1 11", "5 3 0", "0 11 5", "10 9 7"]  # 3 of 12, eval_doc=None
OTHER_SPLIT = ["7 1 0", "9 0 1", "5 3 0", "0 5 9", "9 7 2", "2 1 0"]  # 3 of 12, eval_doc given, not in the pool
SAME_SPLIT = [  # 3 of 12, eval_doc in the pool
    "7 1 10", "9 0 11", "5 3 0", "0 5 9", "9 7 2", "2 1 0", "7 3 1", "1 9 10", "9 0 4", "8 1 4", "5 4 3", "7 8 0",
]  # fmt: skip
DUPLICATES = [  # 4 of 9 whose contents are 0 1 2 3 0 1 2 3 0: too few are left at times, so it draws again
    "1 3 2 2", "3 0 3 2", "3 0 1 0", "1 0 0 0", "2 3 1 2", "0 3 3 2", "3 3 0 1", "0 1 0 2", "3 2 1 1",
]  # fmt: skip


@dataclass(frozen=True)
class Spec:
    sampler: str = "lm_eval"
    seed: int = 1234
    extra_draw: bool = False
    by_group: bool = False


def doc(text: Any, id: str = "", **more: Any) -> Doc:
    return Doc(id=id or str(text), fields={"q": str(text)}, target=str(text), **more)


def contents(shots: dict[str, tuple[Doc, ...]]) -> list[str]:
    return [" ".join(shot.target for shot in chosen) for chosen in shots.values()]


POOL = [doc(i, id=f"train/{i}") for i in range(12)]
EVAL = [doc(f"e{i}", id=f"test/{i}") for i in range(6)]


def test_replays_the_harness_with_a_pool_of_its_own() -> None:
    assert contents(draw(EVAL, POOL, 3, Spec(), pool_is_eval=False)) == PLAIN


def test_replays_the_extra_draw() -> None:
    assert contents(draw(EVAL, POOL, 3, Spec(extra_draw=True), pool_is_eval=False)) == OTHER_SPLIT
    assert contents(draw(POOL, POOL, 3, Spec(extra_draw=True), pool_is_eval=True)) == SAME_SPLIT


def test_replays_the_second_draw_after_duplicates() -> None:
    docs = [doc(i % 4, id=f"v/{i}") for i in range(9)]
    assert contents(draw(docs, docs, 4, Spec(extra_draw=True), pool_is_eval=True)) == DUPLICATES


def test_first_n_takes_file_order() -> None:
    assert contents(draw(EVAL, POOL, 5, Spec(sampler="first_n"), pool_is_eval=False)) == ["0 1 2 3 4"] * 6


def test_pool_that_is_the_evaluated_split_leaves_the_document_out_without_extra_draw() -> None:
    assert contents(draw(POOL, POOL, 3, Spec(), pool_is_eval=True)) == SAME_SPLIT


def test_one_stream_per_language_and_group() -> None:
    def member(language: str, group: str, i: int, split: str) -> Doc:
        return doc(f"{split}{i}", id=f"{language}/{group}/{split}{i}", language=language, group=group)

    keys = [("hi", "a"), ("hi", "b"), ("ta", "a")]
    docs = [member(language, group, i, "e") for language, group in keys for i in range(3)]
    pool = [member(language, group, i, "p") for language, group in keys for i in range(6)]
    grouped = draw(docs, pool, 2, Spec(by_group=True), pool_is_eval=False)
    for d in docs:
        assert {(shot.language, shot.group) for shot in grouped[d.id]} == {(d.language, d.group)}
    alone = draw(docs[6:], pool[12:], 2, Spec(by_group=True), pool_is_eval=False)
    assert {id: grouped[id] for id in alone} == alone
    by_language = draw(docs, pool, 2, Spec(), pool_is_eval=False)
    assert all(shot.language == d.language for d in docs for shot in by_language[d.id])


def test_a_leaked_document_is_not_shown_and_later_draws_stay_the_same() -> None:
    leaked = [POOL[7], *EVAL[1:]]  # the harness shows 7 to the first document
    shots = draw(leaked, POOL, 3, Spec(), pool_is_eval=False)
    assert "7" not in contents(shots)[0].split()
    assert contents(shots)[1:] == PLAIN[1:]


def test_no_shots() -> None:
    assert draw(EVAL, (), 0, Spec(), pool_is_eval=False) == {d.id: () for d in EVAL}


@pytest.mark.parametrize("sampler", ["lm_eval", "first_n", "per_doc"])
def test_too_small_a_pool(sampler: str) -> None:
    with pytest.raises(DataError, match="3 shots wanted, the pool has 2"):
        draw(EVAL, POOL[:2], 3, Spec(sampler=sampler), pool_is_eval=False)
    with pytest.raises(DataError, match="3 shots wanted, the pool has 2"):
        draw(POOL[:3], POOL[:3], 3, Spec(sampler=sampler), pool_is_eval=True)


def test_unknown_sampler_and_negative_number() -> None:
    with pytest.raises(ConfigError, match="did you mean first_n"):
        draw(EVAL, POOL, 1, Spec(sampler="firstn"), pool_is_eval=False)
    with pytest.raises(ConfigError, match="negative"):
        draw(EVAL, POOL, -1, Spec(), pool_is_eval=False)


SPECS = st.builds(Spec, sampler=st.sampled_from(["lm_eval", "first_n", "per_doc"]), seed=st.integers(0, 9), extra_draw=st.booleans())


@given(texts=st.lists(st.integers(0, 6), min_size=1, max_size=25), n=st.integers(1, 4), spec=SPECS)
def test_never_the_evaluated_document(texts: list[int], n: int, spec: Spec) -> None:
    docs = [doc(text, id=f"v/{i}") for i, text in enumerate(texts)]
    try:
        shots = draw(docs, docs, n, spec, pool_is_eval=True)
    except DataError:
        assert any(sum(other != text for other in texts) < n for text in texts)
        return
    for d in docs:
        assert len(shots[d.id]) == n
        assert all(shot.target != d.target for shot in shots[d.id])
        assert len({shot.id for shot in shots[d.id]}) == n


@given(n=st.integers(1, 5), spec=SPECS, size=st.integers(1, 12))
def test_deterministic_and_a_prefix_of_documents_gets_the_same_shots(n: int, spec: Spec, size: int) -> None:
    docs = [doc(f"e{i}", id=f"test/{i}") for i in range(12)]
    full = draw(docs, POOL, n, spec, pool_is_eval=False)
    assert draw(docs, POOL, n, spec, pool_is_eval=False) == full
    assert draw(docs[:size], POOL, n, spec, pool_is_eval=False) == {d.id: full[d.id] for d in docs[:size]}


@given(order=st.permutations(range(8)))
def test_per_doc_does_not_depend_on_other_documents(order: list[int]) -> None:
    docs = [doc(f"e{i}", id=f"test/{i}") for i in range(8)]
    spec = Spec(sampler="per_doc")
    assert draw([docs[i] for i in order], POOL, 2, spec, pool_is_eval=False) == draw(docs, POOL, 2, spec, pool_is_eval=False)
