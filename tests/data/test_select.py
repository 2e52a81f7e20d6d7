from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.data import limit_docs
from evalkit.errors import ConfigError
from evalkit.types import Doc

STRATA = st.lists(st.tuples(st.sampled_from(["hi", "ta", None]), st.sampled_from(["a", "b", None])), max_size=40)


def docs_of(strata: list[tuple[str | None, str | None]]) -> list[Doc]:
    return [Doc(id=str(i), fields={}, language=language, group=group) for i, (language, group) in enumerate(strata)]


def test_without_groups_the_first_n() -> None:
    docs = docs_of([(None, None)] * 9)
    assert limit_docs(docs, 4) == tuple(docs[:4])


def test_spread_over_groups_in_file_order() -> None:
    docs = docs_of([(None, "a")] * 5 + [(None, "b")] * 5 + [(None, None)])
    assert [d.id for d in limit_docs(docs, 6)] == ["0", "1", "2", "5", "6", "10"]
    assert limit_docs(docs, None) == tuple(docs)


@pytest.mark.parametrize("limit", [0, -3])
def test_limit_below_one(limit: int) -> None:
    with pytest.raises(ConfigError, match=f"limit={limit}"):
        limit_docs(docs_of([(None, None)]), limit)


@given(strata=STRATA, limit=st.integers(1, 50))
def test_even_spread(strata: list[tuple[str | None, str | None]], limit: int) -> None:
    docs = docs_of(strata)
    chosen = limit_docs(docs, limit)
    assert len(chosen) == min(limit, len(docs))
    assert [int(d.id) for d in chosen] == sorted(int(d.id) for d in chosen)
    taken, there = Counter((d.language, d.group) for d in chosen), Counter(strata)
    # No stratum is more than one document ahead of another that still had some to give.
    assert all(taken[a] <= taken[b] + 1 for a in there for b in there if taken[b] < there[b])
    for stratum in there:
        members = [d for d in docs if (d.language, d.group) == stratum]
        assert [d for d in chosen if (d.language, d.group) == stratum] == members[: taken[stratum]]


@given(strata=STRATA, limit=st.integers(1, 40))
def test_a_larger_limit_keeps_what_a_smaller_one_chose(strata: list[tuple[str | None, str | None]], limit: int) -> None:
    docs = docs_of(strata)
    assert set(d.id for d in limit_docs(docs, limit)) <= set(d.id for d in limit_docs(docs, limit + 1))
