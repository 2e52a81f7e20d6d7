"""Log-likelihoods in right-padded batches, logits only where a log-probability is asked for.

Padding sits behind every real token, so a causal model needs no mask for it. The vocabulary
projection is held back by a hook on the output embedding and applied to the asked positions in
small chunks: memory does not grow with vocabulary × length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from evalkit.models.base import WorkItem
from evalkit.models.planning import Row, rows_of
from evalkit.types import Response

CHUNK = 64  # positions projected to the vocabulary at once


class Projection:
    """The model's path from hidden state to logits, applied to chosen positions only.

    Everything a model does after its output embedding (soft-capping, scaling) is elementwise and
    known by its configuration; `exact` says whether that was confirmed against the model itself.
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
        """(positions, width) hidden states to (positions, vocabulary) float32 logits."""
        logits = self.head(hidden) * self.multiply / self.divide
        if self.softcap:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        return logits if logits.dtype == torch.float64 else logits.float()

    @contextmanager
    def held_back(self) -> Iterator[list[torch.Tensor]]:
        """Within, a forward pass leaves its hidden states in the list and projects one position."""
        seen: list[torch.Tensor] = []

        def keep(_: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            seen.append(arguments[0])
            return (arguments[0][:, :1], *arguments[1:])

        handle = self.head.register_forward_pre_hook(keep)
        try:
            yield seen
        finally:
            handle.remove()

    def _agrees(self) -> bool:
        vocabulary = self.model.config.get_text_config().vocab_size
        ids = torch.arange(5, 21, device=self.model.device).remainder(vocabulary)[None]
        with torch.inference_mode():
            expected = self.model(input_ids=ids, use_cache=False).logits
            try:
                with self.held_back() as seen:
                    self.model(input_ids=ids, use_cache=False)
                got = self.logits(seen[0][0]) if seen else None
            except (RuntimeError, TypeError, IndexError):
                return False
        return got is not None and torch.allclose(got, expected[0].to(got.dtype), rtol=1e-4, atol=1e-4)


def score(model: Any, projection: Projection, items: Sequence[WorkItem], pad: int) -> list[Response]:
    """Log-likelihoods of every pair of every item, in one forward pass.

    Args:
        model: a causal language model in evaluation mode.
        items: log-likelihood items; equal inputs among them are computed once.
        pad: any valid token id.
    """
    rows = rows_of(items)
    longest = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
    wanted = _positions(rows)
    with torch.inference_mode():
        states = _states(model, projection, ids.to(model.device), wanted)
        logprobs, greedy = _gather(projection, states, wanted.targets, model.device)
    return _responses(items, rows, wanted, logprobs, greedy)


class _Wanted:
    """Flat positions to read: row, position and target per scored token, and where each ask begins."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.places: list[int] = []
        self.targets: list[int] = []
        self.starts: list[int] = []


def _positions(rows: Sequence[Row]) -> _Wanted:
    wanted = _Wanted()
    for index, row in enumerate(rows):
        for _, _, first, target in row.asks:
            wanted.starts.append(len(wanted.targets))
            wanted.rows.extend([index] * len(target))
            wanted.places.extend(range(first, first + len(target)))
            wanted.targets.extend(target)
    wanted.starts.append(len(wanted.targets))
    return wanted


def _states(model: Any, projection: Projection, ids: torch.Tensor, wanted: _Wanted) -> torch.Tensor:
    """Hidden states (or, without an exact projection, logits) at the wanted positions."""
    if projection.exact:
        with projection.held_back() as seen:
            model(input_ids=ids, use_cache=False)
        return seen[0][wanted.rows, wanted.places]
    return model(input_ids=ids, use_cache=False).logits[wanted.rows, wanted.places]


def _gather(projection: Projection, states: torch.Tensor, targets: Sequence[int], device: Any) -> tuple[list[float], list[bool]]:
    target = torch.tensor(targets, device=device)
    logprobs: list[float] = []
    greedy: list[bool] = []
    for start in range(0, len(targets), CHUNK):
        part = states[start : start + CHUNK]
        logits = projection.logits(part) if projection.exact else part
        logits = logits if logits.dtype == torch.float64 else logits.float()
        chosen = target[start : start + CHUNK]
        picked = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(1)
        logprobs.extend(picked.tolist())
        greedy.extend((logits.argmax(1) == chosen).tolist())
    return logprobs, greedy


def _responses(items: Sequence[WorkItem], rows: Sequence[Row], wanted: _Wanted, logprobs: list[float], greedy: list[bool]) -> list[Response]:
    sums = [[0.0] * len(item.pairs) for item in items]
    best = [[False] * len(item.pairs) for item in items]
    ask = 0
    for row in rows:
        for item, pair, _, _ in row.asks:
            span = slice(wanted.starts[ask], wanted.starts[ask + 1])
            sums[item][pair] = sum(logprobs[span])
            best[item][pair] = all(greedy[span])
            ask += 1
    return [
        Response(
            item.key,
            "ok",
            loglikelihoods=tuple(sums[index]),
            greedy=tuple(best[index]),
            context_tokens=max(len(context) for context, _ in item.pairs),
            output_tokens=sum(len(target) for _, target in item.pairs),
            truncated_tokens=item.truncated_tokens,
        )
        for index, item in enumerate(items)
    ]
