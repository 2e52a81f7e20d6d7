"""What headers and error bodies mean, whatever a server writes into them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.models.openai.cost import Ledger, Price, Used
from evalkit.models.openai.failures import MAX_PAUSE, exhausted_for, from_inside, from_status, message_of, retry_after


def http_date(seconds: float) -> str:
    return format_datetime(moment(seconds), usegmt=True)


def iso(seconds: float) -> str:
    return moment(seconds).isoformat()


def zulu(seconds: float) -> str:
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def since_1970(seconds: float) -> str:
    return str(moment(seconds).timestamp())


def milliseconds_since_1970(seconds: float) -> str:
    return str(int(moment(seconds).timestamp() * 1000))


def moment(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def written(text: str | tuple[Callable[[float], str], float]) -> str:
    """A header: as it is, or a moment so many seconds from now in some notation."""
    return text if isinstance(text, str) else text[0](text[1])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        (" 7 ", 7),
        ("1m30s", 90),
        ("20ms", 0.02),
        ((http_date, 100), 100),
        ((iso, 100), 100),
        ((zulu, 100), 100),
        ((http_date, -100), 0),
        ((since_1970, 100), 100),
        ((milliseconds_since_1970, 100), 100),
        ("-5", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_a_duration_or_a_moment(text: Any, seconds: float | None) -> None:
    got = retry_after({"retry-after": written(text)})
    assert got == (None if seconds is None else pytest.approx(seconds, abs=1.5))


def test_milliseconds_come_first() -> None:
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25


@given(st.text(max_size=40))
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("0001-01-01T00:00:00+23:59")
@example("9" * 400)
def test_no_header_can_break_a_run(text: str) -> None:
    for seconds in (
        retry_after({"retry-after": text, "retry-after-ms": text}),
        exhausted_for({"x-ratelimit-remaining": "0", "x-ratelimit-reset": text}),
    ):
        assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"}, 2),
        ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": (iso, 60)}, 60),
        ({"X-RateLimit-Remaining": "0", "x-ratelimit-reset": (milliseconds_since_1970, 30)}, 30),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20h"}, MAX_PAUSE),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "2s"}, 0),
        ({"x-ratelimit-remaining-requests": "0"}, 0),
    ],
)
def test_a_used_up_limit_is_read_in_every_shape(headers: dict[str, Any], pause: float) -> None:
    given = {name.lower(): written(value) for name, value in headers.items()}
    assert exhausted_for(given) == pytest.approx(pause, abs=1.5)


@pytest.mark.parametrize(
    ("status", "code", "headers", "means"),
    [
        (429, None, {}, {"retry", "overload"}),
        (429, "insufficient_quota", {}, {"stop"}),
        (429, None, {"retry-after": "86400"}, {"stop"}),
        (400, None, {"retry-after": "86400"}, set()),
        (400, "content_filter", {}, {"filtered"}),
        (401, None, {}, {"stop"}),
        (408, None, {}, {"retry"}),
        (422, None, {}, set()),
        (500, None, {}, {"retry"}),
        (503, None, {"retry-after": "1"}, {"retry", "overload"}),
        (529, None, {}, {"retry", "overload"}),
    ],
)
def test_what_a_status_means(status: int, code: str | None, headers: dict[str, str], means: set[str]) -> None:
    failure = from_status(status, code, "words", headers)
    assert {name for name in ("retry", "stop", "overload", "filtered") if getattr(failure, name)} == means
    assert str(failure).startswith(f"HTTP {status}: words")


@pytest.mark.parametrize(
    ("body", "says", "means"),
    [
        ({"error": {"message": "slow down", "code": 429}}, "HTTP 429: slow down", {"retry", "overload"}),
        ({"error": {"message": "who are you", "code": 401}}, "HTTP 401: who are you", {"stop"}),
        ({"error": {"message": "too long", "code": "400"}}, "HTTP 400: too long", set()),
        ({"error": {"message": "no money", "type": "insufficient_quota"}}, "HTTP 400: no money", {"stop"}),
        ({"error": "upstream"}, "malformed answer: upstream", {"retry"}),
        ({"error": {"code": 9999}}, "malformed answer: no message", {"retry"}),
    ],
)
def test_an_error_inside_a_200_means_what_it_says(body: dict[str, Any], says: str, means: set[str]) -> None:
    said, code = message_of(body, "no message")
    failure = from_inside(code, said, {})
    assert str(failure) == says
    assert {name for name in ("retry", "stop", "overload") if getattr(failure, name)} == means


@pytest.mark.parametrize(
    ("usage", "used"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2}, Used(5, 2, 0)),
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 30}, Used(5, 25, 0)),
        ({"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": {"cached_tokens": 3}}, Used(5, 0, 3)),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 30}}, Used(5, 0, 5)),
        ({"prompt_tokens": -5, "completion_tokens": 2}, None),
        ({"prompt_tokens": 5, "completion_tokens": "2"}, None),
        ({"prompt_tokens": 5, "completion_tokens": -2}, None),
        ({"prompt_tokens": True, "completion_tokens": 2}, None),
        ({"prompt_tokens": 10**400, "completion_tokens": 2}, None),
        ({"completion_tokens": 2}, None),
        ([1], None),
        (None, None),
    ],
)
def test_usage_that_cannot_be_is_none_and_is_booked_at_the_worst(usage: Any, used: Used | None) -> None:
    assert Used.of({"usage": usage}) == used
    ledger = Ledger(Price(1.0, 2.0), None)
    worst = ledger.worst(100, 50)
    ledger.settle(worst, {"usage": usage}, billed=True)
    assert ledger.cost == pytest.approx(worst if used is None else (used.prompt + 2 * used.completion) / 1e6)
