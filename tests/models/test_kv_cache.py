"""Which rows of a batch one attention call reads."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from evalkit.models.hf import kv_cache
from evalkit.models.hf.kv_cache import PADDED, Run, runs_of
from tests.models.test_architectures import TREE, build, one_thread  # noqa: F401
from tests.models.test_generation import generator, prompts, written

counts_of_rows = st.lists(st.integers(1, 17), min_size=1, max_size=40)


@given(counts_of_rows)
def test_runs_hold_every_row_once_and_pad_little(counts: list[int]) -> None:
    runs = runs_of(counts)
    assert [row for first, last in runs for row in range(first, last)] == list(range(len(counts)))
    for first, last in runs:
        mine = counts[first:last]
        assert mine and len(mine) * max(mine) - sum(mine) <= PADDED


def test_a_long_draft_does_not_lengthen_its_neighbours() -> None:
    assert runs_of([1] * 20 + [17] + [1] * 19) == [(0, 20), (20, 22), (22, 40)]
    assert runs_of([1] * 40) == [(0, 40)]
    assert runs_of([5] * 4 + [4] * 4) == [(0, 8)]


@given(counts_of_rows, st.integers(0, 3))
def test_rows_and_line_are_each_others_inverse(counts: list[int], before: int) -> None:
    tokens = sum(counts)
    states = torch.randn(2, before + tokens + 1, 3)
    run = Run(slice(0, len(counts)), slice(before, before + tokens), counts, [4] * len(counts), 0, "cpu")
    rows = run.in_rows(states)
    assert rows.shape == (len(counts), 2, max(counts), 3)
    assert torch.equal(run.in_line(rows).transpose(0, 1), states[:, before : before + tokens])


@pytest.mark.parametrize("name", ["Llama", "Gemma3Text"])
def test_how_rows_are_cut_into_runs_changes_no_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(name, TREE[name], torch.float64)
    expected = written(generator(model, budget=100, most=12), prompts())
    for padded in (0, 3, 10**6):
        monkeypatch.setattr(kv_cache, "PADDED", padded)
        assert written(generator(model, budget=100, most=12), prompts()) == expected
