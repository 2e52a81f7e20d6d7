"""A small HTTP server that speaks the hub's paths for data sets, so that the real hub code can be run against it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Repo:
    """One data set: commits by sha (path -> bytes), the sha of `main`, and a gate (0, 401 or 403)."""

    commits: Mapping[str, Mapping[str, bytes]]
    head: str
    gate: int = 0


@dataclass
class FakeHub:
    repos: Mapping[str, Repo]
    requests: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(hub: FakeHub) -> Iterator[FakeHub]:
    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.served.requests.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        api = parts[:2] == ["api", "datasets"]
        rest = parts[2:] if api else parts[1:]
        if parts == [""]:
            return self._send(200, b"")
        repo = self.served.repos.get("/".join(rest[:2]))
        if repo is None or len(rest) < 2:
            return self._fail(404, "RepoNotFound")
        if repo.gate:
            return self._fail(repo.gate, "GatedRepo")
        action, revision, inner = (rest[2:3] or ["revision"])[0], (rest[3:4] or ["main"])[0], "/".join(rest[4:])
        sha = repo.head if revision == "main" else revision
        files = repo.commits.get(sha)
        if files is None:
            return self._fail(404, "RevisionNotFound")
        if action == "resolve":
            return self._file(files, inner, sha)
        if action == "revision":
            siblings = [{"rfilename": name} for name in files]
            payload: object = {"id": "/".join(rest[:2]), "sha": sha, "siblings": siblings, "private": False, "gated": False, "tags": []}
        elif action == "tree":
            payload = _tree(files, inner, recursive="recursive=true" in urlsplit(self.path).query.lower())
        elif action == "paths-info":
            asked = _asked_paths(body)
            payload = [entry for entry in _tree(files, "", recursive=True) if entry["path"] in asked]
        else:
            return self._fail(404, "EntryNotFound")
        self._send(200, json.dumps(payload).encode(), {"Content-Type": "application/json"})

    def _file(self, files: Mapping[str, bytes], name: str, sha: str) -> None:
        data = files.get(name)
        if data is None:
            return self._fail(404, "EntryNotFound", {"X-Repo-Commit": sha})
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        wanted = self.headers.get("Range", "")
        if self.command == "GET" and wanted.startswith("bytes="):
            first, _, last = wanted[6:].partition("-")
            start, stop = int(first or 0), int(last) + 1 if last else len(data)
            headers["Content-Range"] = f"bytes {start}-{min(stop, len(data)) - 1}/{len(data)}"
            return self._send(206, data[start:stop], headers)
        self._send(200, data, headers)

    def _fail(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})})

    def _send(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _tree(files: Mapping[str, bytes], folder: str, recursive: bool) -> list[dict[str, object]]:
    """Files and folders below `folder`: the children alone, or everything."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, object]] = {}
    for name, data in files.items():
        if not name.startswith(prefix):
            continue
        parts = name[len(prefix) :].split("/")
        for depth in range(1, len(parts)):
            path = prefix + "/".join(parts[:depth])
            if recursive or depth == 1:
                entries[path] = {"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}
        if recursive or len(parts) == 1:
            entries[name] = {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
    return list(entries.values())


def _asked_paths(body: bytes) -> list[str]:
    text = body.decode()
    if text.startswith("{"):
        paths = json.loads(text)["paths"]
        return [paths] if isinstance(paths, str) else list(paths)
    pairs = [pair.partition("=") for pair in text.split("&")]
    return [unquote(value.replace("+", " ")) for name, _, value in pairs if name == "paths"]
