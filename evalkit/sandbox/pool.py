"""Programs in parallel, one fork server a core; equal programs run once."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from evalkit.errors import ConfigError
from evalkit.sandbox import bubblewrap, container, unsafe
from evalkit.sandbox.base import Limits, Outcome, Program, SandboxError
from evalkit.sandbox.calibration import slowness
from evalkit.sandbox.worker import Launch, Worker


@dataclass(frozen=True)
class Pool:
    """Runs programs in parallel in the sandbox that `launch` starts.

    Attributes:
        workers: programs at a time; None is one a core.
    """

    name: str
    launch: Callable[[], Launch] = field(repr=False, compare=False)
    workers: int | None = None

    def run(self, programs: Sequence[Program], limits: Limits, advance: Callable[[int], None] | None = None) -> list[Outcome]:
        """One outcome a program, in order; `advance` hears how many of `programs` have just been decided.

        Raises:
            SandboxError: the sandbox failed.
        """
        places: dict[Program, list[int]] = {}
        for place, program in enumerate(programs):
            places.setdefault(program, []).append(place)
        if not places:
            return []
        factor = self._slowness if limits.calibrate else 1.0
        launch = self.launch()
        work: queue.SimpleQueue[Program] = queue.SimpleQueue()
        for program in places:
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

        threads = [threading.Thread(target=loop, daemon=True) for _ in range(min(self._width, len(places)))]
        outcomes: dict[int, Outcome] = {}
        for thread in threads:
            thread.start()
        try:
            for _ in places:
                item = done.get()
                if isinstance(item, BaseException):
                    raise item
                program, outcome = item
                outcomes.update((place, outcome) for place in places[program])
                if advance:
                    advance(len(places[program]))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        return [outcomes[place] for place in range(len(programs))]

    @property
    def _width(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))

    @cached_property
    def _slowness(self) -> float:
        return slowness()


def Bubblewrap(workers: int | None = None, path: str | None = None) -> Pool:  # noqa: N802 - read as a class in configuration
    """The default. `path`: another bwrap than the one found."""
    return Pool("bubblewrap", lambda: bubblewrap.launch(path), workers)


def Container(engine: str | None = None, image: str | None = None, workers: int | None = None) -> Pool:  # noqa: N802
    """Where bubblewrap cannot work: an engine (docker, podman) and an image with Python 3.11 or newer, both named by the user."""
    if not engine or not image:
        raise ConfigError("sandbox=container needs sandbox.engine=docker (or podman) and sandbox.image=IMAGE, one that has Python 3.11")
    return Pool(f"container ({engine})", lambda: container.launch(engine, image), workers)


def Unsafe(workers: int | None = None) -> Pool:  # noqa: N802
    """No sandbox: limits and system call filter alone. For machines where nothing else works and nothing is to lose."""
    return Pool("unsafe", unsafe.launch, workers)


__all__ = ["Bubblewrap", "Container", "Pool", "SandboxError", "Unsafe"]
