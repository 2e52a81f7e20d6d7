"""Many requests at once in a loop of their own thread; answers come out of an ordinary generator as they arrive."""

from __future__ import annotations

import asyncio
import logging
import queue
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from evalkit.errors import ConfigError, ModelError
from evalkit.models.openai.client import Endpoint, Route
from evalkit.models.openai.cost import Ledger, OverBudget
from evalkit.models.openai.failures import Failure, Malformed
from evalkit.models.openai.limiter import Limiter
from evalkit.types import Response

log = logging.getLogger("evalkit")
T = TypeVar("T")
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 30.0  # seconds
RETRIES_BEFORE_ANY_ANSWER = 2  # a wrong address or a dead server should be noticed in seconds


@dataclass(frozen=True)
class Traffic:
    """How hard an endpoint is asked; nothing here can change an answer.

    Attributes:
        concurrency: requests in flight at most; how many there really are follows the server.
        timeout: seconds an attempt may take.
        retries: further attempts after a passing failure (429, 5xx, time-out, broken connection, malformed answer).
        max_failures: requests in a row that may fail for good before the run is stopped.
    """

    concurrency: int = 32
    timeout: float = 300.0
    retries: int = 6
    max_failures: int = 10

    def __post_init__(self) -> None:
        for name, least in (("concurrency", 1), ("retries", 0), ("max_failures", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"model.traffic.{name}={value!r} is no whole number from {least}")
        if isinstance(self.timeout, bool) or not isinstance(self.timeout, (int, float)) or self.timeout <= 0:
            raise ConfigError(f"model.traffic.timeout={self.timeout!r} is no number of seconds above 0")


@dataclass(frozen=True)
class Ask:
    """One HTTP request and what it can cost at most."""

    route: Route
    payload: Mapping[str, Any]
    prompt_bytes: int
    new_tokens: int


@dataclass(frozen=True)
class Job:
    """Work whose answers belong together; `work` may send several requests through the session."""

    kind: str
    keys: tuple[str, ...]
    work: Callable[[Session], Awaitable[list[Response]]]


class Stop(Exception):
    """The run cannot go on; `soon` lets requests that are already paid for finish."""

    def __init__(self, message: str, soon: bool = False) -> None:
        super().__init__(message)
        self.soon = soon


class Session:
    """One stretch of asking one endpoint.

    Args:
        before: done first, alone, when there is any work (a probe).
    """

    def __init__(
        self, endpoint: Endpoint, ledger: Ledger, traffic: Traffic, before: Callable[[Session], Awaitable[None]] | None = None
    ) -> None:
        self.endpoint = endpoint
        self.ledger = ledger
        self.traffic = traffic
        self.answers = 0
        self._before = before
        self._failures_in_a_row = 0
        self._stop: Stop | None = None
        self._random = random.Random()  # spreads retries, never touches an answer

    def run(self, jobs: Iterator[Job]) -> Iterator[list[Response]]:
        """Lists of responses of one kind, as they arrive. Ctrl-C yields what has arrived before it goes on.

        Raises:
            ModelError: the run was stopped: refused key, failures in a row, the cost ceiling.
        """
        arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        loop = asyncio.new_event_loop()
        main = loop.create_task(self._main(jobs, arrived))
        thread = threading.Thread(target=_drive, args=(loop, main, arrived), name="evalkit-hosted", daemon=True)
        thread.start()
        try:
            yield from _until_done(arrived)
        except KeyboardInterrupt:
            _cancel(loop, main, thread)
            with suppress(ModelError):
                yield from _until_done(arrived)
            raise
        finally:
            _cancel(loop, main, thread)

    async def ask(self, ask: Ask, read: Callable[[dict[str, Any]], T], retries: int | None = None) -> T:
        """Send one request until it is answered or given up; `read` turns the body into what is wanted.

        Raises:
            Failure: given up.
            Stop: the run cannot go on.
        """
        worst = self.ledger.worst(ask.prompt_bytes, ask.new_tokens)
        attempt = 0
        while True:
            failure = await self._attempt(ask, read, worst)
            if not isinstance(failure, Failure):
                self._failures_in_a_row = 0
                self.answers += 1
                return failure
            if failure.stop:
                raise self._stopped(Stop(str(failure)))
            allowed = self.traffic.retries if retries is None else retries
            if failure.unreachable and not self.answers:
                allowed = min(allowed, RETRIES_BEFORE_ANY_ANSWER)
            if not failure.retry or attempt >= allowed:
                raise failure
            await asyncio.sleep(self._backoff(attempt, failure.wait))
            attempt += 1
            self.ledger.retries += 1

    async def _attempt(self, ask: Ask, read: Callable[[dict[str, Any]], T], worst: float) -> T | Failure:
        try:
            await self.ledger.admit(worst)
        except OverBudget as error:
            raise self._stopped(Stop(f"{error}; raise model.max_cost to go on", soon=True)) from None
        body, billed = None, True  # booked at its worst, should something unforeseen end the attempt
        limiter = self._limiter
        try:
            started = await limiter.acquire()
            try:
                self.ledger.requests += 1
                body, headers = await self.endpoint.post(ask.route, ask.payload)
                limiter.answered(headers)
                return _read(read, body)
            except Failure as failure:
                billed = failure.billed
                limiter.failed(started, failure)
                return failure
            finally:
                limiter.release()
        finally:
            self.ledger.settle(worst, body, billed)

    def _backoff(self, attempt: int, wait: float | None) -> float:
        """Exponential with jitter, and never before the moment the server named."""
        longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**attempt)
        return (wait or 0.0) + longest * self._random.uniform(0.5, 1.0)

    def _stopped(self, stop: Stop) -> Stop:
        self._stop = self._stop or stop
        return stop

    def given_up(self, failure: Failure) -> None:
        """Count a request that failed for good; enough of them in a row end the run."""
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= self.traffic.max_failures:
            self._stopped(Stop(f"{self._failures_in_a_row} requests in a row failed, the last one: {failure}"))

    async def _main(self, jobs: Iterator[Job], arrived: queue.SimpleQueue[Any]) -> None:
        """Keep at most `concurrency` jobs open; those that wait to retry count too, so a dead server gets no more."""
        self._limiter = Limiter(self.traffic.concurrency)
        self.ledger.open()
        places = asyncio.Semaphore(self.traffic.concurrency)
        open_tasks: set[asyncio.Task[None]] = set()
        async with self.endpoint:
            try:
                if self._before:
                    await self._before(self)
                for job in jobs:
                    await places.acquire()
                    if self._stop:
                        break
                    task = asyncio.create_task(self._one(job, arrived))
                    open_tasks.add(task)
                    task.add_done_callback(open_tasks.discard)
                    task.add_done_callback(lambda _: places.release())
                while open_tasks and not (self._stop and not self._stop.soon):
                    done, _ = await asyncio.wait(open_tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            finally:
                for task in list(open_tasks):
                    task.cancel()
                await asyncio.gather(*open_tasks, return_exceptions=True)
        if self._stop:
            raise self._stop

    async def _one(self, job: Job, arrived: queue.SimpleQueue[Any]) -> None:
        try:
            responses = await job.work(self)
        except Failure as failure:
            responses = [Response(key, "error", error=str(failure)) for key in job.keys]
            self.given_up(failure)
        except Stop:
            return
        except Exception as error:  # a defect of ours must end the run, not vanish in a task
            self._stopped(Stop(f"unforeseen {type(error).__name__} in a request: {self.endpoint.hide(str(error))[:200]}"))
            log.debug("unforeseen failure of a request", exc_info=error)
            return
        arrived.put((job.kind, responses))


def _read(read: Callable[[dict[str, Any]], T], body: dict[str, Any]) -> T:
    try:
        return read(body)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"{type(error).__name__} {error} in {str(body)[:120]}") from None


