"""One real sandbox for all tests of this folder."""

from __future__ import annotations

import pytest

from evalkit.sandbox import Limits, Pool, bubblewrap_pool

QUICK = Limits(seconds=1.0, memory_mb=512, calibrate=False)


@pytest.fixture(scope="session")
def sandbox() -> Pool:
    pool = bubblewrap_pool(None, None, QUICK)
    pool.check()
    return pool
