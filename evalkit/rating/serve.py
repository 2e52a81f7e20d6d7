"""A small server for a room of raters: each has their own address, and every rating is kept as it comes."""

from __future__ import annotations

import hmac
import json
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from evalkit.errors import ConfigError, DataError, JournalError
from evalkit.rating.journal import RatingJournals
from evalkit.rating.markup import NEEDS
from evalkit.rating.page import page_of, served
from evalkit.rating.sheet import PAGES, Rater, Sheet

LARGEST = 200_000  # bytes of one prompt's ratings with its comments
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def application(sheet: Sheet, journals: RatingJournals, folder: Path) -> Any:
    """An ASGI application (starlette) of the pages and of what they send.

    `GET /r/TOKEN` is a rater's page; `GET /r/TOKEN/ratings` what is kept of it, `{slot: {revision, record}}`; `POST` of
    `{slot, base, record}` keeps one prompt's ratings and answers `{revision, record}`: with 409 where another tab had changed
    the prompt, and both changes were kept.

    Args:
        folder: of the sheet; its pages are given as they lie there, and made again where they do not.

    Raises:
        ConfigError: the packages of the extra `rating` are not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise ConfigError(f"{NEEDS} ({error})") from error

    pages: dict[str, str] = {}

    def said(status: int, told: Mapping[str, Any]) -> Response:
        return JSONResponse(told, status, headers=HEADERS)

    async def page(request: Request) -> Response:
        rater = rater_of(sheet, request.path_params["token"])
        if rater is None:
            return PlainTextResponse("There is no page at this address.\n", 404, headers=HEADERS)
        if rater.id not in pages:
            file = folder / PAGES / f"{rater.id}.html"
            text = file.read_text(encoding="utf-8") if file.is_file() else page_of(sheet, rater)
            pages[rater.id] = served(text, f"/r/{rater.token}")
        return HTMLResponse(pages[rater.id], headers=HEADERS)

    async def kept(request: Request) -> Response:
        rater = rater_of(sheet, request.path_params["token"])
        if rater is None:
            return said(404, {"error": "no such rater"})
        entries = journals.entries[rater.id]
        return said(200, {slot: {"revision": one.revision, "record": msgspec.to_builtins(one.record)} for slot, one in entries.items()})

    async def keep(request: Request) -> Response:
        rater = rater_of(sheet, request.path_params["token"])
        if rater is None:
            return said(404, {"error": "no such rater"})
        if int(request.headers.get("content-length") or LARGEST + 1) > LARGEST:
            return said(413, {"error": "too large for one prompt's ratings"})
        try:
            sent = json.loads(await request.body())
            entry, same = journals.put(rater, str(sent["slot"]), int(sent["base"]), sent["record"])
        except (DataError, ValueError, KeyError, TypeError, RecursionError) as error:
            return said(400, {"error": str(error)})
        except JournalError as error:
            return said(507, {"error": str(error)})
        return said(200 if same else 409, {"revision": entry.revision, "record": msgspec.to_builtins(entry.record)})

    return Starlette(
        routes=[
            Route("/r/{token}", page, methods=["GET"]),
            Route("/r/{token}/ratings", kept, methods=["GET"]),
            Route("/r/{token}/ratings", keep, methods=["POST"]),
        ]
    )


def rater_of(sheet: Sheet, token: str) -> Rater | None:
    """The rater of an address; every token is compared in constant time."""
    given = token.encode("utf-8", "replace")
    found = [rater for rater in sheet.raters if hmac.compare_digest(rater.token.encode(), given)]
    return found[0] if found else None


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; port 0 takes a free one.

    Raises:
        ConfigError: the address cannot be taken.
    """
    if not 0 <= port <= 65535:
        raise ConfigError(f"port={port} is no port; give one up to 65535, or 0 for a free one")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with ExitStack() as opened:
            taken = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((host, port))
            opened.pop_all()
    except OSError as error:
        raise ConfigError(f"host={host} port={port} cannot be taken ({error.strerror or error}); port=0 takes a free one") from error
    return taken


def addresses(sheet: Sheet, host: str, port: int) -> dict[str, str]:
    """Each rater's own address."""
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    shown = f"[{name}]" if ":" in name else name
    return {rater.id: f"http://{shown}:{port}/r/{rater.token}" for rater in sheet.raters}


def run(app: Any, taken: socket.socket) -> None:
    """Serve until Ctrl-C.

    Raises:
        ConfigError: the packages of the extra `rating` are not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ConfigError(f"{NEEDS} ({error})") from error
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)).run(sockets=[taken])
