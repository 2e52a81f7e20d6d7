"""Which way of reading a model fits, found out at start by comparing each with one sequence at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from evalkit.errors import ModelError
from evalkit.models.base import WorkItem
from evalkit.models.batching import Header
from evalkit.models.checkpoint import FAILURES, first_line, is_memory
from evalkit.models.placement import quantized_by

if TYPE_CHECKING:
    from evalkit.models.hf.scoring import Scorer

log = logging.getLogger("evalkit")
TOLERANCE = 2e-4  # relative difference of log-likelihoods that is accepted, in float32
ROUGH_TOLERANCE = 0.05  # the same in narrower types
SAME = 0.005  # the same where both are computed alike, in any type
# Of the logits after one token, the distance over the length: what is accepted in float32 and in narrower types, where rounding alone
# was seen to make 0.05. A state that is not gone on from makes 0.3 or more right behind it.
TURNED, ROUGHLY_TURNED = 1e-3, 0.15
LONGEST_PROBE = 2048  # tokens of the longest header that is tried
BEHIND = 24  # tokens of a probe behind its header, at most
AFFORDABLE, ON_GPU = 10**12, 100  # weights × tokens that a CPU multiplies in some twenty seconds; how much faster a GPU is
# What cuts attention without being handed to the attention function, and may lie far beyond any check at start.
UNTOLD = ("attention_chunk_size", "keep_window_size")
CHUNKED = "chunked_attention"  # of a layer, for which our attention looks up the chunk


def choose_path(scorer: Scorer) -> tuple[str, str]:
    """`tree`, `cached`, `plain` or `single`, and why not a faster one.

    Raises:
        ModelError: the model reads what follows a token, or cannot read one sequence.
    """
    why = _no_tree(scorer)
    scorer.forward.length = 0
    if why is None:
        return "tree", ""
    _refuse_readers_of_the_future(scorer)
    if getattr(scorer.model.config.get_text_config(), "keep_window_size", None):
        return "single", "which keys its attention keeps depends on the longest sequence of a batch"
    uneven = _uneven(scorer)
    padding = _worst(scorer, lambda: _alone(scorer, uneven), lambda: _read("plain", scorer, uneven))
    if isinstance(padding, str):
        return "single", f"it cannot read several sequences at once ({padding})"
    if padding > _tolerance(scorer):
        return "single", f"padding behind a sequence changes its numbers (by {padding:.1g}, relative)"
    if scorer.forward.rotary.unknown:
        return "single", why
    no_cache = _no_cache(scorer)
    if no_cache is None:
        return "cached", why
    log.debug("every sequence is read whole: %s", no_cache)
    return "plain", f"{why}; {no_cache}"


def _no_cache(scorer: Scorer) -> str | None:
    """Why what texts share cannot be read into the model's own cache and go on from there; None where it can."""
    config = scorer.model.config.get_text_config()
    if scorer.forward.rotary.depends_on_length:
        return "its rotary embedding depends on length"
    limits = _limits(config)
    if any(getattr(config, name, None) for name in UNTOLD) or any(limit + BEHIND > _affordable(scorer) for limit in limits):
        return "its windows are longer than what can be tried at start"
    size = max([BEHIND, *limits]) + BEHIND
    for scorer.prefixes.positions in (True, False):
        gap = _worst(scorer, lambda: (0.0,), lambda: (_turned(scorer, size),))
        if not isinstance(gap, str) and gap <= (TURNED if _exact(scorer) else ROUGHLY_TURNED):
            break
    else:
        if isinstance(gap, str):
            return f"its cache cannot be gone on from ({gap})"
        return f"it does not go on from its cache (what it expects is off by {gap:.1g} of itself)"
    head = _some_ids(config.vocab_size, size)
    scorer.prefixes.measure(head, scorer.budget)
    some = _probe_of(config.vocab_size, (2, 19), 1)
    probe = replace(some, pairs=tuple(((*head, *context), target) for context, target in some.pairs))
    gap = _worst(scorer, lambda: _alone(scorer, probe), lambda: _gone_on(scorer, probe, head))
    if isinstance(gap, str):
        return f"its cache cannot be gone on from ({gap})"
    return f"its cache changes its numbers (by {gap:.1g}, relative)" if gap > _tolerance(scorer) else None


