"""Attention kernels: chosen by a trial, equal to the written form, and no device's scores are held whole."""

from __future__ import annotations

import pytest
import torch

from evalkit.models.hf import kernels
from evalkit.models.hf.kernels import Attended, additive, attend, efficient, flash, flash_on_cpu, kernel_for, used, written

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """No choice of one test is another's."""
    monkeypatch.setattr(kernels, "_chosen", {})


def states(rows: int = 9, columns: int = 14, width: int = 16, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(1)
    shapes = ((2, 3, rows, width), (2, 3, columns, width), (2, 3, columns, width))
    return tuple(torch.randn(shape, generator=draw).to(dtype) for shape in shapes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
def test_the_processors_kernel_passes_its_trial_and_equals_the_written_form(dtype: torch.dtype, masked: bool) -> None:
    assert kernel_for(CPU, dtype, 16, 16, masked) is flash_on_cpu
    query, key, value = states(dtype=dtype)
    mask = additive(torch.rand(2, 1, 9, 14) < 0.6, dtype) if masked else None
    out, lse = attend(query, key, value, mask, 0.3)
    right, sums = written(query, key, value, mask, 0.3)
    torch.testing.assert_close(out, right, atol=kernels.TOLERANCE[dtype], rtol=0)
    torch.testing.assert_close(lse.double(), sums.double(), atol=kernels.TOLERANCE[dtype], rtol=0)


def off_by_a_little(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    out, lse = written(query, key, value, mask, scale)
    return out, lse + 0.001


def base_two(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    out, lse = written(query, key, value, mask, scale)
    return out, lse / torch.tensor(2.0).log()


def deaf_to_masks(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    return written(query, key, value, None, scale)


def nothing(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    out, lse = written(query, key, value, mask, scale)
    return out * float("nan"), lse


def no_sums(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    out, lse = written(query, key, value, mask, scale)
    return out, lse * float("nan")


def padded(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    out, lse = written(query, key, value, mask, scale)
    return out, torch.nn.functional.pad(lse, (0, 5))


def refusing(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    raise RuntimeError("no kernel image is available\nand more")


def right(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    return written(query, key, value, mask, scale)


@pytest.mark.parametrize("wrong", [off_by_a_little, base_two, nothing, no_sums, padded, refusing])
@pytest.mark.parametrize("masked", [False, True])
def test_a_kernel_that_computes_something_else_or_refuses_is_never_used(
    wrong: kernels.Kernel, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "KERNELS", {"cpu": (wrong,)})
    assert kernel_for(CPU, torch.float32, 16, 16, masked) is None
    monkeypatch.setattr(kernels, "KERNELS", {"cpu": (wrong, right)})
    kernels._chosen.clear()
    assert kernel_for(CPU, torch.float32, 16, 16, masked) is right


def test_a_kernel_may_serve_without_a_mask_and_not_under_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "KERNELS", {"cpu": (deaf_to_masks, right)})
    assert kernel_for(CPU, torch.float32, 16, 16, False) is deaf_to_masks
    assert kernel_for(CPU, torch.float32, 16, 16, True) is right
    assert used(torch.float32) == ["deaf_to_masks", "right"]


def test_kernels_of_gpus_are_not_tried_to_death_where_there_is_none() -> None:
    """Both refuse states on a processor, and the trial takes that for an answer."""
    for kernel in (flash, efficient):
        assert kernels.trial(kernel, CPU, torch.float32, 16, 16, False)
    assert kernel_for(torch.device("meta"), torch.float32, 16, 16, False) is None
    assert used(torch.float32) == ["written"]


def test_the_efficient_kernel_gets_aligned_masks_and_gives_back_as_many_sums_as_queries() -> None:
    query, key, value = (one.to("meta", torch.bfloat16) for one in states(37, 53, 64))
    aligned = additive(torch.ones((2, 1, 37, 53), dtype=torch.bool, device="meta"), torch.bfloat16)
    assert aligned.shape == (2, 1, 37, 53) and aligned.stride(2) % 8 == 0
    for mask in (None, aligned, torch.zeros((1, 1, 37, 53), dtype=torch.bfloat16, device="meta")):
        out, lse = efficient(query, key, value, mask, 0.2)
        assert out.shape == (2, 3, 37, 64) and lse.shape == (2, 3, 37)


@pytest.mark.parametrize("softcap", [None, 3.0])
@pytest.mark.parametrize("masked", [False, True])
def test_the_written_form_takes_few_queries_at_once_and_says_the_same(
    softcap: float | None, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, key, value = states()
    mask = additive(torch.rand(2, 1, 9, 14) < 0.6, torch.float32) if masked else None
    whole = written(query, key, value, mask, 0.3, softcap)
    largest = 0
    real = torch.Tensor.logsumexp

    def seen(scores: torch.Tensor, dim: int) -> torch.Tensor:
        nonlocal largest
        largest = max(largest, scores.numel())
        return real(scores, dim)

    monkeypatch.setattr(torch.Tensor, "logsumexp", seen)
    monkeypatch.setattr(kernels, "SCORES", 200)
    parts = written(query, key, value, mask, 0.3, softcap)
    assert 0 < largest <= 200
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_scores_of_half_precision_are_not_rounded_to_it() -> None:
    """Scores of hundreds, one apart: eight bits would make them equal."""
    query = torch.full((1, 1, 1, 2), 16.0, dtype=torch.bfloat16)
    key = torch.tensor([[[[16.0, 0.0], [16.0, 0.0625]]]], dtype=torch.bfloat16)
    _, lse = written(query, key, torch.eye(2, dtype=torch.bfloat16)[None, None], None, 1.0)
    assert float(lse) == pytest.approx(256 + float(torch.tensor([0.0, 1.0]).logsumexp(0)), abs=1e-3)
