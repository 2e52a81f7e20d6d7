"""Log-likelihoods out of a server that echoes its prompt: the probe, the alignment, the sums."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.models.base import TokenIds, WorkItem
from evalkit.models.encoding import move_spaces
from evalkit.models.openai import chosen
from evalkit.models.openai.cost import Used
from evalkit.models.openai.failures import Failure
from evalkit.models.openai.session import Ask, Session, Stop
from evalkit.types import LoglikelihoodRequest, Response

# They share a beginning, whose log-probabilities then have to agree, and differ in their ends, whose have to differ.
PROBE = ("The capital of France is Paris, of course.", "The capital of France is seven green bicycles.")
GREEDY_SLACK = 1e-6
FORMS = ("echo", "prompt_logprobs")
Sent = str | TokenIds


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt as the server read it.

    Attributes:
        tokens: as text (as decimal ids in the form that has no texts).
        logprobs: natural logs; None for a first token.
        best: whether each token was the likeliest one; None where the server does not say.
        likeliest: the token, as in `tokens`, that was likeliest in each place; None where the server does not say.
        unlisted: prompt tokens the server counts but does not list (a BOS); None when it does not count.
        covers: the texts join to exactly the prompt.
    """

    tokens: tuple[str, ...]
    logprobs: tuple[float | None, ...]
    best: tuple[bool | None, ...]
    likeliest: tuple[str | None, ...]
    unlisted: int | None = None
    covers: bool = False
    used: Used = field(default_factory=Used)


@dataclass(frozen=True)
class Way:
    """How this server gives prompt log-probabilities: `form`, whether it takes several prompts at once, and whether it lists
    those of chosen tokens after a prompt."""

    form: str
    batch: bool
    chosen: bool = False

    def describe(self) -> str:
        how = "echo with logprobs" if self.form == "echo" else "prompt_logprobs"
        single = "; single tokens by logprob_token_ids" if self.chosen else ""
        return f"/completions, {how}, {'a document' if self.batch else 'a pair'} a request{single}"


async def probe(session: Session, prompts: Sequence[Sent], texts: Sequence[Sequence[str]] | None, extra: Mapping[str, Any]) -> Way:
    """Find a way that holds on two short lines.

    Args:
        prompts: PROBE, as text or as token ids.
        texts: with ids, every token as text, to see that the server read those tokens.

    Raises:
        Stop: the server cannot score: its answers are missing, constant or inconsistent.
    """
    reasons: list[str] = []
    for form in FORMS if not isinstance(prompts[0], str) else FORMS[:1]:
        for batch in (True, False):
            way = Way(form, batch)
            try:
                lines = await read_all(session, way, prompts, extra, retries=2)
                _believable(lines, texts if form == "echo" else None)
            except Failure as failure:
                if failure.unreachable:
                    raise Stop(str(failure)) from None
                reasons.append(f"{form}: {failure}")
            else:
                known = lines[0].logprobs[-1]
                ids = prompts[0]
                if not isinstance(ids, str) and known is not None and await chosen.works(session, ids, known, extra):
                    return Way(form, batch, chosen=True)
                return way
    # The first word about the values themselves says most: not every server that can score takes two prompts at once.
    reason = next((r for r in reasons if r.startswith("echo") and "choices for" not in r and "HTTP" not in r), reasons[0])
    as_text = "" if isinstance(prompts[0], str) else "leave out model.tokenizer where a server takes text alone, "
    raise Stop(
        f"this server gives no usable log-probabilities of the prompt ({reason}); "
        f"{as_text}use a task that generates, or a server that has them (vLLM, SGLang)"
    )


def _believable(pair: Sequence[Scored], texts: Sequence[Sequence[str]] | None) -> None:
    """Raises Failure when two lines could not have been scored by a language model."""
    for scored, expected in zip(pair, texts or (None, None), strict=True):
        known = [value for value in scored.logprobs if value is not None]
        if len(known) < len(scored.logprobs) - 1 or len(known) < 3:
            raise Failure(f"values are missing ({len(known)} of {len(scored.logprobs)} tokens have one)")
        if -math.inf in known:
            raise Failure("a token of a plain sentence is infinitely unlikely")
        if len(set(known)) == 1:
            raise Failure(f"every token has the same value {known[0]:g}")
        if expected is not None and scored.tokens and [t.strip() for t in scored.tokens[1:]] != [t.strip() for t in expected[1:]]:
            raise Failure("the tokens are not those that were sent")
    one, other = (scored.logprobs for scored in pair)
    shared = next((i for i, (a, b) in enumerate(zip(pair[0].tokens, pair[1].tokens, strict=False)) if a != b), 0)
    if any(abs(a - b) > chosen.SLACK for a, b in zip(one[:shared], other[:shared], strict=True) if a is not None and b is not None):
        raise Failure("a beginning that two lines share has different values in each")
    if sum(v or 0.0 for v in one) == sum(v or 0.0 for v in other):
        raise Failure("two different lines have the same sum")
    here, late = (sum(_foreseen(scored, shift) for scored in pair) for shift in (0, 1))
    if late > max(1, here):
        raise Failure("values are one place off: what is listed for a token was reckoned for the one after it")