def _turned(scorer: Scorer, size: int) -> float:
    """How far logits behind a cache are from those of the whole sequence, relative to their length: the worst token of all tried.

    Wherever the cache ends, and whether one token is read behind it or several: that is different code in many models.
    """
    ids = _some_ids(scorer.model.config.get_text_config().vocab_size, size + 24)
    whole = _centred(scorer.logits(ids, slice(size, None)))
    worst = 0.0
    for cut, end in ((size, size + 24), (size + 1, size + 24), (size + 11, size + 24), (size + 5, size + 6)):
        chain_of = [Header(ids[: cut // 2], 0), Header(ids[cut // 2 : cut], cut // 2)]
        cache = scorer.prefixes.behind(chain_of, {}, scorer.budget)
        right = whole[cut - size : end - size]
        got = _centred(scorer.logits(ids[cut:end], slice(None), cut, cache))
        worst = max(worst, float(((got - right).norm(dim=1) / right.norm(dim=1).clamp_min(1e-9)).max()))
    return worst


def _centred(logits: torch.Tensor) -> torch.Tensor:
    return logits - logits.mean(1, keepdim=True)


def _gone_on(scorer: Scorer, probe: WorkItem, head: Sequence[int]) -> tuple[float, ...]:
    cache = scorer.prefixes.behind([Header(tuple(head), 0)], {}, scorer.budget)
    return scorer.untreed([probe], "cached", len(head), cache)[0].loglikelihoods or ()


def _some_ids(vocabulary: int, size: int) -> tuple[int, ...]:
    return tuple((7 * i * i + 3 * i + 5) % vocabulary for i in range(size))


def _limits(config: Any) -> list[int]:
    """What a model's configuration calls a window or a chunk."""
    return [value for name, value in config.to_dict().items() if ("window" in name or "chunk" in name) and type(value) is int]


def _affordable(scorer: Scorer) -> int:
    """Tokens of a sequence that can be tried within about a minute."""
    weights = sum(parameter.numel() for parameter in scorer.model.parameters())
    most = AFFORDABLE * (1 if scorer.forward.device.type == "cpu" else ON_GPU) // (5 * max(1, weights))
    return min(most, 2 * LONGEST_PROBE)


def _no_tree(scorer: Scorer) -> str | None:
    """Why the tree path does not fit; None where it does."""
    forward, rotary = scorer.forward, scorer.forward.rotary
    if not scorer.projection.exact or not _dispatches(scorer.model):
        return "its attention does not go through ours (its own code, recurrent layers)"
    config = scorer.model.config.get_text_config()
    for name in UNTOLD:
        if getattr(config, name, None) and not (name == "attention_chunk_size" and CHUNKED in _kinds(config)):
            return f"its attention depends on {name}, which ours is not told"
    if apart := _positions_are_not_told(scorer) or _leaks(scorer):
        return apart
    probe, header = _probe(scorer)
    for length in [0, *(switch + 1 for switch in rotary.switches), *([rotary.grows_from + 40] if rotary.grows_from else [])]:
        forward.length = length
        gap = _worst(scorer, lambda: _alone(scorer, probe), lambda: _below(scorer, probe, header))
        if isinstance(gap, str):
            log.debug("tree attention does not fit this model: %s", gap)
            return "its attention does not go through ours (its own code, recurrent layers)"
        if gap > _tolerance(scorer):
            return f"what it shares changes its numbers (by {gap:.1g}, relative)"
    window = _window(config)
    reaches = forward.attention.reaches
    if window > LONGEST_PROBE - BEHIND and not any(window in reach for reach in reaches):
        return f"its window of {window} tokens is longer than the check at start, and its layers do not tell it"
    return _other_factors(scorer)


def _positions_are_not_told(scorer: Scorer) -> str | None:
    """What to say of a model that counts positions itself, whatever it is told (Bart), or from elsewhere (RoBERTa).

    Every pass is computed alike, so this is as sure in bfloat16 as in float32, where rounding hides what is off by a position.
    """
    size = 12
    ids = torch.arange(5, 5 + size, device=scorer.forward.device).remainder(scorer.model.config.get_text_config().vocab_size)[None]
    inside = torch.arange(size, device=ids.device)[None]
    farther = inside + (inside >= size // 2)  # one position is left out

    def read(**told: Any) -> tuple[float, ...]:
        with torch.inference_mode():
            scorer.forward.rotary.forget()
            logits = scorer.model(input_ids=ids, use_cache=False, **told).logits[0, -1]
        return tuple(logits.float().log_softmax(-1).tolist())

    gap = _worst(scorer, read, lambda: read(position_ids=inside))
    if isinstance(gap, str):
        return f"it cannot be told positions ({gap})"
    if gap > SAME:
        return f"it counts positions in another way than it is told them (by {gap:.1g}, relative)"
    return "it does not heed the positions it is told" if read(position_ids=farther) == read() else None


def _leaks(scorer: Scorer) -> str | None:
    """What to say of a model in which a sequence is changed by what comes before it in a pack: convolutions, n-grams, recurrent layers."""
    vocabulary = scorer.model.config.get_text_config().vocab_size
    probe, others = _probe_of(vocabulary, (1, 2)), [_probe_of(vocabulary, (9,)), _probe_of(vocabulary, (9,), 1)]

    def read(other: WorkItem) -> tuple[float, ...]:
        return scorer._tree([other, probe], 0, {})[1].loglikelihoods or ()

    gap = _worst(scorer, lambda: read(others[0]), lambda: read(others[1]))
    if isinstance(gap, str):
        return None  # the comparison with one at a time says what went wrong
    return f"what lies next to a sequence in a pack changes its numbers (by {gap:.1g}, relative)" if gap > SAME else None


def cache_differs(scorer: Scorer, written: Callable[[Sequence[int], Sequence[int]], float]) -> float:
    """How far, relatively, a model that writes with its cache is from the same model reading the whole text; 0 within rounding.

    Args:
        written: sum of log-probabilities of a text behind a prompt, read token by token with a cache.
    """
    probe = _uneven(scorer)
    gap = _worst(scorer, lambda: _alone(scorer, probe), lambda: tuple(written(*pair) for pair in probe.pairs))
    return gap if not isinstance(gap, str) and gap > _tolerance(scorer) else 0.0  # one that fails is found while it writes


def writes_behind(scorer: Scorer, written: Callable[..., float]) -> bool:
    """Whether `generate` goes on from a cache that holds the first tokens of its prompt.

    Args:
        written: sum of log-probabilities of a text behind a prompt, whose first half the cache `before` holds.
    """
    probe = _uneven(scorer)

    def got() -> tuple[float, ...]:
        sums = []
        for context, target in probe.pairs:
            cache = scorer.prefixes.behind([Header(context[: len(context) // 2], 0)], {}, scorer.budget)
            sums.append(written(context, target, before=cache))
        return tuple(sums)

    gap = _worst(scorer, lambda: _alone(scorer, probe), got)
    return not isinstance(gap, str) and gap <= _tolerance(scorer)


def _other_factors(scorer: Scorer) -> str | None:
    """What to say of a model whose numbers depend on how long its neighbours are, without its configuration saying so."""
    config = scorer.model.config.get_text_config()
    farthest = getattr(config, "max_position_embeddings", None)
    if not isinstance(farthest, int) or scorer.forward.rotary.depends_on_length:
        return None
    probe = _probe_of(config.vocab_size, (2, 19))

    def read(length: int) -> tuple[float, ...]:
        scorer.forward.length = length
        return scorer._tree([probe], 0, {})[0].loglikelihoods or ()

    gap = _worst(scorer, lambda: read(0), lambda: read(farthest))
    scorer.forward.length = 0
    if isinstance(gap, str) or gap <= _tolerance(scorer):
        return None
    scorer.forward.rotary.unknown = True
    return f"its numbers depend on the length of what is read with it (by {gap:.1g}, relative)"


def _refuse_readers_of_the_future(scorer: Scorer) -> None:
    """Raise where what follows a sequence's first token changes what is expected after that token."""
    vocabulary = scorer.model.config.get_text_config().vocab_size
    rows = [[3 % vocabulary, *((step * i + 5) % vocabulary for i in range(30))] for step in (7, 11)]
    with torch.inference_mode():
        try:
            first, second = (scorer.logits(row, slice(1))[0].log_softmax(-1) for row in rows)
        except FAILURES as error:
            if is_memory(error):
                raise
            raise ModelError(f"{type(scorer.model).__name__} cannot read one sequence: {first_line(error)}") from error
    gap = float((first - second).abs().max())
    if not gap <= (0.05 if _exact(scorer) and quantized_by(scorer.model.config) is None else 0.5):  # a causal model is off by rounding
        raise ModelError(
            f"{type(scorer.model).__name__} is no causal language model: what follows a token changes what it expects after it "
            f"(by {gap:.2g} nats), so it has no log-likelihoods; set is_decoder in its config.json if it was trained as a decoder"
        )


def _worst(scorer: Scorer, expected: Callable[[], tuple[float, ...]], got: Callable[[], tuple[float, ...]]) -> float | str:
    """The largest relative difference; what went wrong where one of the two cannot be computed."""
    try:
        with torch.inference_mode():
            pairs = list(zip(expected(), got(), strict=True))
    except FAILURES as error:
        return first_line(error)
    gaps = [abs(a - b) / max(1.0, abs(a)) for a, b in pairs]
    return max((gap if gap == gap else float("inf") for gap in gaps), default=float("inf"))


def _alone(scorer: Scorer, probe: WorkItem) -> tuple[float, ...]:
    return _read("single", scorer, probe)


def _read(path: str, scorer: Scorer, probe: WorkItem) -> tuple[float, ...]:
    return scorer.untreed([probe], path)[0].loglikelihoods or ()


def _below(scorer: Scorer, probe: WorkItem, header: Header) -> tuple[float, ...]:
    state = scorer.forward.read(header, {}, scorer.budget)
    if not scorer.forward.attention.calls:
        raise RuntimeError("its layers do not call the attention interface")
    return scorer._tree([probe], header.length, state)[0].loglikelihoods or ()


def _exact(scorer: Scorer) -> bool:
    return scorer.model.dtype in (torch.float32, torch.float64)


def _tolerance(scorer: Scorer) -> float:
    return TOLERANCE if _exact(scorer) else ROUGH_TOLERANCE


def _dispatches(model: Any) -> bool:
    """Whether the architecture says that its attention goes through the interface, and is not recurrent."""
    interface = getattr(model, "_supports_attention_backend", False) or getattr(model, "_supports_sdpa", False)
    return bool(interface) and not getattr(model, "_is_stateful", False)


def _probe(scorer: Scorer) -> tuple[WorkItem, Header]:
    """An item of three pairs that branch twice, and the header before them; long enough to feel a window, short enough for one set
    of rotary factors."""
    config, rotary = scorer.model.config.get_text_config(), scorer.forward.rotary
    window = _window(config)
    size = min(window + BEHIND, LONGEST_PROBE) if window else BEHIND
    for limit in (*rotary.switches, rotary.grows_from):
        size = size if limit is None else max(1, min(size, limit - BEHIND))
    vocabulary = config.vocab_size
    head = tuple((7 * i + 3) % vocabulary for i in range(size))
    stem = (*head, *((11 * i + 5) % vocabulary for i in range(9)))
    ends = tuple(tuple((13 * i + 17 * pair + 1) % vocabulary for i in range(4 + pair)) for pair in range(3))
    pairs = ((stem, ends[0]), (stem, (*ends[0][:2], *ends[1])), ((*stem, *ends[2][:3]), ends[2]))
    return WorkItem("probe", "probe", "probe", 0, "loglikelihood", pairs=pairs), Header(head, 0)


def _uneven(scorer: Scorer) -> WorkItem:
    """Sequences of very different lengths, so that the short ones are mostly padding in a batch; the longest reaches beyond what
    the model's configuration calls a window or a chunk, where that takes no more than about a minute."""
    config = scorer.model.config.get_text_config()
    affordable = _affordable(scorer)
    longest = max((limit + BEHIND for limit in _limits(config) if limit + BEHIND <= affordable), default=0)
    return _probe_of(config.vocab_size, (2, 19, max(48, longest)))


def _window(config: Any) -> int:
    """Tokens of the sliding window or of the chunks; 0 without either, and where the configuration gives no layer one."""
    kinds = _kinds(config)
    chunk = getattr(config, "attention_chunk_size", None)
    if CHUNKED in kinds and type(chunk) is int:
        return chunk
    if kinds and not any("sliding" in kind for kind in kinds):
        return 0
    window = getattr(config, "sliding_window", None)
    return window if type(window) is int else 0


def _kinds(config: Any) -> Sequence[str]:
    """What the configuration calls its layers; empty where it does not."""
    kinds = getattr(config, "layer_types", None)
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, (list, tuple)) else []


def _probe_of(vocabulary: int, sizes: Sequence[int], seed: int = 0) -> WorkItem:
    """Pairs with contexts of these sizes."""
    ids = tuple((19 * i * i + 7 * i + 3 + 31 * seed) % vocabulary for i in range(max(sizes) + 10))
    pairs = tuple((ids[start : start + size], ids[start + size : start + size + 3]) for start, size in enumerate(sizes))
    return WorkItem("probe", "probe", "probe", 0, "loglikelihood", pairs=pairs)
