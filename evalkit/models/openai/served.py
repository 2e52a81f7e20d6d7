"""What a server says of the model it serves, before anything is asked of it."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

log = logging.getLogger("evalkit")
SECONDS = 10.0
ROOM = 2  # tokens that a scored prompt needs beyond what it reads: its own last token, and one that must be written


class _Stay(HTTPRedirectHandler):
    """No redirect is followed: it would take the key to another address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def served_length(base_url: str, model_id: str, key: str | None) -> int | None:
    """Tokens a scored sequence may be read of, from `/models`; None where the server does not say or cannot be reached."""
    request = Request(f"{base_url.rstrip('/')}/models", headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with build_opener(_Stay).open(request, timeout=SECONDS) as answer:  # the address was checked to be http(s) before
            listed: Any = json.load(answer)
        models = [one for one in listed["data"] if one.get("id") == model_id] or (listed["data"] if len(listed["data"]) == 1 else [])
        length = models[0].get("max_model_len") if models else None
    except (URLError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.debug("%s/models says no length: %s", base_url, type(error).__name__)
        return None
    return length - ROOM if isinstance(length, int) and not isinstance(length, bool) and length > ROOM else None
