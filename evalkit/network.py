"""Whether the hub answers at all, asked in seconds: its own libraries retry for half a minute before they give up."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

PROBE_SECONDS = 3.0


def endpoint() -> str:
    """The hub's address."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def offline() -> bool:
    """The user asked for no network. The one place that reads HF_HUB_OFFLINE, by the rule of the hub's own libraries."""
    wish = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("HF_DATASETS_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return wish.upper() in {"1", "ON", "YES", "TRUE"}


def reachable(timeout: float = PROBE_SECONDS) -> bool:
    """One HEAD request; False at once when the user asked for no network."""
    if offline():
        return False
    request = urllib.request.Request(endpoint(), method="HEAD", headers={"User-Agent": "evalkit"})
    try:
        with urllib.request.urlopen(request, timeout=timeout):
            return True
    except urllib.error.HTTPError as error:
        # A proxy that lets nothing through says 403, 407 or 5xx; from the hub itself any answer is a sign of life.
        return not urllib.request.getproxies() or (error.code < 500 and error.code not in (403, 407))
    except (OSError, ValueError):
        return False
