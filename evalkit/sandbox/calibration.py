"""How much slower this machine is than the one the limits were chosen on."""

from __future__ import annotations

import time

# CPU seconds of `_work` under CPython 3.11 on the reference: one core of a 2020s x86 server.
REFERENCE_S = 0.030
MOST = 20.0


def slowness() -> float:
    """CPU seconds a fixed piece of Python takes here over what it takes on the reference, from 1 (as fast, or faster) to 20.

    The best of five, in CPU time, so that other work on the machine moves it little.
    """
    best = min(_work() for _ in range(5))
    return min(MOST, max(1.0, best / REFERENCE_S))


def _work() -> float:
    started = time.thread_time()
    total, seen = 0, {}
    for number in range(150_000):
        seen[number & 255] = total
        total += number * number % 7
    return time.thread_time() - started
