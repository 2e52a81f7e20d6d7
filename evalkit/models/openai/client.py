"""One endpoint through the official client: a single attempt, its answer as plain JSON, its failure in one line."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal

from evalkit.errors import ModelError
from evalkit.extras import missing
from evalkit.models.openai.failures import Failure, Malformed, from_inside, from_status, message_of, shortened
from evalkit.models.openai.keys import Secret, is_openai

Route = Literal["chat", "completions"]
CONNECT_TIMEOUT = 10.0
KEY_REPEATED = "the server's answer repeats the API key, so it is not kept"


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
        self._secret = Secret(key)
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
        if not is_openai(self.base_url):
            _forget_openai(self._client)
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
            raise from_status(error.status_code, code, shortened(self.hide(said)), error.response.headers) from None
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
        body = self._body(raw.content, raw.headers)
        self._note(body)
        return body, raw.headers

    def hide(self, text: str) -> str:
        """The text without the key, which some servers repeat in their messages."""
        return self._secret.hide(text)

    def _create(self, route: Route) -> Any:
        if route == "chat":
            create = self._client.chat.completions.with_raw_response.create
            return lambda **given: create(messages=[], **given)
        create = self._client.completions.with_raw_response.create
        return lambda **given: create(prompt="", **given)

    def _body(self, content: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        if self._secret.stands_in(content):
            raise Failure(KEY_REPEATED, stop=True)
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            raise Malformed(f"no JSON but {content[:60]!r}") from None
        if self._secret.stands_in_values(content, body):
            raise Failure(KEY_REPEATED, stop=True)
        if not isinstance(body, dict):
            raise Malformed(f"no JSON object but {str(body)[:60]!r}")
        if body.get("error"):  # some proxies say 200 and put the error inside
            said, code = message_of(body, "no message")
            raise from_inside(code, shortened(said), headers)
        return body


def _forget_openai(client: Any) -> None:
    """What the library reads from OPENAI_* for OpenAI's own servers (organisation, project, more headers) is for no other."""
    client.organization = client.project = client.admin_api_key = None
    client._custom_headers = {}


def _library() -> Any:
    try:
        return importlib.import_module("openai")
    except ImportError as error:
        raise ModelError(missing("openai", "model=openai")) from error
