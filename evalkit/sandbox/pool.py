"""Programs in parallel, one fork server a core; equal programs run once."""

from __future__ import annotations

import os
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import ClassVar

from evalkit.errors import ConfigError
from evalkit.sandbox import bubblewrap, container, unsafe
from evalkit.sandbox.base import Limits, Outcome, Program, SandboxError
from evalkit.sandbox.calibration import MOST, slowness
from evalkit.sandbox.worker import Launch, Worker

DEFAULTS = Limits()


@dataclass(frozen=True)
class Pool:
    """Runs programs in parallel in the sandbox that `launch` starts.

    Attributes:
        workers: programs at a time; None is one per core.
    """

    NOT_IDENTITY: ClassVar[Mapping[str, str]] = {
        "launch": "how the sandbox is started; `name` says which one it is",
        "workers": "speed alone",
        "known": "outcomes of this process",
    }

    name: str
    launch: Callable[[], Launch] = field(repr=False, compare=False)
    workers: int | None = None
    limits: Limits = field(default_factory=Limits)
    known: dict[tuple[Program, Limits], Outcome] = field(default_factory=dict, repr=False, compare=False)

    def check(self) -> None:
        """Raises SandboxError, with the reason, where this sandbox does not work."""
        found = Worker(self.launch())
        try:
            outcome = found.run(Program("pass"), self.limits, MOST)
        finally:
            found.close()
        if not outcome.passed:
            raise SandboxError(f"sandbox {self.name} does not work here: an empty program {outcome.result}")

    def run(self, programs: Sequence[Program], limits: Limits | None = None, advance: Callable[[int], None] | None = None) -> list[Outcome]:
        """One outcome a program, in order; `advance` hears how many of `programs` have just been decided.

        What this pool has run before under the same limits it does not run again. No `limits`: the pool's own.

        Raises:
            SandboxError: the sandbox failed.
        """
        limits = limits or self.limits
        count = Counter(programs)
        new = [program for program in count if (program, limits) not in self.known]
        if advance and len(new) < len(count):
            advance(len(programs) - sum(count[program] for program in new))
        if new:
            self._run_new(new, limits, lambda program: advance(count[program]) if advance else None)
        return [self.known[program, limits] for program in programs]

    def _run_new(self, programs: Sequence[Program], limits: Limits, finished: Callable[[Program], None]) -> None:
        factor = self._slowness if limits.calibrate else 1.0
        launch = self.launch()
        work: queue.SimpleQueue[Program] = queue.SimpleQueue()
        for program in programs:
            work.put(program)
        done: queue.SimpleQueue[tuple[Program, Outcome] | BaseException] = queue.SimpleQueue()
        stop = threading.Event()

        def loop() -> None:
            worker = None
            try:
                worker = Worker(launch)
                while not stop.is_set():
                    program = work.get_nowait()
                    done.put((program, worker.run(program, limits, factor)))
            except queue.Empty:
                pass
            except BaseException as error:
                done.put(error)
            finally:
                if worker is not None:
                    worker.close()

        threads = [threading.Thread(target=loop, daemon=True) for _ in range(min(self._width, len(programs)))]
        for thread in threads:
            thread.start()
        try:
            for _ in programs:
                item = done.get()
                if isinstance(item, BaseException):
                    raise item
                program, self.known[item[0], limits] = item
                finished(program)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    @property
    def _width(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))

    @cached_property
    def _slowness(self) -> float:
        return slowness()


# The same settings give the same pool, so that metrics over the same answers (pass@1, pass@10) run each program once.
@cache
def bubblewrap_pool(workers: int | None = None, path: str | None = None, limits: Limits = DEFAULTS) -> Pool:
    """The default. `path`: another bwrap than the one found."""
    return Pool("bubblewrap", lambda: bubblewrap.launch(path), workers, limits)


@cache
def container_pool(engine: str | None = None, image: str | None = None, workers: int | None = None, limits: Limits = DEFAULTS) -> Pool:
    """Where bubblewrap cannot work: an engine (docker, podman) and an image with Python 3.11 or newer, both named by the user.

    Raises:
        ConfigError: one of them is not named.
    """
    if not engine or not image:
        raise ConfigError("sandbox=container needs sandbox.engine=docker (or podman) and sandbox.image=IMAGE, one that has Python 3.11")
    return Pool(f"container ({engine})", lambda: container.launch(engine, image), workers, limits)


@cache
def unsafe_pool(workers: int | None = None, limits: Limits = DEFAULTS) -> Pool:
    """No sandbox: limits and system call filter alone. For machines where nothing else works and nothing is to lose."""
    return Pool("unsafe", unsafe.launch, workers, limits)
