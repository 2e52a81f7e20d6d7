"""A logits processor that makes the engine write the tokens it is told to. Imported by vLLM; needs it.

Log-probabilities are reckoned from the model's own scores before any processor sees them, so they stay what they are.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor, MoveDirectionality

NAME = "evalkit_follow"  # of the request's extra argument


class Follow(LogitsProcessor):
    """Leaves only the next token of a request's own list possible; requests without a list are left alone."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self.device = device
        self.rows: dict[int, tuple[list[int], list[int]]] = {}  # batch row: tokens to follow, tokens written so far (the engine's own list)

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        return None

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: Any) -> None:
        if batch_update is None:
            return
        for index in batch_update.removed:
            self.rows.pop(index, None)
        for index, params, _, written in batch_update.added:
            self.rows.pop(index, None)
            if (tokens := (params.extra_args or {}).get(NAME)) is not None:
                self.rows[index] = (tokens, written)
        for source, target, direction in batch_update.moved:
            one, other = self.rows.pop(source, None), self.rows.pop(target, None)
            if one is not None:
                self.rows[target] = one
            if other is not None and direction == MoveDirectionality.SWAP:
                self.rows[source] = other

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """(batch, vocabulary) logits in which every led row has one token left."""
        if not self.rows:
            return logits
        led = {row: tokens[len(written)] for row, (tokens, written) in self.rows.items() if len(written) < len(tokens)}
        rows, columns = list(led), list(led.values())
        logits[rows] = -math.inf
        logits[rows, columns] = 0.0
        return logits
