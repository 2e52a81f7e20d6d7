"""Text, in left-padded batches that shrink as rows finish.

Stops are found on text, since a stop may begin inside a token and end in another. Every sample
has a generator of its own, so neither batch nor order can change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from evalkit.models.base import WorkItem
from evalkit.models.hf.cache import growing_cache
from evalkit.types import GenerationParams, Response

RETIRE = 8  # finished rows leave the batch once they are an eighth of it: leaving costs a copy of the rest


@dataclass(slots=True)
class _Row:
    item: WorkItem
    params: GenerationParams
    generator: torch.Generator | None
    ids: list[int] = field(default_factory=list)


def generate(
    model: Any, tokenizer: Any, items: Sequence[WorkItem], *, pad: int, eos: frozenset[int], grow: bool
) -> Iterator[list[Response]]:
    """Continue every item's prompt until a stop, EOS or its own limit; answers come as rows finish.

    Args:
        grow: the model's layers are all attention, so keys and values may grow in place.
    """
    rows = [_Row(item, item.params or GenerationParams(), _generator(item)) for item in items]
    finished: set[int] = set()
    active = list(range(len(rows)))
    ids, mask = _left_padded(items, pad)
    ids, mask = ids.to(model.device), mask.to(model.device)
    past = growing_cache() if grow else None
    while True:
        with torch.inference_mode():  # not across a yield: it would leak into whoever reads the answers
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            out = model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=past, use_cache=True, logits_to_keep=1)
            past = out.past_key_values
            tokens = _choose(out.logits[:, -1].float(), [rows[index] for index in active])
        fresh = []
        for index, token in zip(active, tokens, strict=True):
            if index not in finished and (answer := _step(rows[index], token, tokenizer, eos)) is not None:
                finished.add(index)
                fresh.append(answer)
        if fresh:
            yield fresh
        if len(finished) == len(rows):
            return
        if sum(index in finished for index in active) * RETIRE >= len(active):
            kept = [place for place, index in enumerate(active) if index not in finished]
            keep = torch.tensor(kept, dtype=torch.long, device=model.device)
            with torch.inference_mode():
                past.batch_select_indices(keep)
            mask = mask[keep]
            active = [active[place] for place in kept]
            tokens = [tokens[place] for place in kept]
        ids = torch.tensor(tokens, dtype=torch.long, device=model.device)[:, None]
        mask = torch.cat([mask, mask.new_ones(len(active), 1)], dim=1)


def _choose(logits: torch.Tensor, rows: Sequence[_Row]) -> list[int]:
    """The next token of every row: the most likely one, or a draw from the row's own generator."""
    best: list[int] = logits.argmax(-1).tolist()
    return [_draw(logits[place], row) if row.generator is not None else best[place] for place, row in enumerate(rows)]


def tokens_in(model: Any, size: int) -> int:
    """Tokens whose keys and values fit into `size` bytes; at least one long row's worth."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return max(2048, size // (2 * config.num_hidden_layers * heads * width * model.dtype.itemsize))


def _left_padded(items: Sequence[WorkItem], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(item.prompt_ids) for item in items)
    ids = torch.full((len(items), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(items), longest), dtype=torch.long)
    for index, item in enumerate(items):
        ids[index, longest - len(item.prompt_ids) :] = torch.tensor(item.prompt_ids)
        mask[index, longest - len(item.prompt_ids) :] = 1
    return ids, mask


def _generator(item: WorkItem) -> torch.Generator | None:
    if item.params is None or item.params.temperature <= 0:
        return None
    # The item's key already hashes prompt, parameters, seed and sample index.
    seed = int.from_bytes(hashlib.sha256(f"{item.key}|{item.params.seed}|{item.sample}".encode()).digest()[:7], "big")
    return torch.Generator().manual_seed(seed)


def _draw(logits: torch.Tensor, row: _Row) -> int:
    probabilities = (logits.cpu().double() / row.params.temperature).softmax(0)
    if row.params.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        outside = ordered.cumsum(0) - ordered >= row.params.top_p
        probabilities[order[outside]] = 0.0
    return int(torch.multinomial(probabilities, 1, generator=row.generator))


def _step(row: _Row, token: int, tokenizer: Any, eos: frozenset[int]) -> Response | None:
    """Add a token; the finished answer, or None while the row goes on."""
    ended = token in eos
    row.ids.append(token)
    text = tokenizer.decode(row.ids, skip_special_tokens=True)
    cut = cut_at_stops(text, row.params.stop)
    if not (ended or len(cut) < len(text) or len(row.ids) >= row.params.max_new_tokens):
        return None
    complete = ended or len(cut) < len(text)
    return Response(
        row.item.key,
        "empty" if not cut.strip() else "ok" if complete else "length",
        text=cut,
        context_tokens=len(row.item.prompt_ids),
        output_tokens=len(row.ids),
        truncated_tokens=row.item.truncated_tokens,
    )


def cut_at_stops(text: str, stops: Sequence[str]) -> str:
    """The text before the first occurrence of any stop."""
    ends = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text
