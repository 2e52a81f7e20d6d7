"""Pages of a mapped file go and come back; other memory is left alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from evalkit.models.hf.allocator import forget, mapped_files

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's list of mappings is Linux's")


def resident_file_pages() -> int:
    """kB of mapped files in this process's memory."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile"))
    return int(line.split()[1])


def test_pages_of_a_file_leave_and_are_read_again(tmp_path: Path) -> None:
    save_file({"a": torch.arange(4_000_000, dtype=torch.float32), "b": torch.ones(5000)}, tmp_path / "w.safetensors")
    weights = load_file(tmp_path / "w.safetensors")
    total = float(weights["a"].sum())
    before = resident_file_pages()
    assert forget(weights["a"].data_ptr(), weights["a"].nbytes, mapped_files())
    assert resident_file_pages() < before - 12_000
    assert float(weights["a"].sum()) == total and bool((weights["b"] == 1).all())


def test_memory_of_no_file_is_left_alone() -> None:
    mine = torch.arange(1_000_000)
    assert not forget(mine.data_ptr(), mine.nbytes, mapped_files())
    assert torch.equal(mine, torch.arange(1_000_000))


def test_less_than_a_page_is_left_alone(tmp_path: Path) -> None:
    save_file({"a": torch.ones(100)}, tmp_path / "w.safetensors")
    weights = load_file(tmp_path / "w.safetensors")
    assert not forget(weights["a"].data_ptr(), weights["a"].nbytes, mapped_files())
