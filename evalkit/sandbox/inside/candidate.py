"""The process that runs code nobody trusts. It has its own program, two pipes to the tester, and nothing else."""

from __future__ import annotations

import builtins
import json
import os
import sys
import types
from typing import Any

from tester import define
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
    for ours in ("candidate", "tester", "wire", "values", "remote", "confine", "seccomp", "syscalls"):
        sys.modules.pop(ours, None)
    sys.modules[name] = module
    sys.path[:] = [folder for folder in sys.path if not folder.startswith("/sandbox")]
    sys.argv[:] = ["program"]
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    sys.setrecursionlimit(RECURSION + depth)
    return module
