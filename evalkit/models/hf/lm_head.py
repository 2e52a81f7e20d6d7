"""From hidden state to vocabulary, only where it is asked for, block by block of words.

A block of logits is made, read and forgotten while it lies in the processor's cache; the whole matrix of positions × vocabulary
never exists. Maximum and normaliser run along from block to block.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from evalkit.models.checkpoint import FAILURES, is_memory
from evalkit.models.placement import home_of

ROWS, GPU_ROWS = 512, 2048  # positions projected at once
WHOLE_ROWS = 32  # the same where the vocabulary cannot be taken in blocks
FEW_ROWS = 64  # up to here they are multiplied from the other side
WORDS, GPU_WORDS = 2048, 1 << 15  # of the vocabulary at once


def _multiply(hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """`linear`, with the factors of a few rows the other way round: a tall result keeps a CPU's units busy where a wide one does not."""
    if hidden.device.type != "cpu" or hidden.dtype != torch.float32 or len(hidden) > FEW_ROWS:
        return torch.nn.functional.linear(hidden, weight, bias)
    logits = (weight @ hidden.t()).t()
    return logits if bias is None else logits.add_(bias)


def _at_hand(weight: torch.Tensor) -> bool:
    return type(weight) in (torch.Tensor, torch.nn.Parameter) and weight.device.type != "meta"


