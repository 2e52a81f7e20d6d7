"""Which way of scoring holds on this engine: two ways that share nothing are held against each other at start."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from evalkit.errors import ModelError
from evalkit.models.base import TokenIds, WorkItem
from evalkit.models.vllm.asks import Form, Gathering, scoring_asks

log = logging.getLogger("evalkit")
TOLERANCE, COARSE = 1e-3, 0.25  # nats that the two ways may differ by, in float32 and in less
STEM, END = 24, 5  # tokens of the probe's context and continuations


class _Runs(Protocol):
    led_by: str | None

    def run(self, asks: Any) -> Any: ...


def choose_form(engine: _Runs, tokenizer: Any, length: int, dtype: str) -> Form:
    """`follow` where following a text gives what reading it gives, else `prompt`.

    Raises:
        ModelError: the engine's two ways differ even for single tokens, so none of its numbers can be trusted.
    """
    item = probe_item(len(tokenizer), min(STEM, length - END))
    read = _scored(engine, item, "prompt")
    if engine.led_by is None:
        return "prompt"
    tolerance = TOLERANCE if dtype == "float32" else COARSE
    try:
        followed = _scored(engine, item, "follow")
    except ModelError as error:
        log.warning("vLLM does not follow a given text here, so whole prompts are read, which is slower (%s)", error)
        return "prompt"
    worst = max(abs(a - b) for a, b in zip(read, followed, strict=True))
    if worst <= tolerance:
        return "follow"
    log.warning("vLLM's two ways of scoring differ by %.3g, so whole prompts are read, which is slower", worst)
    return "prompt"


def probe_item(vocabulary: int, stem: int) -> WorkItem:
    """Two continuations behind one context."""
    context: TokenIds = tuple((7 * i + 31) % vocabulary for i in range(max(1, stem)))
    ends = [tuple((13 * i + 17 * pair + 41) % vocabulary for i in range(END - pair)) for pair in range(2)]
    return WorkItem("probe", "probe", "probe", 0, "loglikelihood", pairs=tuple((context, end) for end in ends))


def _scored(engine: _Runs, item: WorkItem, form: Form) -> tuple[float, ...]:
    asks = scoring_asks(0, item, form)
    gathering = Gathering([item], asks)
    answers = [answer for ask, given in engine.run(asks) if (answer := gathering.take(ask, given)) is not None]
    return answers[0].loglikelihoods or ()
