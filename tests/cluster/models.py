"""Stand-ins that misbehave in one way each; replicas import them by name."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from evalkit.errors import ModelError
from evalkit.models.base import WorkItem
from evalkit.models.fake import FakeModel
from evalkit.types import Response


class Odd(FakeModel):
    """Misbehaves at one document.

    Args:
        at: `task/document`, or empty for none.
        how: `raise`, `die` (the process ends at once), `hang`, `silent` (leaves the answer out).
        once: a file; where it exists, nothing is odd, and it is made at the first misbehaviour.
    """

    def __init__(self, at: str = "", how: str = "raise", once: str = "", delay: float = 0.0, name: str = "fake", fails: str = "") -> None:
        super().__init__(name=name, batch_size=1, delay=delay)
        self.at, self.how, self.once, self.fails = at, how, once, fails

    def load(self) -> None:
        if self.fails:
            raise ModelError(self.fails)

    def identity(self) -> dict[str, Any]:
        return {"back_end": "fake", "seed": self.seed}

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        for batch in super().answer(items, done):
            item = next(item for item in items if item.key == batch[0].key)
            if f"{item.task}/{item.doc_id}" == self.at and not (self.once and os.path.exists(self.once)):
                if self.once:
                    with open(self.once, "w"):
                        pass
                if self.how == "raise":
                    raise ModelError(f"cannot read {self.at}")
                if self.how == "die":
                    os.kill(os.getpid(), 9)
                if self.how == "hang":
                    time.sleep(3600)
                if self.how == "silent":
                    continue
            yield batch
