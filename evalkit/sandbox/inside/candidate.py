"""The process that runs code nobody trusts. It has its own program, two pipes to the tester, and nothing else."""

from __future__ import annotations

import json
import os
import sys
import types
from typing import Any

from wire import Lost, Peer, describe

RECURSION = 1000  # Python's own default, for the program alone


def serve(source: str, read: int, write: int) -> None:
    """Define the program's names, then answer the tester's calls until it hangs up."""
    module = _module("program")
    peer = Peer(read, write, module.__dict__, open_all=True)
    peer.send({"ok": None} if (raised := _execute(source, module)) is None else {"raised": raised})
    try:
        while True:
            peer.answer(peer.receive())
    except Lost:
        os._exit(0)


def run_whole(source: str, token: str, verdict: int) -> None:
    """Run a program to its end and say so. `token` is what the caller takes as the sign of an honest end."""
    raised = _execute(source, _module("__main__"))
    os.write(verdict, json.dumps({"passed": raised is None, "token": token, "raised": raised}).encode())
    os._exit(0)


def _execute(source: str, module: types.ModuleType) -> dict[str, Any] | None:
    """None when the program ran to its end, else what it raised."""
    try:
        code = compile(source, "<program>", "exec", dont_inherit=True)
        exec(code, module.__dict__)
    except BaseException as error:
        return describe(error)
    return None


def _module(name: str) -> types.ModuleType:
    """A fresh module, importable under its name as dataclasses and pickle expect; ours are out of sight."""
    module = types.ModuleType(name)
    for ours in ("candidate", "tester", "wire", "confine", "seccomp", "syscalls"):
        sys.modules.pop(ours, None)
    sys.modules[name] = module
    sys.path[:] = [folder for folder in sys.path if not folder.startswith("/sandbox")]
    sys.argv[:] = ["program"]
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    sys.setrecursionlimit(RECURSION + depth)
    return module
