"""Text from models the tree path does not fit: `generate` itself, on prompts of equal length.

Without padding, any architecture (recurrent ones too) reads what it would read alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from evalkit.models.base import WorkItem
from evalkit.models.checkpoint import FAILURES, first_line, is_memory
from evalkit.models.hf.prefixes import rows_of
from evalkit.models.hf.rotary import Rotary
from evalkit.models.hf.sequence import GeneratedSequence, choose
from evalkit.models.placement import home_of
from evalkit.types import Response

log = logging.getLogger("evalkit")


class _Writer:
    """Chooses each row's token as the logits pass by, and says which rows are finished."""

    def __init__(self, rows: Sequence[GeneratedSequence], tokenizer: Any, eos: frozenset[int]) -> None:
        self.rows, self.tokenizer, self.eos = rows, tokenizer, eos
        self.answers: dict[int, Response] = {}

    def process(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Leave only the chosen token possible."""
        tokens = choose(scores.float(), self.rows)
        for index, (row, token) in enumerate(zip(self.rows, tokens, strict=True)):
            if index not in self.answers and (answer := row.add(token, self.tokenizer, self.eos)) is not None:
                self.answers[index] = answer
        only = torch.full_like(scores, -torch.inf)
        only[range(len(tokens)), tokens] = 0.0
        return only

    def finished(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.tensor([index in self.answers for index in range(len(self.rows))], device=ids.device)


class _Reader:
    """Makes a model write a given text, and adds up what it thought of it."""

    def __init__(self, target: Sequence[int]) -> None:
        self.left = list(target)
        self.total = 0.0

    def process(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Leave only the text's next token possible."""
        token = self.left.pop(0)
        self.total += float(scores[0].double().log_softmax(-1)[token])
        only = torch.full_like(scores, -torch.inf)
        only[:, token] = 0.0
        return only

    def finished(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.tensor([not self.left], device=ids.device)


def cached_loglikelihood(model: Any, context: Sequence[int], target: Sequence[int], pad: int, before: Any = None) -> float:
    """Sum of log-probabilities of `target` behind `context`, read as `generate` reads what it writes: token by token, with a cache.

    Args:
        before: a cache that holds the first tokens of `context`.
    """
    Rotary(model).forget()
    reader = _Reader(target)
    _run(model, [context], reader, len(target), pad, use_cache=True, before=before)
    return reader.total


def generate_plainly(
    model: Any, tokenizer: Any, items: Sequence[WorkItem], *, pad: int, eos: frozenset[int], use_cache: bool = True, before: Any = None
) -> Iterator[list[Response]]:
    """Continue prompts of one length until a stop, EOS or each row's own limit.

    A model that fails with its cache (some recurrent ones in some shapes) reads everything again for every token.

    Args:
        before: a cache that holds the first tokens of every prompt, which are the same.
    """
    Rotary(model).forget()
    try:
        answers = _written(model, tokenizer, items, pad, eos, use_cache=use_cache, before=before)
    except FAILURES as error:
        if is_memory(error) or not use_cache:
            raise
        log.info("%s cannot write with its cache (%s); it writes without one", type(model).__name__, first_line(error))
        Rotary(model).forget()
        answers = _written(model, tokenizer, items, pad, eos, use_cache=False)
    yield answers


def _written(
    model: Any, tokenizer: Any, items: Sequence[WorkItem], pad: int, eos: frozenset[int], *, use_cache: bool, before: Any = None
) -> list[Response]:
    writer = _Writer([GeneratedSequence.of(item) for item in items], tokenizer, eos)
    longest = max(row.item.limit for row in writer.rows)
    _run(model, [item.prompt_ids for item in items], writer, longest, pad, use_cache=use_cache, before=before)
    return list(writer.answers.values())


def _run(
    model: Any, prompts: Sequence[Sequence[int]], writer: _Writer | _Reader, longest: int, pad: int, *, use_cache: bool, before: Any = None
) -> None:
    """Let `generate` ask `writer` for every token."""
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

    ids = torch.tensor([list(prompt) for prompt in prompts], device=home_of(model))
    # Everything is chosen by the writer. `generate` would take what is not said here from the checkpoint's own configuration,
    # penalties, forced tokens and stop strings alike.
    config = GenerationConfig(do_sample=False, num_beams=1, max_new_tokens=longest, pad_token_id=pad, use_cache=use_cache)
    own, model.generation_config = model.generation_config, GenerationConfig()
    try:
        with torch.inference_mode():
            model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                past_key_values=None if before is None else rows_of(before, len(prompts)),
                generation_config=config,
                logits_processor=LogitsProcessorList([writer.process]),
                stopping_criteria=StoppingCriteriaList([writer.finished]),
            )
    finally:
        model.generation_config = own
