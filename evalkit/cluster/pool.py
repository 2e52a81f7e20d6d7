"""Replicas as Ray actors: started, asked, watched, replaced."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit.cluster.connect import connect, ray_for
from evalkit.cluster.dispatch import Dispatch, Work
from evalkit.cluster.replica import Replica, versions
from evalkit.cluster.wire import pack_items
from evalkit.errors import ConfigError, EvalkitError, ModelError
from evalkit.models.base import Model
from evalkit.types import Response

if TYPE_CHECKING:
    from evalkit.cluster.model import RayCluster

log = logging.getLogger("evalkit")
LOOK_S = 0.5  # seconds between looks at what a clock decides: slow chunks, silent replicas
NODES_S = 5.0  # seconds between looks at how large the cluster is
ABOUT_S = 10.0  # seconds to wait for a replica's last word of its model
BAD = 3  # chunks in a row that end in an exception: the process is taken to be broken
STARTS = 3  # times a replica may die while it loads, before its place is given up


@dataclass(eq=False)
class Member:
    """One replica and what it is doing.

    Attributes:
        waits_for: Ray's reference to what it will say next: that it is ready, or the answers of its work.
        heard: when it last said something.
    """

    actor: Any
    waits_for: Any
    heard: float
    ready: bool = False
    work: Work | None = None
    bad: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    busy: float = 0.0
    tokens: int = 0
    chunks: int = 0


class Pool:
    """The replicas of one run; a context manager that ends them.

    Args:
        fingerprint: of the model as the driver knows it.
        settings: of the model; says over how many GPUs one is split.

    Raises:
        ConfigError: Ray is not installed, or no cluster is at the address.
    """

    def __init__(
        self, cluster: RayCluster, make_model: Callable[[], Model], fingerprint: str, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.cluster, self._make, self._fingerprint, self.settings = cluster, make_model, fingerprint, settings or {}
        self._members: list[Member] = []
        self._gone: list[Member] = []
        self._failed_starts = 0
        self._last_reason = ""
        self._looked = -NODES_S
        self._told_of_room = False
        self._full_since: float | None = None
        self._model: Mapping[str, Any] = {}
        self._ours = False

    def __enter__(self) -> Pool:
        self._ray = ray_for(self.cluster.address)
        self._ours = not self._ray.is_initialized()
        if self._ours:
            connect(self._ray, self.cluster)
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            self._ray.kill(member.actor)
        if self._ours:
            self._ray.shutdown()

    def run(self, dispatch: Dispatch, done: frozenset[str]) -> Iterator[list[Response]]:
        """Answer everything.

        Raises:
            EvalkitError: the model cannot be loaded, the nodes do not agree on versions or weights, or Ray's object store
                stays full.
        """
        while not dispatch.over:
            self._fill(dispatch)
            if not self._members:
                yield dispatch.give_up(f"no replica is left: {self._last_reason}")
                return
            waiting = {self._key(m.waits_for): m for m in self._members if m.waits_for is not None}
            heard = self._ray.wait([m.waits_for for m in waiting.values()], num_returns=1, timeout=LOOK_S)[0] if waiting else []
            for reference in heard:
                if responses := self._listen(waiting[self._key(reference)], dispatch):
                    yield responses
            if responses := self._silent(dispatch):
                yield responses
            for member in self._members:
                if not member.ready or member.work is not None or (work := dispatch.take(time.monotonic())) is None:
                    continue
                if not self._give(member, work, done):
                    dispatch.put_back(work)
                    time.sleep(0 if waiting else LOOK_S)
                    break

    @staticmethod
    def _key(reference: Any) -> int:
        return id(reference)

    def _fill(self, dispatch: Dispatch) -> None:
        """As many replicas as are wanted and fit, as nodes come and go."""
        now = time.monotonic()
        if now - self._looked < NODES_S and len(self._members) >= 1:
            return
        self._looked = now
        cpus, gpus = self._each()
        room = self._room(cpus, gpus)
        wanted = room if self.cluster.replicas is None else int(self.cluster.replicas)
        if room < 1 and not self._members and not self._told_of_room:
            log.warning("the cluster has no room for a replica of %g processors and %g GPUs yet; waiting for nodes", cpus, gpus)
            self._told_of_room = True
        elif self.cluster.replicas is not None and room < wanted and not self._told_of_room:
            log.warning("the cluster has room for %d of %d replicas; the others start when nodes join", room, wanted)
            self._told_of_room = True
        wanted = min(wanted, dispatch.waiting + sum(m.work is not None for m in self._members))
        while len(self._members) < max(1, wanted) and self._failed_starts < STARTS * max(1, wanted):
            self._start(cpus, gpus)

    def _each(self) -> tuple[float, float]:
        """Processors and GPUs of one replica."""
        if self.cluster.gpus is not None:
            return self.cluster.cpus, self.cluster.gpus
        has = self._ray.cluster_resources().get("GPU", 0)
        split = int(self.settings.get("tensor_parallel") or 1) * int(self.settings.get("pipeline_parallel") or 1)
        return self.cluster.cpus, float(split if has else 0)

    def _room(self, cpus: float, gpus: float) -> int:
        """Replicas that the nodes can hold; one never spans two nodes."""
        found = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                has = node["Resources"]
                found += int(min(has.get("CPU", 0) // cpus, has.get("GPU", 0) // gpus if gpus else float("inf")))
        return found

    def _start(self, cpus: float, gpus: float) -> None:
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
        actor = self._ray.remote(Replica).options(**options).remote(self._make, max(1, int(cpus)))
        self._members.append(Member(actor, actor.ready.remote(), time.monotonic()))

    def _give(self, member: Member, work: Work, done: frozenset[str]) -> bool:
        """False while Ray has no room for what is sent: other objects fill its store and the disk behind it.

        Raises:
            ModelError: it has had none for `cluster.patience` seconds.
        """
        from ray.exceptions import ObjectStoreFullError, OutOfDiskError

        keys = frozenset(item.key for item in work.items)
        answered = (done & keys) | (keys - work.left)
        now = time.monotonic()
        try:
            answers = member.actor.answer.options(num_returns="streaming").remote(pack_items(work.items), answered)
        except (ObjectStoreFullError, OutOfDiskError) as error:
            full = "Ray's object store is full, and so is the disk it spills to"
            if self._full_since is None:
                log.warning("%s; waiting for room, no answer is lost", full)
                self._full_since = now
            if now - self._full_since < self.cluster.patience:
                return False
            raise ModelError(
                f"{full}, for {self.cluster.patience:g} s (cluster.patience): free some of /tmp/ray's disk, or start Ray with a larger "
                "--object-store-memory; what was answered is kept, and the same command continues"
            ) from error
        self._full_since, member.work, member.heard, member.waits_for = None, work, now, answers
        return True

    def _listen(self, member: Member, dispatch: Dispatch) -> list[Response]:
        """What one replica said."""
        from ray.exceptions import RayError, RayTaskError

        now = time.monotonic()
        member.busy += now - member.heard if member.work else 0.0
        member.heard = now
        try:
            if not member.ready:
                self._greet(member, self._ray.get(member.waits_for))
                return []
            responses: list[Response] = self._ray.get(next(member.waits_for))
            assert member.work is not None
            member.tokens += sum(r.context_tokens + r.output_tokens for r in responses)
            return dispatch.arrived(member.work, responses)
        except StopIteration:
            assert member.work is not None
            work, member.work, member.waits_for, member.bad = member.work, None, None, 0
            member.chunks += 1
            return dispatch.finished(work, now)
        except RayTaskError as error:
            return self._exception(member, error, dispatch)
        except RayError as error:
            return self._lost(member, _reason(error), dispatch)

    def _greet(self, member: Member, told: dict[str, Any]) -> None:
        """A replica is ready; it must be the same as the driver and as all others.

        Raises:
            ConfigError: its versions or its weights are others.
        """
        here = versions()
        if different := [name for name in here.keys() | told["versions"].keys() if here.get(name) != told["versions"].get(name)]:
            pairs = ", ".join(f"{name} {told['versions'].get(name, 'none')}, not {here.get(name, 'none')}" for name in sorted(different))
            raise ConfigError(f"node {told['node']} has {pairs} as here; install the same versions on every node")
        if str(told["fingerprint"]) != self._fingerprint:
            raise ConfigError(
                f"node {told['node']} has other weights, tokenizer or settings: fingerprint {told['fingerprint']}, here "
                f"{self._fingerprint}; give every node the same model, or clear its cache"
            )
        member.about, member.ready, member.waits_for = told, True, None
        self._model = told["model"]

    def _exception(self, member: Member, error: Any, dispatch: Dispatch) -> list[Response]:
        cause = error.cause if isinstance(getattr(error, "cause", None), EvalkitError) else None
        why = str(cause) if cause else _reason(error)
        if not member.ready:
            self._drop(member)
            self._failed_starts += STARTS
            self._last_reason = why
            if not self._members:  # every replica fails alike: that is the model, not a node
                raise cause or ModelError(f"no replica could load the model: {why}")
            log.warning("a replica could not load the model and is left out: %s", why)
            return []
        assert member.work is not None
        work, member.work, member.waits_for = member.work, None, None
        member.bad += 1
        if member.bad >= BAD:
            log.warning("a replica on node %s failed %d times in a row and is replaced: %s", member.about.get("node"), BAD, why)
            self._drop(member)
            return dispatch.died(work, why)
        return dispatch.failed(work, why)

    def _lost(self, member: Member, reason: str, dispatch: Dispatch) -> list[Response]:
        """A replica is gone: killed, out of memory, its node removed, or silent."""
        self._drop(member)
        self._last_reason = reason
        self._looked = -NODES_S  # look for room at once
        if not member.ready:
            self._failed_starts += 1
        else:
            log.warning("a replica on node %s is gone (%s); its chunk goes to another", member.about.get("node"), reason)
        return dispatch.died(member.work, reason)

    def _silent(self, dispatch: Dispatch) -> list[Response]:
        """End replicas that have said nothing for too long."""
        now = time.monotonic()
        errors: list[Response] = []
        for member in list(self._members):
            if member.ready and member.work and now - member.heard > self.cluster.patience:
                reason = f"silent for {self.cluster.patience:g} s (cluster.patience)"
            elif not member.ready and now - member.heard > self.cluster.load_seconds and self._is_placed(member):
                reason = f"not loaded after {self.cluster.load_seconds:g} s (cluster.load_seconds)"
            else:
                continue
            errors += self._lost(member, reason, dispatch)
        return errors

    def _is_placed(self, member: Member) -> bool:
        """Whether some node runs it; one that waits for room is not late."""
        from ray.util.state import get_actor

        try:
            found = get_actor(member.actor._actor_id.hex())
        except Exception:  # the state service needs the dashboard, which a small cluster lacks
            return True
        return bool(found and found.state == "ALIVE")

    def _drop(self, member: Member) -> None:
        if member in self._members:
            self._members.remove(member)
            self._gone.append(member)
            self._ray.kill(member.actor)

    def about(self) -> dict[str, Any]:
        """For the manifest: the model as a replica describes it, and each replica with its node, device, seconds and tokens per second."""
        if idle := next((m for m in self._members if m.ready and m.work is None), None):
            with suppress(Exception):  # what it said when it was ready will do
                self._model = self._ray.get(idle.actor.about.remote(), timeout=ABOUT_S)
        told = [
            {
                "node": m.about.get("node"),
                "process": m.about.get("process"),
                "device": m.about.get("device"),
                "load_seconds": round(m.about.get("load_seconds", 0.0), 3),
                "seconds": round(m.busy, 3),
                "chunks": m.chunks,
                "tokens_per_second": round(m.tokens / m.busy, 1) if m.busy else None,
                "alive": m in self._members,
            }
            for m in (*self._members, *self._gone)
            if m.about
        ]
        return {"engine": f"ray {self._ray.__version__}", "replicas": told, "model": dict(self._model)}


def _reason(error: BaseException) -> str:
    lines = [text.strip() for text in str(error).splitlines() if text.strip()]
    return lines[-1][:200] if lines else type(error).__name__
