"""Tokens and money: what was used, and a ceiling that is never passed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ConfigError

MILLION = 1_000_000
MOST_TOKENS = 10**12  # no answer has as many; a larger count is not believed
OVERHEAD = 64  # tokens per request: what a chat template adds around a message, generously


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens.

    Attributes:
        cached_input: for prompt tokens the server had in its cache; None bills them as any other.
        model: whose price it is, by the server's name; another model's costs are then not known. None = whichever is asked.
    """

    input: float
    output: float
    cached_input: float | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input"):
            value = getattr(self, name)
            if not (value is None and name == "cached_input") and (
                isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf
            ):
                raise ConfigError(f"model.price.{name}={value!r} is no price; give US dollars per million tokens")

    def of(self, prompt: int, completion: int, cached: int = 0) -> float:
        dear = self.input if self.cached_input is None else self.cached_input
        return ((prompt - cached) * self.input + cached * dear + completion * self.output) / MILLION


@dataclass(frozen=True)
class Used:
    """Tokens one answer took, as the server counts them."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Used | None:
        """None when the server does not say, or says what cannot be.

        Tokens a model thought with are charged as output, and some endpoints count them in the total alone.
        """
        usage = body.get("usage")
        if not isinstance(usage, Mapping):
            return None
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
        told = (usage.get("prompt_tokens"), usage.get("completion_tokens") or 0, cached or 0, usage.get("total_tokens") or 0)
        if not all(isinstance(count, int) and not isinstance(count, bool) and 0 <= count < MOST_TOKENS for count in told):
            return None
        prompt, completion, cached, total = (int(count) for count in told if count is not None)
        return cls(prompt, max(completion, total - prompt), min(cached, prompt))


class OverBudget(Exception):
    """The next request could pass the ceiling."""


class Ledger:
    """Counts every request of a session; with a ceiling, admits one only if its worst case still fits.

    the worst case of a prompt is one token per byte, which no byte-level tokenizer exceeds, so the ceiling holds
    however the server counts. An attempt that broke off is booked at its worst case: the server may have charged it.

    Args:
        max_cost: US dollars; None admits everything.
    """

    def __init__(self, price: Price | None, max_cost: float | None) -> None:
        self.price = price
        self.max_cost = max_cost
        self.requests = self.retries = self.answers_without_usage = 0
        self.used = Used()
        self.cost = 0.0
        self.booked_unseen = 0.0
        self.open()

    def open(self) -> None:
        """Start in a new event loop: nothing is under way; what was counted stays."""
        self._held = 0.0
        self._open = 0
        self._settled = asyncio.Event()

    def worst(self, prompt_bytes: int, new_tokens: int) -> float:
        return self.price.of(prompt_bytes + OVERHEAD, new_tokens) if self.price else 0.0

    async def admit(self, worst: float) -> None:
        """Wait until the request fits under the ceiling whatever the open ones turn out to cost.

        Raises:
            OverBudget: it does not fit, and nothing is open that could turn out cheaper.
        """
        if self.max_cost is not None:
            while self.cost + self._held + worst > self.max_cost:
                if not self._open:
                    raise OverBudget(f"max_cost={self.max_cost:g} could be passed: {self.cost:.4f} spent, the next up to {worst:.4f}")
                self._settled.clear()
                await self._settled.wait()
        self._held += worst
        self._open += 1

    def settle(self, worst: float, body: Mapping[str, Any] | None, billed: bool) -> None:
        """Book an attempt: an answer by its usage, a broken one that may have been charged at its worst."""
        self._held -= worst
        self._open -= 1
        self._settled.set()
        used = Used.of(body) if body is not None else None
        if used is not None:
            self.used = Used(self.used.prompt + used.prompt, self.used.completion + used.completion, self.used.cached + used.cached)
            self.cost += self.price.of(used.prompt, used.completion, used.cached) if self.price else 0.0
            return
        self.answers_without_usage += body is not None
        if billed:
            self.cost += worst
            self.booked_unseen += worst

    def describe(self) -> dict[str, Any]:
        """For the manifest; dollars only where a price is known."""
        counted = {
            "requests": self.requests,
            "retries": self.retries,
            "prompt_tokens": self.used.prompt,
            "cached_prompt_tokens": self.used.cached,
            "completion_tokens": self.used.completion,
            "answers_without_usage": self.answers_without_usage,
        }
        money = {"cost_usd": round(self.cost, 6), "of_it_assumed_usd": round(self.booked_unseen, 6)} if self.price else {}
        return counted | money
