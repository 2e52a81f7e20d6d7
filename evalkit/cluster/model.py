"""A model that is many: the protocol of one over the replicas of a Ray cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

from evalkit.cluster.chunks import chunks_of
from evalkit.cluster.dispatch import Dispatch
from evalkit.errors import ConfigError
from evalkit.models.base import Capabilities, CountsTokens, Model, Remarks, WorkItem, tokens_of
from evalkit.types import Request, Response

log = logging.getLogger("evalkit")


class RayCluster:
    """Replicas on Ray (extra `[ray]`): scheduling, transport and the detection of dead processes are Ray's.

    Args:
        replicas: how many; `auto` is what the cluster has room for, nodes that join later included.
        address: of a running cluster (`auto`: the one this machine belongs to); None starts Ray on this machine alone.
        cpus: of one replica; its arithmetic on a processor takes that many threads.
        gpus: of one replica; `auto`: as many as its model is split over where the cluster has any, else none.
        patience: seconds without a word from a replica that has work, until it counts as dead.
        load_seconds: seconds a replica may take to load the model.
    """

    def __init__(
        self,
        replicas: int | str = "auto",
        address: str | None = None,
        cpus: float = 1,
        gpus: float | str = "auto",
        patience: float = 900.0,
        load_seconds: float = 3600.0,
    ) -> None:
        self.replicas = None if replicas == "auto" else _number("replicas", replicas, least=1)
        self.address, self.cpus = address, _number("cpus", cpus, least=1)
        self.gpus = None if gpus == "auto" else _number("gpus", gpus, least=0)
        self.patience = _number("patience", patience, least=0.1)
        self.load_seconds = _number("load_seconds", load_seconds, least=1)
        if self.replicas is not None and self.replicas != int(self.replicas):
            raise ConfigError(f"cluster.replicas={replicas} is not a whole number; give one, or auto")

    def model(self, make_model: Callable[[], Model], name: str, settings: Mapping[str, Any]) -> ClusterModel:
        """The same model, many times.

        Raises:
            ConfigError: it has a ceiling of costs, which every replica would spend for itself.
        """
        if settings.get("max_cost") is not None:
            raise ConfigError(
                "model.max_cost holds for one process, and every replica would spend it; leave out cluster= or model.max_cost"
            )
        return ClusterModel(self, make_model, name, settings)


class ClusterModel:
    """Encodes here, answers there. The weights are loaded by the replicas alone.

    Args:
        make_model: makes one back end; it travels to the replicas by name and settings.
        settings: of the model, as configured.
    """

    def __init__(self, cluster: RayCluster, make_model: Callable[[], Model], name: str, settings: Mapping[str, Any]) -> None:
        self.cluster, self.name, self.settings = cluster, name, settings
        self._make = make_model
        self._local = make_model()
        self._about: dict[str, Any] = {}

    @cached_property
    def capabilities(self) -> Capabilities:
        return self._local.capabilities

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        return self._local.encode(requests)

    def tokens(self) -> CountsTokens | None:
        return tokens_of(self._local)

    def remarks(self, requests: Sequence[Request]) -> tuple[str, ...]:
        return self._local.remarks(requests) if isinstance(self._local, Remarks) else ()

    def identity(self) -> Mapping[str, Any]:
        """The model's own: where and how many times it runs changes no answer."""
        return self._local.identity()

    def describe(self) -> Mapping[str, Any]:
        return {**self._local.describe(), **self._about}

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        dispatch = Dispatch.of(chunks_of(items), done)
        if dispatch.over:
            return
        from evalkit.cluster.pool import Pool

        with Pool(self.cluster, self._make, str(self._local.describe().get("fingerprint")), self.settings) as pool:
            try:
                yield from pool.run(dispatch, frozenset(done))
            finally:
                told = pool.about()
                self._about = {**told.pop("model", {}), "cluster": {**told, **_counts(dispatch)}}
        if dispatch.counts.deaths:
            log.warning("%d replicas died; what they had in hand was asked again", dispatch.counts.deaths)


def _counts(dispatch: Dispatch) -> dict[str, int]:
    counts = dispatch.counts
    return {"deaths": counts.deaths, "answers_given_twice": counts.repeated, "chunks_asked_twice": counts.asked_twice}


def _number(name: str, value: Any, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least:
        raise ConfigError(f"cluster.{name}={value} does not fit; give a number of at least {least:g}" + (", or auto" if least < 2 else ""))
    return value