def _foreseen(scored: Scored, shift: int) -> int:
    """How often the likeliest token of a place is `shift` places after it."""
    return sum(guess == token for guess, token in zip(scored.likeliest[1:], scored.tokens[1 + shift :], strict=False))


async def score(session: Session, way: Way, item: WorkItem, extra: Mapping[str, Any]) -> Response:
    """All pairs of one document."""
    if way.chosen and chosen.fits(item):
        return await chosen.score(session, item, extra)
    if item.pairs:
        prompts: list[Sent] = [context + target for context, target in item.pairs]
        scored = await read_all(session, way, prompts, extra)
        starts = [len(context) for context, _ in item.pairs]
    else:
        assert isinstance(item.request, LoglikelihoodRequest)
        pairs = [move_spaces(str(context), continuation) for context, continuation in item.request.pairs]
        scored = await read_all(session, way, [context + continuation for context, continuation in pairs], extra)
        for place, (context, continuation) in enumerate(pairs):
            if not scored[place].covers and scored[place].unlisted is None:  # several prompts together are counted together
                scored[place] = (await read_all(session, Way(way.form, False), [context + continuation], extra))[0]
        starts = await _starts(session, way, pairs, scored, extra)
    sums, greedy, tokens = [], [], 0
    for one, start in zip(scored, starts, strict=True):
        values, best = one.logprobs[start:], one.best[start:]
        if not values or (start == 0 and values[0] is None):
            raise Failure("a continuation has no log-probability (an empty context needs model.tokenizer, which knows the BOS token)")
        if (missing := values.count(None)) > 0:
            raise Failure(f"{missing} of a continuation's {len(values)} tokens have no log-probability")
        sums.append(math.fsum(value for value in values if value is not None))
        greedy.append(all(best))
        tokens += len(values)
    longest = max(starts)
    return Response(
        item.key, "ok", tuple(sums), tuple(greedy), context_tokens=longest, output_tokens=tokens, truncated_tokens=item.truncated_tokens
    )


async def _starts(
    session: Session, way: Way, pairs: Sequence[tuple[str, str]], scored: Sequence[Scored], extra: Mapping[str, Any]
) -> list[int]:
    """Where each continuation starts.

    Where a token ends exactly with the context, there. Else (a token lies across, or characters are split over tokens)
    the context is sent alone and its tokens counted, as the local back ends do.
    """
    starts: list[int] = []
    counted: dict[str, Scored] = {}
    for (context, continuation), whole in zip(pairs, scored, strict=True):
        place = _boundary(whole, len(continuation)) if whole.covers else None
        if place is None and not context:
            place = 0
        elif place is None:
            if context not in counted:
                counted[context] = (await read_all(session, Way(way.form, False), [context], extra))[0]
            alone = counted[context]
            if whole.unlisted is None or alone.unlisted is None or alone.unlisted != whole.unlisted:
                raise Failure("context and continuation cannot be distinguished in the server's tokens; set model.tokenizer")
            place = len(alone.logprobs)
        starts.append(place)
    return starts


def _boundary(whole: Scored, length: int) -> int | None:
    """Index of the token that the last `length` characters start with, None when a token lies across."""
    for place in range(len(whole.tokens) - 1, -1, -1):
        length -= len(whole.tokens[place])
        if length <= 0:
            return place if length == 0 else None
    return None


