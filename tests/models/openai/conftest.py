"""Two servers on the loopback address: one that misbehaves on request, one that honestly serves a checkpoint."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evalkit.models.openai import OpenAIModel
from evalkit.types import GenerateRequest, GenerationParams

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture(autouse=True)
def no_stray_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("evalkit.models.openai.session.FIRST_BACKOFF", 0.01)
    monkeypatch.setattr("evalkit.models.openai.session.LONGEST_BACKOFF", 0.05)


class Faulty(BaseHTTPRequestHandler):
    """One request: `self.body` is what was asked, `self.number` counts from 0; the script says what happens."""

    protocol_version = "HTTP/1.1"
    body: dict[str, Any]
    number: int

    def do_POST(self) -> None:
        server: Any = self.server
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            self.number = len(server.seen)
            server.seen.append(self.body)
            server.at.append(time.monotonic())
            server.open += 1
            server.most = max(server.most, server.open)
        try:
            server.script(self)
        except OSError:
            pass  # the client has gone
        finally:
            with server.lock:
                server.open -= 1

    def send(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def say(self, *texts: str | None, finish: str = "stop", usage: dict[str, Any] | None = None, **message: Any) -> None:
        choices = [
            {"index": i, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
            for i, text in enumerate(texts)
        ]
        counted = usage or {"prompt_tokens": 7, "completion_tokens": 3 * len(texts)}
        self.send(200, {"choices": choices, "model": "m-2024", "usage": counted})

    def fail(self, status: int, message: str = "no", **error: Any) -> None:
        headers = error.pop("headers", {})
        self.send(status, {"error": {"message": message, **error}}, **headers)

    def log_message(self, *_: Any) -> None:
        return None


Script = Callable[[Faulty], object]


@pytest.fixture
def faulty() -> Iterator[Callable[[Script], Any]]:
    """`server = faulty(script)`; `server.url`, `server.seen` (bodies), `server.at` (times), `server.most` (at once)."""
    running: list[ThreadingHTTPServer] = []

    def make(script: Script) -> Any:
        server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Faulty)
        server.daemon_threads = True
        server.script, server.seen, server.at, server.open, server.most = script, [], [], 0, 0
        server.lock = threading.Lock()
        server.url = f"http://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        running.append(server)
        return server

    yield make
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def hosted_server() -> Iterator[Any]:
    """benchmarks/hosted_server.py as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("hosted_server")
    finally:
        sys.path.remove(str(BENCHMARKS))


def hosted(url: str, **settings: Any) -> OpenAIModel:
    traffic = {"retries": 3, "timeout": 5.0, **settings.pop("traffic", {})}
    return OpenAIModel("m", url, traffic=traffic, **settings)


def ask(model: OpenAIModel, n: int = 1, samples: int = 1, **params: Any) -> dict[str, Any]:
    """Responses to `n` short prompts by "document#sample", however they are batched."""
    requests = [GenerateRequest("t", str(i), f"question {i}", GenerationParams(**params), samples) for i in range(n)]
    items = model.encode(requests)
    by_key = {r.key: r for batch in model.answer(items, set()) for r in batch}
    return {f"{item.doc_id}#{item.sample}": by_key.get(item.key) for item in items}
