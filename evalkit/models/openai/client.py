"""One endpoint through the official client: a single attempt, its answer as plain JSON, its failure in one line."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from evalkit.errors import ConfigError, ModelError
from evalkit.models.openai.failures import Failure, Malformed, from_status, message_of

Route = Literal["chat", "completions"]
OPENAI = "api.openai.com"
CONNECT_TIMEOUT = 10.0
SHORTEST_SECRET = 8  # placeholders such as EMPTY or none are no secrets, and hiding them would garble messages


def checked_url(base_url: Any) -> str:
    """The address, if it can be written into a manifest.

    Raises:
        ConfigError: no http(s) address, or one with a password or a query in it; these are not repeated.
    """
    parts = urlsplit(base_url) if isinstance(base_url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("model.base_url is no http(s) address; give one like http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError("model.base_url holds a password or a query; put keys into the environment and name it in model.api_key_env")
    return str(base_url).rstrip("/")


def checked_variable(name: Any, base_url: str) -> str | None:
    """The environment variable the key is in; None when no key is to be sent.

    OPENAI_API_KEY is a default for OpenAI alone: no other server is sent a key that was not named for it.

    Raises:
        ConfigError: not the name of a variable (a pasted key, most likely); it is not repeated.
    """
    if name is None:
        return "OPENAI_API_KEY" if urlsplit(base_url).hostname == OPENAI else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        raise ConfigError("model.api_key_env must be the NAME of an environment variable, in capitals, never the key itself")
    return name


class Endpoint:
    """An address, a key and a time limit; open it inside the event loop that uses it.

    Args:
        key: sent as a bearer token; None sends none.
        timeout: seconds a whole attempt may take, however slowly bytes drip in.
        note: shown every body that is an answer.
    """

    def __init__(
        self, base_url: str, model_id: str, key: str | None, timeout: float, note: Callable[[Mapping[str, Any]], None] = lambda _: None
    ) -> None:
        self.base_url = base_url
        self.model_id = model_id
        self.timeout = timeout
        self._note = note
        self._key = key
        self._openai = _library()
        self._client: Any = None

    async def __aenter__(self) -> Endpoint:
        library = self._openai
        for transport in ("httpcore", "httpcore2"):  # their debug lines hold whole headers
            logging.getLogger(transport).setLevel(logging.INFO)
        self._client = library.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.base_url,
            max_retries=0,  # retries are ours: they share one limit, and are counted
            timeout=library.Timeout(self.timeout, connect=min(CONNECT_TIMEOUT, self.timeout)),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def post(self, route: Route, payload: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, str]]:
        """One attempt: (body, headers).

        Raises:
            Failure: what happened, and whether another attempt makes sense.
        """
        library = self._openai
        try:
            async with asyncio.timeout(self.timeout):
                # Everything goes through extra_body: the client then sends it as it is, without typing it again.
                raw = await self._create(route)(model=self.model_id, extra_body=dict(payload))
        except library.APIStatusError as error:
            said, code = message_of(error.body, fallback=error.response.reason_phrase or "no message")
            raise from_status(error.status_code, code, self.hide(said), error.response.headers) from None
        except (TimeoutError, library.APITimeoutError) as error:
            unreachable = type(error.__cause__).__name__ == "ConnectTimeout"
            raise Failure(f"no answer within {self.timeout:g} s", retry=True, unreachable=unreachable, billed=not unreachable) from None
        except library.APIConnectionError as error:
            cause = error.__cause__ or error
            unreachable = type(cause).__name__ == "ConnectError"
            what = f"{self.base_url} cannot be reached" if unreachable else "the connection broke"
            said = self.hide(f"{what} ({cause or type(cause).__name__})")
            raise Failure(said, retry=True, unreachable=unreachable, billed=not unreachable) from None
        except UnicodeEncodeError:
            raise Failure("the prompt holds a lone surrogate, which cannot be sent") from None
        body = self._body(raw.content)
        self._note(body)
        return body, raw.headers

    def hide(self, text: str) -> str:
        """The text without the key, which some servers repeat in their messages."""
        return text.replace(self._secret, "***") if self._secret else text

    @property
    def _secret(self) -> str:
        return self._key if self._key and len(self._key) >= SHORTEST_SECRET else ""

    def _create(self, route: Route) -> Any:
        if route == "chat":
            create = self._client.chat.completions.with_raw_response.create
            return lambda **given: create(messages=[], **given)
        create = self._client.completions.with_raw_response.create
        return lambda **given: create(prompt="", **given)

    def _body(self, content: bytes) -> dict[str, Any]:
        if self._secret and self._secret.encode() in content:
            raise Failure("the server's answer repeats the API key, so it is not kept", stop=True)
        try:
            body = json.loads(content)
        except ValueError:
            raise Malformed(f"no JSON but {content[:60]!r}") from None
        if not isinstance(body, dict):
            raise Malformed(f"no JSON object but {str(body)[:60]!r}")
        if body.get("error"):  # some proxies say 200 and put the error inside
            said, _ = message_of(body, "no message")
            raise Malformed(self.hide(said))
        return body


def read_key(variable: str | None) -> str | None:
    """The key out of the environment.

    Raises:
        ModelError: the variable is not set.
    """
    if variable is None:
        return None
    if not (key := os.environ.get(variable, "").strip()):
        raise ModelError(f"the environment variable {variable} is not set; export the key in it, or name another with model.api_key_env")
    return key


def _library() -> Any:
    try:
        return importlib.import_module("openai")
    except ImportError as error:
        raise ModelError(f"hosted models need the openai package ({error}); run: pip install 'evalkit[openai]'") from error