async def read_all(
    session: Session, way: Way, prompts: Sequence[Sent], extra: Mapping[str, Any], retries: int | None = None
) -> list[Scored]:
    """Every prompt scored, in one request or in several.

    Raises:
        Failure: the server refuses, or what it lists cannot be the prompt.
    """
    asked = {"echo": True, "logprobs": 1} if way.form == "echo" else {"prompt_logprobs": 1}
    parts = [list(prompts)] if way.batch else [[prompt] for prompt in prompts]
    found: list[Scored] = []
    for part in parts:
        sent = [prompt if isinstance(prompt, str) else list(prompt) for prompt in part]
        size = sum(len(prompt.encode(errors="replace")) if isinstance(prompt, str) else len(prompt) for prompt in part)
        payload = {"prompt": sent if len(sent) > 1 else sent[0], "max_tokens": 1, "temperature": 0.0, **asked, **extra}
        ask = Ask("completions", payload, size, len(part))
        found += await session.ask(ask, lambda body, part=part: _scored(body, way.form, part), retries)  # type: ignore[misc]
    return found


def _scored(body: Mapping[str, Any], form: str, prompts: Sequence[Sent]) -> list[Scored]:
    choices = sorted(body["choices"], key=lambda choice: choice.get("index") or 0)
    if len(choices) != len(prompts):
        raise Failure(f"{len(choices)} choices for {len(prompts)} prompts")
    used = Used.of(body) if len(prompts) == 1 else None
    read = _echoed if form == "echo" else _prompted
    return [read(choice, prompt, used) for choice, prompt in zip(choices, prompts, strict=True)]


def _echoed(choice: Mapping[str, Any], prompt: Sent, used: Used | None) -> Scored:
    """The prompt's part of an echo: everything but the one token that had to be generated."""
    given = choice.get("logprobs") or {}
    tokens, logprobs = given.get("tokens"), given.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(logprobs, list) or len(tokens) != len(logprobs):
        raise Failure("the answer has no list of the prompt's log-probabilities (echo was ignored)")
    end, covers = _prompt_end(choice, tokens, prompt)
    tops = given.get("top_logprobs") or [None] * len(tokens)
    best = tuple(_is_best(value, top) for value, top in zip(logprobs[:end], tops[:end], strict=True))
    values = tuple(_logprob(value) for value in logprobs[:end])
    likeliest = tuple(max(top, key=lambda t: top[t]) if isinstance(top, Mapping) and top else None for top in tops[:end])
    return Scored(tuple(tokens[:end]), values, best, likeliest, used.prompt - end if used else None, covers, used or Used())


def _logprob(value: Any) -> float | None:
    """One listed value, None where there is none.

    Raises:
        Failure: it cannot be a log-probability.
    """
    if value is None:
        return None
    if (known := chosen.log_probability(value)) is None:
        raise Failure(f"values are no log-probabilities (positive, NaN or text: {str(value)[:20]})")
    return known


def _prompt_end(choice: Mapping[str, Any], tokens: Sequence[str], prompt: Sent) -> tuple[int, bool]:
    """How many of the listed tokens are the prompt's, and whether their texts join to it."""
    if not isinstance(prompt, str):
        if len(tokens) not in (len(prompt), len(prompt) + 1):
            raise Failure(f"{len(tokens)} tokens are listed where {len(prompt)} were sent")
        return len(prompt), False
    joined = ""
    for place, token in enumerate(tokens, 1):
        joined += token
        if len(joined) >= len(prompt) and joined.endswith(prompt):
            return place, True
    # Characters split over tokens have no texts that join; the generated token is the last one, unless it was an end.
    text = str(choice.get("text") or "")
    if not text.startswith(prompt):
        raise Failure("the echoed text is not the prompt (echo was ignored)")
    generated = len(text) > len(prompt) or (choice.get("finish_reason") == "length")
    return len(tokens) - generated, False


def _is_best(value: float | None, top: Any) -> bool | None:
    if value is None or not isinstance(top, Mapping) or not top:
        return None
    return value >= max(top.values()) - GREEDY_SLACK


def _prompted(choice: Mapping[str, Any], prompt: Sent, used: Used | None) -> Scored:
    """vLLM's own list: per prompt token a mapping of token id to log-probability and rank; ids were sent."""
    listed = choice.get("prompt_logprobs")
    if not isinstance(listed, list) or len(listed) != len(prompt):
        raise Failure("the answer has no prompt_logprobs")
    tokens, logprobs, best, likeliest = [], [], [], []
    for token_id, entry in zip(prompt, listed, strict=True):
        own = (entry or {}).get(str(token_id))
        tokens.append(str(token_id))
        likeliest.append(next((other for other, about in (entry or {}).items() if about.get("rank") == 1), None))
        logprobs.append(None if own is None else _logprob(own["logprob"]))
        best.append(None if own is None else own.get("rank") == 1)
    return Scored(tuple(tokens), tuple(logprobs), tuple(best), tuple(likeliest), 0, False, used or Used())
