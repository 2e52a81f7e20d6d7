"""Keys: where they come from, where they may go, and what keeps them out of everything that is written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, quote, quote_plus, urlsplit

from evalkit.errors import ConfigError, ModelError

OPENAI = "api.openai.com"
SHORTEST = 8  # placeholders such as EMPTY or none are no secrets, and hiding them would garble messages
WRITTEN = "settings are written into the run's folder"
CREDENTIAL = re.compile(r"api[-_]?key|authorization|bearer|password|secret|access[-_]?token", re.IGNORECASE)


class Secret:
    """A key in every spelling a server may repeat it in: as it is, inside JSON, percent-encoded."""

    def __init__(self, key: str | None) -> None:
        spellings = {key, json.dumps(key)[1:-1], repr(key)[1:-1], quote(key, safe=""), quote_plus(key)} if is_secret(key) and key else set()
        self._spellings = sorted(spellings, key=len, reverse=True)
        self._raw = [spelling.encode() for spelling in self._spellings]

    def hide(self, text: str) -> str:
        """The text with *** for the key."""
        for spelling in self._spellings:
            text = text.replace(spelling, "***")
        return text

    def stands_in(self, content: bytes) -> bool:
        return any(raw in content for raw in self._raw)

    def stands_in_values(self, content: bytes, body: Any) -> bool:
        """Whether JSON holds the key, also behind escapes; `body` is what `content` says."""
        escaped = bool(self._raw) and b"\\" in content
        return self.stands_in(content) or (escaped and self.stands_in(json.dumps(body, ensure_ascii=False).encode(errors="replace")))


def is_secret(key: str | None) -> bool:
    return key is not None and len(key) >= SHORTEST


def checked_url(base_url: Any) -> str:
    """The address, if it can be written into a manifest.

    Raises:
        ConfigError: no http(s) address, or one with a password or a query in it; these are not repeated.
    """
    parts = _parts(base_url)
    if parts is None or parts.scheme not in ("http", "https"):
        raise ConfigError("model.base_url is no http(s) address; give one like http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError("model.base_url holds a password or a query; put keys into the environment and name it in model.api_key_env")
    return str(base_url).rstrip("/")


def _parts(base_url: Any) -> SplitResult | None:
    try:
        parts = urlsplit(base_url) if isinstance(base_url, str) else None
        return parts if parts is not None and parts.hostname and parts.port != 0 else None
    except ValueError:  # brackets or a port that are none
        return None


def is_openai(base_url: str) -> bool:
    return urlsplit(base_url).hostname == OPENAI


def checked_variable(name: Any, base_url: str) -> str | None:
    """The environment variable the key is in; None when no key is to be sent.

    OPENAI_API_KEY is a default for OpenAI alone: no other server is sent a key that was not named for it.

    Raises:
        ConfigError: not the name of a variable (a pasted key, most likely); it is not repeated.
    """
    if name is None:
        return "OPENAI_API_KEY" if is_openai(base_url) else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        raise ConfigError("model.api_key_env must be the NAME of an environment variable, in capitals, never the key itself")
    return name


def refuse_pasted(variable: str | None, settings: Mapping[str, Any]) -> None:
    """Settings are written into the run's folder, so no key may be in them.

    Raises:
        ConfigError: the key does, or something is named like one; neither is repeated.
    """
    secret = Secret(_value(variable))
    for name, value in settings.items():
        if secret.stands_in(json.dumps(value, default=str, ensure_ascii=False).encode(errors="replace")):
            raise ConfigError(f"model.{name} holds the key of {variable}; {WRITTEN}, so take it out there")
        if inner := _credential(value):
            raise ConfigError(f"model.{name} has {inner!r}; {WRITTEN}, so put it into the environment and name it in model.api_key_env")


def _credential(value: Any) -> str | None:
    """The first name in a nested setting that is one of a credential's."""
    if isinstance(value, Mapping):
        named = next((str(name) for name in value if CREDENTIAL.search(str(name))), None)
        return named or next((found for inner in value.values() if (found := _credential(inner))), None)
    if isinstance(value, (list, tuple)):
        return next((found for inner in value if (found := _credential(inner))), None)
    return None


def read_key(variable: str | None) -> str | None:
    """The key out of the environment.

    Raises:
        ModelError: the variable is not set, or holds what no header can; that is not repeated.
    """
    if variable is None:
        return None
    if not (key := _value(variable)):
        raise ModelError(f"the environment variable {variable} is not set; export the key in it, or name another with model.api_key_env")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ModelError(f"the environment variable {variable} holds no key: there are blanks, line breaks or letters outside ASCII in it")
    return key


def _value(variable: str | None) -> str | None:
    return os.environ.get(variable, "").strip() if variable else None
