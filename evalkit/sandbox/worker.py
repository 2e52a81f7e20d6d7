"""One fork server and the conversation with it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.sandbox import moving
from evalkit.sandbox.base import Limits, Outcome, Program, SandboxError, Status

MIB = 1 << 20
MESSAGE = 300  # characters of an outcome's message
START_S = 60.0


@dataclass(frozen=True)
class Launch:
    """How a fork server is started. `folder`: where programs without their own namespaces work."""

    command: Sequence[str]
    name: str
    advice: str
    folder: str | None = None
    count_threads: bool = True


class Worker:
    """A running fork server; one program at a time. Start and use it in one thread: it dies with that thread."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        try:
            self.process = subprocess.Popen(
                list(launch.command), stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=self.errors, env={}, start_new_session=True
            )
        except OSError as error:
            self.control.close()
            self.errors.close()
            raise SandboxError(f"sandbox {launch.name} cannot be started: {error}; {launch.advice}") from error
        finally:
            theirs.close()
        try:
            self.control.settimeout(START_S)
            if not self._receive().get("filter") and launch.folder is None:
                raise self._broken("the system call filter does not know this machine's architecture")
        except SandboxError:
            self.close()
            raise

    def run(self, program: Program, limits: Limits, factor: float) -> Outcome:
        """The outcome of one program.

        A program with a test runs together with it first: what fails there has failed. What passes there could have been forged,
        so the test runs again where the program has no say; only what passes both has passed. Where the program was asked
        about objects of its own classes, its answers also have to depend on the test's values.

        Raises:
            SandboxError: the sandbox, not the program, failed.
        """
        token = secrets.token_hex(16)
        job: dict[str, Any] = {"source": program.source, "token": token}
        judge = {"prompt": program.prompt, "test": program.test, "entry_point": program.entry_point}
        if program.test is None:
            return outcome(*self._job([job], limits, factor), token, program)
        together = outcome(*self._job([job | judge], limits, factor), token, program)
        if not together.passed:
            return together
        reply, verdict = self._job([{"source": program.source}, judge], limits, factor)
        divided = outcome(reply, verdict, None, program)
        seconds = together.seconds + divided.seconds
        if not divided.passed:
            return Outcome("disputed", printable(f"passes in one process with its test; in two: {divided.result}"), seconds)
        if doubt := moving.doubtful((verdict or {}).get("words")):

            def again(moves: moving.Moves) -> dict[str, Any] | None:
                return self._job([{"source": program.source}, judge | {"moved": moves}], limits, factor)[1]

            if left := moving.unconfirmed(program.test, doubt, again):
                line, kind = left[0].split()
                said = f"the program's own {kind}, asked in line {line} of the test, says the same of other values"
                return Outcome("disputed", printable(f"passes in one process with its test; in two: {said}"), seconds)
        return Outcome("passed", seconds=seconds)

    def _job(self, sources: Sequence[dict[str, Any]], limits: Limits, factor: float) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """How the processes of one run ended, and the verdict; `sources`: what each process reads, the program's first."""
        wall = (limits.wall_seconds or 10 * limits.seconds) * factor
        settings = {
            "seconds": limits.seconds * factor,
            "wall_seconds": wall,
            "memory_bytes": int(limits.memory_mb * MIB),
            "folder_bytes": int(limits.folder_mb * MIB),
            "open_files": int(limits.open_files),
            "threads": int(limits.threads) if self.launch.count_threads else 0,
            "folder": self.launch.folder,
        }
        program_fd, *test_fds = [_file(source) for source in sources]
        read, write = os.pipe()
        self.control.settimeout(wall + START_S)
        try:
            socket.send_fds(self.control, [json.dumps(settings).encode()], [program_fd, write, *test_fds])
            os.close(write)
            write = -1
            reply = self._receive()
            verdict = _read(read)
        except OSError as error:
            raise self._broken(str(error)) from error
        finally:
            for fd in (program_fd, read, *test_fds, *([write] if write >= 0 else [])):
                os.close(fd)
        if "error" in reply:
            raise self._broken(str(reply["error"]))
        return reply, verdict

    def close(self) -> None:
        self.control.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def _receive(self) -> dict[str, Any]:
        try:
            message = self.control.recv(1 << 16)
        except OSError as error:
            raise self._broken(str(error)) from error
        if not message:
            raise self._broken("it ended")
        return json.loads(message)

    def _broken(self, why: str) -> SandboxError:
        self.errors.seek(0)
        said = " ".join(self.errors.read(4000).decode(errors="replace").split())[-500:]
        return SandboxError(f"sandbox {self.launch.name} does not work: {why}{f' ({said})' if said else ''}; {self.launch.advice}")


def outcome(reply: dict[str, Any], verdict: dict[str, Any] | None, token: str | None, program: Program) -> Outcome:
    """What a program's end means. Only a verdict from where the program had no say, or with its token, is a pass."""
    seconds = float(reply["seconds"])
    first = reply["status"][0]
    if verdict is not None and verdict.get("passed") is True and (token is None or verdict.get("token") == token):
        return Outcome("passed", seconds=seconds)
    if reply["why"] == "time" or (first in (-24, -9) and verdict is None):
        return Outcome("timed out", seconds=seconds)
    if first == -31:
        return Outcome("killed by policy", "a forbidden system call", seconds)
    raised = (verdict or {}).get("far") or (verdict or {}).get("raised")
    if not isinstance(raised, dict) or (token is not None and (verdict or {}).get("token") != token):
        return Outcome("failed", _ended(first), seconds)
    types = raised.get("types")  # partly the program's own words: nothing about them is taken for granted
    names = [str(name) for name in types] if isinstance(types, list) and types else ["Exception"]
    status: Status = "out of memory" if "MemoryError" in names else "failed"
    if names[0] == "Lost":
        return Outcome("failed", _ended(first) if first is not None else str(raised.get("text")), seconds)
    text = f"{names[0]}: {raised.get('text')}" if raised.get("text") else str(names[0])
    return Outcome(status, printable(text + _place(raised, program)), seconds)


def _place(raised: dict[str, Any], program: Program) -> str:
    where, line = raised.get("where"), raised.get("line")
    source = {"<program>": program.source, "<test>": program.test}.get(str(where))
    if source is None or not isinstance(line, int):
        return ""
    lines = source.splitlines()
    shown = lines[line - 1].strip()[:120] if 0 < line <= len(lines) else ""
    return f" ({str(where)[1:-1]}, line {line}{f': {shown}' if shown else ''})"


def _ended(status: int | None) -> str:
    if status is None:
        return "the program closed its channel"
    return f"the program exited with code {status} before its end" if status >= 0 else f"the program was ended by signal {-status}"


def printable(text: str) -> str:
    """One line without control characters, of bearable length."""
    line = "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text[: 4 * MESSAGE])
    return " ".join(line.split())[:MESSAGE]


def _file(content: dict[str, Any]) -> int:
    """A file in memory that holds `content`, at its start."""
    fd = os.memfd_create("program")
    with os.fdopen(os.dup(fd), "wb") as handle:
        handle.write(json.dumps(content).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _read(fd: int) -> dict[str, Any] | None:
    data = os.read(fd, 1 << 16)
    try:
        verdict = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return verdict if isinstance(verdict, dict) else None
