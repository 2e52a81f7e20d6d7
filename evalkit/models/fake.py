"""A deterministic stand-in for the runner's own tests: its answers are hashes, never a claim."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from evalkit.models.base import Capabilities, WorkItem, content_key, params_key
from evalkit.types import LoglikelihoodRequest, Request, Response


class FakeModel:
    """Answers from a hash of the prompt; `delay` seconds per batch make room for a kill in tests."""

    def __init__(self, name: str = "fake", seed: int = 0, batch_size: int = 8, delay: float = 0.0) -> None:
        self.name = name
        self.seed = seed
        self.batch_size = batch_size
        self.delay = delay
        self.capabilities = Capabilities(loglikelihood=True, generate=True, chat=True)
        self.batches_run = 0
        self.max_length = 1 << 17

    def tokens(self) -> FakeModel:
        return self

    def count_tokens(self, text: str) -> int:
        """Words, for the runner's own tests."""
        return len(text.split())

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        items = []
        for request in requests:
            if isinstance(request, LoglikelihoodRequest):
                pairs = tuple((tuple(repr(c).encode()), tuple(k.encode(errors="surrogatepass"))) for c, k in request.pairs)
                key = content_key("fake-ll", str(self.seed), *(ids for pair in pairs for ids in pair))
                items.append(WorkItem(key, request.task, request.doc_id, 0, "loglikelihood", pairs=pairs))
                continue
            ids = tuple(repr(request.prompt).encode())
            for sample in range(request.num_samples):
                key = content_key("fake-gen", str(self.seed), ids, params_key(request.params, sample))
                items.append(WorkItem(key, request.task, request.doc_id, sample, "generate", prompt_ids=ids, params=request.params))
        return items

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        for start in range(0, len(items), self.batch_size):
            batch = items[start : start + self.batch_size]
            if all(item.key in done for item in batch):
                continue
            time.sleep(self.delay)
            self.batches_run += 1
            yield [self._one(item) for item in batch]

    def identity(self) -> dict[str, Any]:
        """What can change an answer; batch size and delay cannot."""
        return {"back_end": "fake", "seed": self.seed}

    def describe(self) -> Mapping[str, Any]:
        return {"back_end": "fake", "fingerprint": f"fake-{self.seed}"}

    def _one(self, item: WorkItem) -> Response:
        number = int(hashlib.sha256(item.key.encode()).hexdigest()[:8], 16)
        if item.kind == "generate":
            return Response(item.key, "ok", text=f" {number % 1000}", context_tokens=len(item.prompt_ids), output_tokens=1)
        scores = tuple(-((number >> shift) % 1009) / 64 - 1 for shift in range(len(item.pairs)))
        return Response(item.key, "ok", loglikelihoods=scores, greedy=(False,) * len(scores))
