"""Single tokens out of a server that lists the log-probabilities of chosen ids (vLLM): the context alone is read, and cached."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.models.base import TokenIds, WorkItem
from evalkit.models.openai.failures import Failure
from evalkit.models.openai.session import Ask, Session
from evalkit.types import Response

MOST_IDS = 128  # that one request may ask about
SLACK = 0.5  # nats: what half precision and other batches move a log-probability, generously
LOWEST = -9999.0  # what vLLM writes for minus infinity, which JSON has no word for
Chosen = tuple[dict[int, float], int]  # log-probability by id, and the id that was written: the likeliest


def log_probability(value: Any) -> float | None:
    """A value that a server lists, minus infinity included; None where it is no log-probability, and a sum must never hold it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value) or value > SLACK:
        return None
    return -math.inf if value <= LOWEST else float(value)


def fits(item: WorkItem) -> bool:
    """Whether every continuation is one token."""
    return bool(item.pairs) and all(len(target) == 1 for _, target in item.pairs)


async def works(session: Session, ids: TokenIds, known: float, extra: Mapping[str, Any]) -> bool:
    """Whether the server lists what it is asked for, with the value that is known for the last of `ids`."""
    try:
        listed, _ = await ask(session, ids[:-1], [ids[-1], ids[0]], extra, retries=1)
    except Failure as failure:
        if failure.unreachable:
            raise
        return False
    return abs(listed[ids[-1]] - known) <= SLACK


async def score(session: Session, item: WorkItem, extra: Mapping[str, Any]) -> Response:
    """One request per distinct context of a document (and per 128 ids of it).

    Raises:
        Failure: a value is missing.
    """
    wanted: dict[TokenIds, list[int]] = {}
    for context, target in item.pairs:
        wanted.setdefault(context, []).extend(target)
    found: dict[TokenIds, Chosen] = {}
    for context, ids in wanted.items():
        distinct = list(dict.fromkeys(ids))
        values: dict[int, float] = {}
        best = -1
        for start in range(0, len(distinct), MOST_IDS):
            listed, best = await ask(session, context, distinct[start : start + MOST_IDS], extra)
            values |= listed
        found[context] = (values, best)
    return Response(
        item.key,
        "ok",
        tuple(found[context][0][target[0]] for context, target in item.pairs),
        tuple(found[context][1] == target[0] for context, target in item.pairs),
        context_tokens=max(len(context) for context, _ in item.pairs),
        output_tokens=len(item.pairs),
        truncated_tokens=item.truncated_tokens,
    )


async def ask(session: Session, context: TokenIds, ids: Sequence[int], extra: Mapping[str, Any], retries: int | None = None) -> Chosen:
    """Log-probabilities of `ids` after a context."""
    payload = {
        "prompt": list(context),
        "max_tokens": 1,
        "temperature": 0.0,
        "logprobs": len(ids),
        "logprob_token_ids": list(ids),
        "return_tokens_as_token_ids": True,
        **extra,
    }
    return await session.ask(Ask("completions", payload, len(context), 1), lambda body: _listed(body, ids), retries)


def _listed(body: Mapping[str, Any], ids: Sequence[int]) -> Chosen:
    given = body["choices"][0].get("logprobs") or {}
    tops, tokens = given.get("top_logprobs"), given.get("tokens")
    if not isinstance(tops, list) or not tops or not isinstance(tops[0], Mapping) or not isinstance(tokens, list) or not tokens:
        raise Failure("the answer lists no log-probabilities of the chosen tokens")
    values = {}
    for token in ids:
        value = log_probability(tops[0].get(f"token_id:{token}"))
        if value is None:
            raise Failure(f"the answer lists no log-probability of the chosen token {token}")
        values[token] = value
    name = str(tokens[0])
    return values, int(name.removeprefix("token_id:")) if name.removeprefix("token_id:").isdigit() else -1
