"""The process that runs code nobody trusts. It has its own program, two pipes to the tester, and nothing else."""

from __future__ import annotations

import builtins
import io
import json
import os
import random
import sys
import types
from typing import Any

from folder import Folder
from tester import define
from wire import Lost, Peer, describe

MOST_PRINTED = 4 << 20  # bytes between two messages
RECURSION = 1000  # Python's own default, for the program alone


def serve(source: str, read: int, write: int) -> None:
    """Define the program's names, then answer the tester's calls until it hangs up."""
    module = _module("program")
    peer = Peer(read, write, module.__dict__, open_all=True)
    join(peer)
    peer.send({"ok": None} if (raised := _execute(source, module)) is None else {"raised": raised})
    try:
        while True:
            peer.answer(peer.receive())
    except Lost:
        os._exit(0)


def join(peer: Peer) -> None:
    """What the program prints is heard by the test, what it reads is the test's, and a seed or clock that the test sets is set here."""
    streams: dict[str, Any] = {"out": Printed(), "err": Printed()}
    sys.stdout, sys.stderr = (io.TextIOWrapper(raw, "utf-8", "surrogatepass", "", write_through=True) for raw in streams.values())
    sys.stdin = Read(peer)
    builtins.input = lambda prompt="", /: peer.ask("input", "input", prompt)
    patched: dict[str, Any] = {}
    folder = Folder(all_known=True)

    def say() -> dict[str, Any]:
        said: dict[str, Any] = {name: raw.take() for name, raw in streams.items() if raw.written}
        if files := folder.changes():
            said["files"] = files
        return said

    def hear(message: dict[str, Any]) -> None:
        if "files" in message:
            folder.take(message["files"])
        if "seed" in message:
            random.seed(*message["seed"])
        for name, value in message.get("patched", {}).items():
            module, attribute = name.split()
            patched.setdefault(name, getattr(sys.modules[module], attribute, None))
            setattr(sys.modules[module], attribute, patched[name] if value is None else peer.unpack(value[0]))

    peer.say, peer.hear = say, hear


class Printed(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        data = bytes(data)
        if self.size < MOST_PRINTED:
            self.written.append(data)
            self.size += len(data)
        return len(data)

    def take(self) -> str:
        data, self.written, self.size = b"".join(self.written), [], 0
        return data.decode("utf-8", "backslashreplace")


class Read(io.TextIOBase):
    """Standard input, which is the test's."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> str:
        return self.peer.ask("input", "all", -1 if size is None else size)

    def readline(self, size: int = -1) -> str:  # type: ignore[override]
        return self.peer.ask("input", "line", size)


def run_whole(job: dict[str, Any], verdict: int) -> None:
    """Run a program to its end, then its test in the same namespace where there is one, and say so.

    `job["token"]` is what the caller takes as the sign of an honest end.
    """
    module = _module("program" if "test" in job else "__main__")
    raised = _execute(job["source"], module)
    if raised is None and "test" in job:
        raised = _execute(job["test"], module, "<test>", job)
    os.write(verdict, json.dumps({"passed": raised is None, "token": job["token"], "raised": raised}).encode())
    os._exit(0)


def _execute(source: str, module: types.ModuleType, name: str = "<program>", job: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """None when the code ran to its end, else what it raised. `job`: its prompt defines what the code needs and nobody defined."""
    try:
        code = compile(source, name, "exec", dont_inherit=True)
        if job is not None:
            _fill(module.__dict__, _used(code), job)
        exec(code, module.__dict__)
    except BaseException as error:
        return describe(error)
    return None


def _fill(names: dict[str, Any], used: set[str], job: dict[str, Any]) -> None:
    """Helpers of the prompt that the test uses and the program, which may not repeat the prompt, does not define."""
    missing = {name for name in used - names.keys() - {job["entry_point"]} if name in job["prompt"] and not hasattr(builtins, name)}
    if missing:
        defined: dict[str, Any] = {"__name__": "prompt"}
        define(job["prompt"], defined)
        names.update({name: defined[name] for name in missing if name in defined})


def _used(code: types.CodeType) -> set[str]:
    """Every name that `code` or a function within it looks up."""
    return {*code.co_names, *(name for part in code.co_consts if isinstance(part, types.CodeType) for name in _used(part))}


def _module(name: str) -> types.ModuleType:
    """A fresh module, importable under its name as dataclasses and pickle expect; ours are out of sight."""
    module = types.ModuleType(name)
    for ours in ("candidate", "tester", "wire", "values", "remote", "mirrors", "folder", "confine", "seccomp", "syscalls"):
        sys.modules.pop(ours, None)
    sys.modules[name] = module
    sys.path[:] = [folder for folder in sys.path if not folder.startswith("/sandbox")]
    sys.argv[:] = ["program"]
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    sys.setrecursionlimit(RECURSION + depth)
    return module
