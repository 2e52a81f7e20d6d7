"""Attention with the log-sum-exp of its scores: a device's own kernels where they agree with the written form, else that.

A device's kernels never hold the scores of all queries with all keys; the written form takes as many queries at once as fit `SCORES`.
Which kernel serves is decided, before its first use, by a trial on random states of the same device, type and width, so a kernel that is
missing, refuses or computes something else is never used.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping

import torch

log = logging.getLogger(__name__)

Attended = tuple[torch.Tensor, torch.Tensor]  # attention's result, and the log-sum-exp of its scores
Kernel = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, float], Attended]
SCORES = 1 << 26  # scores that the written form computes at once: 256 MB in float32
ALIGNED = 8  # elements: a kernel on CUDA reads rows of a mask that begin at multiples of 16 bytes
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 4e-2}


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float, softcap: float | None = None
) -> Attended:
    """Attention and the log-sum-exp of its scores.

    Args:
        query: (b, heads, t, width).
        key: (b, heads, s, width): as many heads as the queries have.
        value: (b, heads, s, value width).
        mask: additive, in the queries' type, broadcast to (b, heads, t, s); None where every query sees every key.
        scale: of the scores, before `softcap` bends them.

    Returns:
        (b, heads, t, value width) in the values' type, and (b, heads, t) in float32 (float64 for such queries).
    """
    found = None if softcap is not None else kernel_for(query.device, query.dtype, query.shape[-1], value.shape[-1], mask is not None)
    if found is None:
        return written(query, key, value, mask, scale, softcap)
    return found(query, key, value, mask, scale)


def written(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float, softcap: float | None = None
) -> Attended:
    """The same as `attend`, by its definition: scores in float32 (or float64), so many queries at a time that they fit `SCORES`."""
    exact = torch.float64 if query.dtype == torch.float64 else torch.float32
    rows = max(1, SCORES // (query.shape[0] * query.shape[1] * key.shape[2]))
    keys, outs, sums = key.to(exact).transpose(-1, -2), [], []
    for start in range(0, query.shape[2], rows):
        scores = query[:, :, start : start + rows].to(exact) @ keys * scale
        if softcap is not None:
            scores = torch.tanh(scores / softcap) * softcap
        if mask is not None:
            scores = scores + (mask[:, :, start : start + rows] if mask.shape[2] > 1 else mask)
        lse = scores.logsumexp(-1)
        outs.append(torch.matmul(scores.sub_(lse[..., None]).exp_().to(value.dtype), value))
        sums.append(lse)
    return (outs[0], sums[0]) if len(outs) == 1 else (torch.cat(outs, 2), torch.cat(sums, 2))


def additive(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The mask that adds nothing where it is allowed to look and −∞ elsewhere, laid out as the device's kernels read it."""
    *rest, columns = allowed.shape
    room = columns if allowed.device.type == "cpu" else columns + -columns % ALIGNED
    mask = torch.zeros((*rest, room), dtype=dtype, device=allowed.device)[..., :columns]
    return mask.masked_fill_(~allowed, -math.inf)


def flash_on_cpu(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    """PyTorch's flash kernel for processors."""
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(query, key, value, 0.0, False, attn_mask=mask, scale=scale)
    return out, lse


def flash(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    """PyTorch's flash kernel for GPUs: half precision, every query sees every key."""
    if mask is not None:
        raise RuntimeError("this kernel has no masks")
    out, lse, *_ = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, 0.0, False, False, scale=scale)
    return out, lse


def efficient(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float) -> Attended:
    """PyTorch's memory-efficient kernel for GPUs: any mask, any type but float64, and values of another width than keys."""
    if mask is not None:
        if any(stride % ALIGNED for stride in mask.stride()[:-1]):
            mask = torch.nn.functional.pad(mask, (0, -mask.shape[-1] % ALIGNED))[..., : mask.shape[-1]]
        mask = mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    out, lse, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(query, key, value, mask, True, 0.0, False, scale=scale)
    return out, lse[..., : query.shape[2]]  # the kernel fills whole blocks of queries


KERNELS: Mapping[str, tuple[Kernel, ...]] = {"cpu": (flash_on_cpu,), "cuda": (flash, efficient)}  # the fastest first
SAME_WIDTH = (flash_on_cpu, flash)  # want values as wide as keys
_chosen: dict[tuple[torch.device, torch.dtype, int, int, bool], Kernel | None] = {}


def kernel_for(device: torch.device, dtype: torch.dtype, width: int, value_width: int, masked: bool) -> Kernel | None:
    """The first of a device's kernels that gives what the written form gives; None where none does. Tried once per process."""
    kind = (device, dtype, width, value_width, masked)
    if kind not in _chosen:
        _chosen[kind] = _choose(*kind)
    return _chosen[kind]


def _choose(device: torch.device, dtype: torch.dtype, width: int, value_width: int, masked: bool) -> Kernel | None:
    for kernel in KERNELS.get(device.type, ()):
        if kernel in SAME_WIDTH and width != value_width:
            continue
        why = trial(kernel, device, dtype, width, value_width, masked)
        if why is None:
            return kernel
        log.debug("the attention kernel %s is not used on %s (%s, %d wide): %s", kernel.__name__, device, dtype, width, why)
    return None


def trial(kernel: Kernel, device: torch.device, dtype: torch.dtype, width: int, value_width: int, masked: bool) -> str | None:
    """Why a kernel cannot be used, None where it can: random states against the written form, odd lengths, masked keys."""
    draw = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 37, width), (2, 3, 53, width), (2, 3, 53, value_width))
    query, key, value = (torch.randn(shape, generator=draw).to(device, dtype) for shape in shapes)
    mask = additive(torch.rand((2, 1, 37, 53), generator=draw).to(device) < 0.5, dtype) if masked else None
    within = TOLERANCE.get(dtype, 0.0)
    with torch.inference_mode():
        try:
            out, lse = kernel(query, key, value, mask, 0.2)
            right, sums = written(query, key, value, mask, 0.2)
        except (RuntimeError, ValueError, AttributeError) as error:  # not built in, or not for these states
            return str(error).partition("\n")[0]
        if out.shape != right.shape or lse.shape != sums.shape:
            return f"shapes {tuple(out.shape)} and {tuple(lse.shape)}"
        gaps = [float((one.double() - other.double()).abs().max()) for one, other in ((out, right), (lse, sums))]
    # What is not a number is within nothing.
    return next((f"off by {gap:.1e}" for gap in gaps if not gap <= within), None)


def used(dtype: torch.dtype) -> list[str]:
    """Names of the kernels that this process chose for states of a type, for the manifest."""
    return sorted({kernel.__name__ if kernel else "written" for (_, of, *_), kernel in _chosen.items() if of == dtype})
