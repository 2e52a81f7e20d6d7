"""The process that decides. It runs the problem's own test, in a memory the program cannot reach.

What the test calls in the program goes over a pipe and comes back as plain data; the verdict goes over another, which
only this process has.
"""

from __future__ import annotations

import builtins
import json
import os
from typing import Any

from remote import Remote
from wire import Peer, describe


class Names(dict[str, Any]):
    """The test's global names. A name that neither the prompt, the test nor Python defines is the program's."""

    peer: Peer

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name) or name.startswith("__"):
            raise KeyError(name)
        return self.peer.ask("global", name)


def decide(job: dict[str, Any], read: int, write: int, verdict: int) -> None:
    """Run the test against the program and write the verdict."""
    names = Names()
    names["__name__"] = "test"
    names.peer = peer = Peer(read, write, names, open_all=False)
    try:
        started = peer.receive()
        if "raised" in started:
            raise peer._exception(started["raised"])
        define(job["prompt"], names)
        # Helpers that the prompt defines stay the prompt's, whatever the program made of them; the function under
        # test is the program's, also where the test calls it by its name.
        if job["entry_point"]:
            names[job["entry_point"]] = Remote(peer, job["entry_point"])
        exec(compile(job["test"], "<test>", "exec", dont_inherit=True), names)
        answer: dict[str, Any] = {"passed": True}
    except BaseException as error:
        answer = {"passed": False, "raised": describe(error), "far": getattr(error, "far", None)}
    os.write(verdict, json.dumps(answer).encode())
    os._exit(0)


def define(prompt: str, names: dict[str, Any]) -> None:
    """What the prompt defines. It may end in the middle of a function, whose body the program supplies."""
    for ending in ("", "\n    pass\n"):
        try:
            code = compile(prompt + ending, "<prompt>", "exec", dont_inherit=True)
        except SyntaxError:
            continue
        exec(code, names)
        return
