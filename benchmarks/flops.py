"""The machine's own limit: how much arithmetic a work needs at least, and how fast this machine multiplies matrices.

FLOPs of distinct tokens: every distinct prefix position once, 2 a weight of every matrix in the layers; attention, 4 a
head width for each key a query sees; the vocabulary projection only at positions whose log-probability is asked for
(or from which a token is generated). Norms, activations, softmax and the moving of data are not counted: no engine
reaches the limit, and nothing that computes these answers can be faster.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Matrix = tuple[int, int]  # inputs, outputs
ROWS = (256, 512, 1024, 2048)  # tokens a multiplication; the fastest counts
HEAD_ROWS = (32, 128, 512)
LAYERS = 4  # layers' worth of different weights in turn, so that they come from memory as a model's do


@dataclass(frozen=True)
class Shape:
    """What of a model costs arithmetic.

    Attributes:
        matrices: (inputs, outputs) -> how many in all layers, the vocabulary projection left out.
        windows: keys a query sees at most, a layer; None for all.
        attention: heads × head width.
    """

    matrices: dict[Matrix, int]
    windows: tuple[int | None, ...]
    attention: int
    width: int
    vocabulary: int

    @property
    def weights(self) -> int:
        """Weights of all layers' matrices."""
        return sum(inputs * outputs * count for (inputs, outputs), count in self.matrices.items())


@dataclass(frozen=True)
class Counted:
    """Distinct work: tokens read, (query, key) pairs by window, positions projected to the vocabulary."""

    tokens: int
    seen: dict[int | None, int]
    projected: int

    def body(self, shape: Shape) -> float:
        """FLOPs of layers and attention."""
        layers = Counter(shape.windows)
        return 2.0 * shape.weights * self.tokens + sum(4.0 * shape.attention * n * self.seen[window] for window, n in layers.items())

    def head(self, shape: Shape) -> float:
        """FLOPs of the vocabulary projection."""
        return 2.0 * shape.width * shape.vocabulary * self.projected


@dataclass(frozen=True)
class Rates:
    """FLOP a second at the shapes of the layers, and at that of the vocabulary projection."""

    body: float
    head: float

    def seconds(self, work: Counted, shape: Shape) -> float:
        """The limit of a work."""
        return work.body(shape) / self.body + work.head(shape) / self.head


def shape_of(config: Any) -> Shape:
    """The shape of a transformers configuration's model, built without memory. Mixtures of experts are not understood."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head, text = model.get_output_embeddings(), config.get_text_config()
    matrices: Counter[Matrix] = Counter()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            matrices[module.in_features, module.out_features] += 1
        elif isinstance(module, Conv1D):
            matrices[module.nx, module.nf] += 1
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return Shape(dict(matrices), windows_of(text), text.num_attention_heads * width, text.hidden_size, text.vocab_size)


def windows_of(text: Any) -> tuple[int | None, ...]:
    """Keys a query may see, a layer."""
    window, kinds = getattr(text, "sliding_window", None), getattr(text, "layer_types", None)
    if kinds:
        return tuple(window if kind == "sliding_attention" else None for kind in kinds)
    return (window,) * text.num_hidden_layers


def count(sequences: Iterable[tuple[tuple[int, ...], int]], windows: Iterable[int | None] = (None,)) -> Counted:
    """Distinct work of token sequences.

    Args:
        sequences: (tokens read, index of the first whose next token's probability is wanted: it and all after it).
    """
    seen = dict.fromkeys(windows, 0)
    tokens, before, owners = 0, (), []
    asked: set[tuple[int, int]] = set()
    for index, (ids, first) in enumerate(sorted(sequences)):
        shared = common(before, ids)
        fresh = len(ids) - shared
        tokens += fresh
        for window in seen:
            seen[window] += keys_seen(shared, len(ids), window)
        owners[shared:] = [index] * fresh  # a position belongs to the first sequence that reaches it
        asked.update((owners[place], place) for place in range(first, len(ids)))
        before = ids
    return Counted(tokens, seen, len(asked))


def generated(prompts: Sequence[tuple[int, ...]], written: Sequence[int], windows: Iterable[int | None] = (None,)) -> Counted:
    """Distinct work of writing `written[i]` tokens after prompt i: the last one written is never read."""
    windows = list(windows)
    shared = count(((ids, len(ids)) for ids in prompts), windows)
    seen = dict(shared.seen)
    for ids, new in zip(prompts, written, strict=True):
        for window in seen:
            seen[window] += keys_seen(len(ids), len(ids) + max(0, new - 1), window)
    return Counted(shared.tokens + sum(max(0, new - 1) for new in written), seen, sum(written))


def keys_seen(start: int, end: int, window: int | None) -> int:
    """Keys that the queries at positions start … end-1 see, each its own position included."""
    if window is None:
        return (end * (end + 1) - start * (start + 1)) // 2
    full = min(max(start, window), end)
    return keys_seen(start, full, None) + (end - full) * window


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common prefix."""
    low, high = 0, min(len(a), len(b))
    while low < high:  # comparing slices is far quicker than a loop over tokens
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low


def rates(shape: Shape, dtype: str, device: str = "cpu", seconds: float = 3.0) -> Rates:
    """Matrix multiplication at the model's shapes with the threads PyTorch has now: of several heights the fastest,
    of each the median of repeats, since other processes slow single ones down."""
    import torch

    kind = getattr(torch, dtype)
    depth = len(shape.windows)
    layer = [matrix for matrix, n in shape.matrices.items() for _ in range(max(1, round(n / depth)))]
    share = seconds / (len(ROWS) + len(HEAD_ROWS))

    def fastest(matrices: Sequence[Matrix], heights: Sequence[int], copies: int) -> float:
        weights = [torch.randn(outputs, inputs, dtype=kind, device=device) for _ in range(copies) for inputs, outputs in matrices]
        flop = 2.0 * sum(weight.numel() for weight in weights)
        return max(height * flop / _median(weights, height, share, device) for height in heights)

    with torch.inference_mode():
        return Rates(fastest(layer, ROWS, min(LAYERS, depth)), fastest([(shape.width, shape.vocabulary)], HEAD_ROWS, 1))


def _median(weights: Sequence[Any], height: int, seconds: float, device: str) -> float:
    import torch

    inputs = {weight.shape[1]: torch.randn(height, weight.shape[1], dtype=weight.dtype, device=device) for weight in weights}
    taken: list[float] = []
    while len(taken) < 4 or (sum(taken) < seconds and len(taken) < 1000):
        started = time.perf_counter()
        for weight in weights:
            torch.nn.functional.linear(inputs[weight.shape[1]], weight)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])
