"""From hidden state to vocabulary, only where a log-probability is asked for, in small chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

CHUNK = 32  # positions projected at once: their logits stay in the processor's cache
GPU_CHUNK = 2048


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

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(positions, width) hidden states to (positions, vocabulary) logits, in float32 or wider."""
        logits = self.head(hidden)
        if self.multiply != 1.0 or self.divide != 1.0:
            logits = logits * (self.multiply / self.divide)
        if self.softcap:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        return logits if logits.dtype == torch.float64 else logits.float()

    def read(self, hidden: torch.Tensor, asks: Sequence[tuple[int, int]]) -> tuple[list[float], list[bool]]:
        """Log-probability of each (position, token) ask, and whether the token is the most likely one.

        Args:
            hidden: (positions, width) hidden states; logits already, when the projection is not exact.
        """
        positions = sorted({position for position, _ in asks})
        where = {position: row for row, position in enumerate(positions)}
        order = sorted(range(len(asks)), key=lambda i: where[asks[i][0]])
        logprobs, greedy = [0.0] * len(asks), [False] * len(asks)
        size = CHUNK if hidden.device.type == "cpu" else GPU_CHUNK
        done = 0
        for start in range(0, len(positions), size):
            chosen = hidden[torch.tensor(positions[start : start + size], device=hidden.device)]
            logits = self.logits(chosen) if self.exact else chosen.float()
            normaliser, best = logits.logsumexp(1), logits.argmax(1)
            mine = []
            while done < len(order) and where[asks[order[done]][0]] < start + size:
                mine.append(order[done])
                done += 1
            rows = torch.tensor([where[asks[i][0]] - start for i in mine], device=hidden.device)
            tokens = torch.tensor([asks[i][1] for i in mine], device=hidden.device)
            values = (logits[rows, tokens] - normaliser[rows]).tolist()
            hits = (best[rows] == tokens).tolist()
            for index, value, hit in zip(mine, values, hits, strict=True):
                logprobs[index], greedy[index] = value, hit
        return logprobs, greedy

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
        ids = torch.arange(5, 21, device=self.model.device).remainder(vocabulary)[None]
        with torch.inference_mode():
            expected = self.model(input_ids=ids, use_cache=False).logits[0]
            try:
                with self.held_back() as seen:
                    self.model(input_ids=ids, use_cache=False)
                got = self.logits(seen[0][0]) if seen else None
            except (RuntimeError, TypeError, IndexError):
                return False
        return got is not None and got.shape == expected.shape and torch.allclose(got, expected.to(got.dtype), rtol=1e-4, atol=1e-4)
