"""How many requests are in flight at once, and when none may start: what the server can take, found by asking it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from evalkit.models.openai.failures import Failure, exhausted_for

START = 8.0


class Limiter:
    """Additive increase, multiplicative decrease, with a doubling start; lives in one event loop.

    Until the first overload every answer adds one to the limit, then one a round of answers; an overload (429, 503)
    halves it, once for all requests that were started before the last halving. A server's own words (Retry-After,
    a used-up rate limit and its reset) hold every request back, not only the one that was told.

    Args:
        ceiling: never more than this.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit = min(START, float(ceiling))
        self.in_flight = 0
        self.halvings = 0
        self._resume_at = 0.0
        self._changed = asyncio.Event()

    async def acquire(self) -> int:
        """Wait for a place; returns what `answered` and `failed` want back: when the request was started."""
        clock = asyncio.get_running_loop().time
        while True:
            pause = self._resume_at - clock()
            if pause > 0:
                await asyncio.sleep(pause)
            elif self.in_flight < int(self.limit):
                self.in_flight += 1
                return self.halvings
            else:
                self._changed.clear()
                await self._changed.wait()

    def release(self) -> None:
        self.in_flight -= 1
        self._changed.set()

    def answered(self, headers: Mapping[str, str]) -> None:
        step = 1.0 if not self.halvings else 1.0 / self.limit
        self.limit = min(float(self.ceiling), self.limit + step)
        if pause := exhausted_for(headers):
            self._hold(pause)

    def failed(self, started: int, failure: Failure) -> None:
        if failure.wait:
            self._hold(failure.wait)
        if failure.overload and started == self.halvings:
            self.limit = max(1.0, self.limit / 2)
            self.halvings += 1

    def _hold(self, seconds: float) -> None:
        self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + seconds)
