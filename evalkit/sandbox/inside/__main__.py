"""The fork server: starts once inside the sandbox, then gives every program its own processes.

It speaks over the socket that is its standard input: a JSON message with descriptors for every job, one JSON message
back. It never reads a program, so no memory a program inherits holds another's text.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import platform
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import candidate
import confine
import seccomp
import tester

# Loaded once, so that a program's own imports of them cost nothing.
WARM = """
    abc array bisect cmath collections contextlib copy dataclasses datetime decimal enum fractions functools hashlib heapq
    inspect io itertools json math numbers operator random re statistics string textwrap time types typing unicodedata
""".split()  # noqa: SIM905
WINDOW_S = 0.1
BUSY = 0.05  # a window in which less than this share of a core was used was spent waiting, not computing
READY = b"ready"
SIGCHLD = {signal.SIGCHLD}


def main(namespaces: bool) -> None:
    control = socket.socket(fileno=0)
    os.set_inheritable(0, False)
    for name in WARM:
        importlib.import_module(name)
    filter_program = seccomp.program(platform.machine()) if seccomp.supported() else None
    myself = os.pidfd_open(os.getpid()) if namespaces else -1
    if namespaces:
        confine.private_mounts()
        confine.read_only_devices()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGCHLD)
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": True, "filter": filter_program is not None}).encode())
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 4)
        if not message:
            return
        try:
            reply = job(json.loads(message), descriptors, filter_program, myself)
        except Exception:
            reply = {"error": traceback.format_exc(limit=3)}
        for fd in descriptors:
            os.close(fd)
        control.send(json.dumps(reply).encode())


def job(limits: dict[str, Any], fds: list[int], filter_program: bytes | None, myself: int) -> dict[str, Any]:
    """Run one program (and its tester, when there is one) and say how each process ended."""
    program, verdict, *test = fds
    opened: list[int] = []

    def pipe() -> tuple[int, int]:
        ends = os.pipe()
        opened.extend(ends)
        return ends

    children: list[int] = []
    trouble = []
    try:
        if test:
            (to_read, from_tester), (from_program, to_write) = pipe(), pipe()
            tasks: list[tuple[Callable[..., None], tuple[int, ...]]] = [
                (_candidate, (program, to_read, to_write)),
                (_tester, (test[0], from_program, from_tester, verdict)),
            ]
        else:
            tasks = [(_whole, (program, verdict))]
        for task, needs in tasks:
            ready, failed = pipe()
            children.append(fork(partial(start, task, needs, failed, limits, filter_program, myself), myself))
            os.close(opened.pop())
            trouble.append(ready)
        for ready in trouble:
            if (said := os.read(ready, 4096)) != READY:
                return {"error": said.decode(errors="replace") or "a process ended while it was being confined"}
        for fd in opened:
            os.close(fd)
        opened.clear()
        return watch(children, limits)
    finally:
        for fd in opened:
            os.close(fd)
        for pid in children:
            end(pid)


def fork(child: Callable[[], None], myself: int) -> int:
    """A child, in its own process namespace when there are namespaces."""
    if myself >= 0:
        confine.next_child_in_new_pid_namespace()
    try:
        pid = os.fork()
        if pid == 0:
            try:
                child()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(70)
        return pid
    finally:
        if myself >= 0:
            confine.children_here_again(myself)


def start(
    task: Callable[..., None], needs: tuple[int, ...], failed: int, limits: dict[str, Any], filter_program: bytes | None, myself: int
) -> None:
    """In the child: confine, then say so over `failed`, which is closed before any foreign code runs."""
    *kept, failed = confine.only(*needs, failed)
    try:
        confine.confine(limits, filter_program, myself >= 0)
        os.chdir("/tmp" if myself >= 0 else limits["folder"])
    except BaseException as error:
        os.write(failed, f"{type(error).__name__}: {error}".encode())
        os._exit(70)
    os.write(failed, READY)
    os.close(failed)
    task(*kept)


def _candidate(program: int, read: int, write: int) -> None:
    candidate.serve(_take(program)["source"], read, write)


def _whole(program: int, verdict: int) -> None:
    candidate.run_whole(_take(program), verdict)


def _tester(test: int, read: int, write: int, verdict: int) -> None:
    tester.decide(_take(test), read, write, verdict)


def _take(fd: int) -> Any:
    """A JSON file's content; the descriptor is closed."""
    with os.fdopen(fd, "rb") as handle:
        return json.loads(handle.read())


def watch(children: list[int], limits: dict[str, Any]) -> dict[str, Any]:
    """Wait for the deciding process (the last), within time. Time is what a clock would show on an idle machine: seconds
    computed plus seconds in which nothing was; a machine that is busy elsewhere takes nothing away."""
    decider, ended = children[-1], {}
    started = last = time.monotonic()
    idle = computed = 0.0
    while True:
        left = limits["seconds"] - idle - computed
        signal.sigtimedwait(SIGCHLD, max(0.001, min(WINDOW_S, left)))
        for pid in [pid for pid in children if pid not in ended]:
            if (status := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                ended[pid] = status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
        now, before = time.monotonic(), computed
        computed = max(before, sum(_seconds(pid) for pid in children))
        if computed - before < BUSY * (now - last):
            idle += now - last
        last = now
        why = None
        if decider in ended:
            why = "end"
        elif idle + computed >= limits["seconds"] or now - started >= limits["wall_seconds"]:
            why = "time"
        if why:
            for pid in children:
                if pid not in ended:
                    os.kill(pid, signal.SIGKILL)
            return {"why": why, "status": [ended.get(pid) for pid in children], "seconds": computed, "idle": idle}


def _seconds(pid: int) -> float:
    """CPU seconds of a child, by its own clock; also of one that has ended but is not yet waited for."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main("--namespaces" in sys.argv)