class Projection:
    """The model's path from hidden state to logits, applied to chosen positions only.

    What a model does after its output embedding (soft-capping, scaling) is elementwise and named by
    its configuration; `exact` says whether that was confirmed against the model's own logits.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.head = model.get_output_embeddings()
        config = model.config.get_text_config()
        self.softcap = getattr(config, "final_logit_softcapping", None)
        self.multiply = float(getattr(config, "logit_scale", None) or 1.0)
        self.divide = float(getattr(config, "logits_scaling", None) or 1.0)
        self.exact = self.head is not None and self._agrees()
        # Not an adapter's or quantised weights, nor weights that are fetched for every pass.
        self._in_blocks = self.exact and type(self.head) is torch.nn.Linear and _at_hand(self.head.weight)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(positions, width) hidden states to (positions, vocabulary) logits, in float32 or wider."""
        return self._finish(self.head(hidden))

    def read(self, hidden: torch.Tensor, asks: Sequence[tuple[int, int]]) -> tuple[list[float], list[bool]]:
        """Log-probability of each (position, token) ask, and whether the token is the most likely one.

        Args:
            hidden: (positions, width) hidden states; logits already, when the projection is not exact.
        """
        positions = sorted({position for position, _ in asks})
        where = {position: row for row, position in enumerate(positions)}
        order = sorted(range(len(asks)), key=lambda i: where[asks[i][0]])
        logprobs, greedy = [0.0] * len(asks), [False] * len(asks)
        size = (ROWS if hidden.device.type == "cpu" else GPU_ROWS) if self._in_blocks else WHOLE_ROWS
        done = 0
        for start in range(0, len(positions), size):
            chosen = hidden[torch.tensor(positions[start : start + size], device=hidden.device)]
            mine = []
            while done < len(order) and where[asks[order[done]][0]] < start + size:
                mine.append(order[done])
                done += 1
            rows = torch.tensor([where[asks[i][0]] - start for i in mine], device=hidden.device)
            tokens = torch.tensor([asks[i][1] for i in mine], device=hidden.device)
            values, hits = self._read(chosen, rows, tokens)
            for index, value, hit in zip(mine, values.tolist(), hits.tolist(), strict=True):
                logprobs[index], greedy[index] = value, hit
        return logprobs, greedy

    def best(self, hidden: torch.Tensor) -> torch.Tensor:
        """(positions,) the most likely token after each position; of equally likely ones the first."""
        top, token = None, None
        for start, logits in self._blocks(hidden):
            here, place = logits.max(1)
            if top is None or token is None:
                top, token = here, place + start
            else:
                token = torch.where(here > top, place + start, token)
                top = torch.maximum(top, here)
        assert token is not None, "a vocabulary has words"
        return token

    def _read(self, hidden: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probability of `tokens[i]` at position `rows[i]`, and whether it is the best, of equals the first; may overwrite `hidden`."""
        count, device = len(hidden), hidden.device
        wide = torch.float64 if device.type == "cpu" or hidden.dtype == torch.float64 else torch.float32
        values = hidden.new_zeros(len(rows), dtype=torch.float64 if hidden.dtype == torch.float64 else torch.float32)
        first = torch.zeros(len(rows), dtype=torch.bool, device=device)  # the best of its block, and the first of the equally good
        block_of = torch.zeros(len(rows), dtype=torch.long, device=device)
        top = values.new_full((count,), -math.inf)
        home = torch.zeros(count, dtype=torch.long, device=device)  # the block in which the best one so far is
        total = torch.zeros(count, dtype=wide, device=device)
        for number, (start, logits) in enumerate(self._blocks(hidden)):
            peak = logits.amax(1)
            inside = ((tokens >= start) & (tokens < start + logits.shape[1])).nonzero()[:, 0]
            if len(inside):
                row, column = rows[inside], tokens[inside] - start
                value = logits[row, column]
                values[inside], block_of[inside] = value, number
                if len(tied := (value == peak[row]).nonzero()[:, 0]):
                    first[inside[tied]] = logits[row[tied]].argmax(1) == column[tied]
            home = torch.where(peak > top, number, home)
            higher = torch.maximum(top, peak)
            # A row that is -inf so far has nothing to carry; without the clamp it would be inf - inf.
            shift = higher.clamp(min=torch.finfo(higher.dtype).min)
            total.mul_((top - shift).to(wide).exp_())
            total.add_(logits.sub_(shift[:, None]).exp_().sum(1))
            top = higher
        return values.to(wide) - (total.log() + top)[rows], first & (home[rows] == block_of)

    def _blocks(self, hidden: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """(first word, (positions, words) logits that the reader may overwrite), over the whole vocabulary."""
        if not self.exact:
            yield 0, hidden if hidden.dtype == torch.float64 else hidden.float()
        elif not self._in_blocks:
            yield 0, self.logits(hidden).to(hidden.device)
        else:
            weight, bias = self.head.weight, self.head.bias
            hidden, back = hidden.to(weight.device), hidden.device
            size = WORDS if hidden.device.type == "cpu" else GPU_WORDS
            for start in range(0, weight.shape[0], size):
                part = slice(start, start + size)
                yield start, self._finish(_multiply(hidden, weight[part], None if bias is None else bias[part])).to(back)

    def _finish(self, logits: torch.Tensor) -> torch.Tensor:
        if self.multiply != 1.0 or self.divide != 1.0:
            logits = logits * (self.multiply / self.divide)
        if self.softcap:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        return logits if logits.dtype == torch.float64 else logits.float()

    @contextmanager
    def held_back(self) -> Iterator[list[torch.Tensor]]:
        """Within, a forward pass leaves its hidden states in the list and projects none of them."""
        seen: list[torch.Tensor] = []

        def keep(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            seen.append(arguments[0])
            return (arguments[0][:, :0], *arguments[1:])

        handle = self.head.register_forward_pre_hook(keep)
        try:
            yield seen
        finally:
            handle.remove()

    def _agrees(self) -> bool:
        vocabulary = self.model.config.get_text_config().vocab_size
        ids = torch.arange(5, 21, device=home_of(self.model)).remainder(vocabulary)[None]
        with torch.inference_mode():
            try:
                expected = self.model(input_ids=ids, use_cache=False).logits[0]
                with self.held_back() as seen:
                    self.model(input_ids=ids, use_cache=False)
                got = self.logits(seen[0][0]) if seen else None
            except FAILURES as error:
                if is_memory(error):
                    raise
                return False
        return got is not None and got.shape == expected.shape and torch.allclose(got, expected.to(got.dtype), rtol=1e-4, atol=1e-4)