def _drive(loop: asyncio.AbstractEventLoop, main: asyncio.Task[None], arrived: queue.SimpleQueue[Any]) -> None:
    """The thread: run the loop to its end, then say how it ended."""
    ended: BaseException | None = None
    try:
        loop.run_until_complete(main)
    except asyncio.CancelledError:
        pass
    except BaseException as error:
        ended = error
    finally:
        with suppress(Exception):
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        arrived.put(ended)


def _until_done(arrived: queue.SimpleQueue[Any]) -> Iterator[list[Response]]:
    """Everything that has arrived, joined by kind, so that one write saves it all; waits for more until the end."""
    while True:
        got = [arrived.get()]
        with suppress(queue.Empty):
            while True:
                got.append(arrived.get_nowait())
        by_kind: dict[str, list[Response]] = {}
        for kind, responses in (entry for entry in got if isinstance(entry, tuple)):
            by_kind.setdefault(kind, []).extend(responses)
        yield from by_kind.values()
        if not isinstance(got[-1], tuple):
            if isinstance(got[-1], Stop):
                raise ModelError(f"stopped: {got[-1]} (every answer so far is saved; the same command continues)")
            if got[-1] is not None:
                raise got[-1]
            return


def _cancel(loop: asyncio.AbstractEventLoop, main: asyncio.Task[None], thread: threading.Thread) -> None:
    with suppress(RuntimeError):  # already closed
        loop.call_soon_threadsafe(main.cancel)
    thread.join(timeout=10)
