"""What can go wrong with a request, and what it means for the request and for the run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

# A refused prompt is an answer of the service, not a failure of ours.
FILTERED = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})
# 429 is "slow down" and "you have run out of money" alike; these codes are the latter, and waiting does not help.
EXHAUSTED = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
STOPPING = frozenset({401, 402, 403, 404})  # the next request would meet the same
PASSING = frozenset({408, 409, 425, 429})  # and every 5xx
OVERLOAD = frozenset({429, 503, 529})
MAX_PAUSE = 300.0  # seconds: a server that asks for more ends the run, which the same command continues later
SINCE_1970 = 1e9  # a reset this large is no duration but a moment
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Failure(Exception):
    """A request without a usable answer; the message is one line and never holds a key.

    Attributes:
        retry: another attempt may succeed.
        stop: no other request would succeed either.
        overload: the server asks for less traffic.
        wait: seconds the server asks to wait.
        unreachable: the request never arrived.
        billed: the server may have done, and charged, the work.
        filtered: a content filter refused the prompt.
    """

    def __init__(
        self,
        message: str,
        *,
        retry: bool = False,
        stop: bool = False,
        overload: bool = False,
        wait: float | None = None,
        unreachable: bool = False,
        billed: bool = False,
        filtered: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.stop = stop
        self.overload = overload
        self.wait = wait
        self.unreachable = unreachable
        self.billed = billed
        self.filtered = filtered


class Malformed(Failure):
    """The server said 200 and sent something that is no answer; it may have charged for it."""

    def __init__(self, message: str) -> None:
        super().__init__(f"malformed answer: {message}", retry=True, billed=True)


def from_status(status: int, code: str | None, said: str, headers: Mapping[str, str]) -> Failure:
    """The failure behind an HTTP error status."""
    message = f"HTTP {status}: {said}"
    wait = retry_after(headers)
    if status in STOPPING or code in EXHAUSTED:
        return Failure(message, stop=True)
    if status in PASSING or status >= 500:
        if wait is not None and wait > MAX_PAUSE:
            return Failure(f"{message} (the server asks to wait {wait:.0f} s; run the same command again then)", stop=True)
        return Failure(message, retry=True, overload=status in OVERLOAD, wait=wait)
    return Failure(message, filtered=code in FILTERED)


def from_inside(code: str | None, said: str, headers: Mapping[str, str]) -> Failure:
    """The failure behind an error that came with HTTP 200; proxies put the status it should have had into its code."""
    if code in EXHAUSTED or code in FILTERED:
        return from_status(400, code, said, headers)
    if code is not None and re.fullmatch(r"[45]\d\d", code):
        return from_status(int(code), code, said, headers)
    return Malformed(said)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds asked for by `retry-after-ms` or `Retry-After` (seconds or a date); None when neither can be read."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    return _seconds(headers.get("retry-after"), bare=1.0)


def exhausted_for(headers: Mapping[str, str]) -> float:
    """Seconds until a used-up rate limit is reset, 0 while none is.

    `x-ratelimit-remaining-KIND: 0` next to `x-ratelimit-reset-KIND`, or `ratelimit-KIND-remaining` next to `ratelimit-KIND-reset`,
    KIND being requests, tokens or absent; the reset is a duration (`6m0s`, `20ms`, `3`) or a moment (ISO 8601, seconds or
    milliseconds since 1970).
    """
    longest = 0.0
    for name, value in headers.items():
        name = name.lower()
        if "ratelimit" in name and "remaining" in name and value.strip() == "0":
            reset = _seconds(headers.get(name.replace("remaining", "reset")), bare=1.0)
            longest = max(longest, min(reset or 0.0, MAX_PAUSE))
    return longest


def _seconds(text: str | None, bare: float) -> float | None:
    if not text:
        return None
    number = _number(text)
    if number is not None and number >= SINCE_1970:
        return max(0.0, (number / 1000 if number >= 100 * SINCE_1970 else number) - datetime.now(UTC).timestamp())
    if number is not None:
        return number * bare
    text = text.strip()
    parts = DURATION.findall(text)
    if parts and "".join(value + unit for value, unit in parts) == text:
        return sum(float(value) * SECONDS[unit] for value, unit in parts)
    moment = _moment(text)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else None


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def message_of(body: Any, fallback: str) -> tuple[str, str | None]:
    """(one line, code) out of an error body in any of the shapes servers use."""
    found = body
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, Mapping) and isinstance(found.get("error"), (Mapping, str)):
        found = found["error"]
    code = None
    if isinstance(found, Mapping):
        codes = [str(found[name]) for name in ("code", "type") if found.get(name)]
        inner = found.get("innererror")
        codes += [str(inner["code"])] if isinstance(inner, Mapping) and inner.get("code") else []
        code = next((c for c in codes if c in FILTERED | EXHAUSTED), codes[0] if codes else None)
        found = found.get("message") or found.get("detail") or fallback
    return " ".join(str(found or fallback).split()), code


def shortened(line: str) -> str:
    """Cut after the key was hidden, never before: half a key is still half a key."""
    return line if len(line) <= 400 else line[:400] + "…"
