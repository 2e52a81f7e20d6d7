"""The candidate measured by the gate itself: a back end that answers in rounds, and stops when the gate knows.

`run.measure` leads as in any run: the answers are kept, scored and written. Only the order is another (random, but the same every
time, whole passages together), and what the decision does not need is never asked. The same command continues an interrupted
gate: answers that are there are looked at as if they had just come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from evalkit.gate.sequential import Watch, first
from evalkit.models.base import Capabilities, Model, WorkItem
from evalkit.results import RunResult, TaskResult
from evalkit.run.score import score_task
from evalkit.store import SavedRun, TaskColumns
from evalkit.store.columns import columns_of
from evalkit.store.journal import read as read_journal
from evalkit.store.layout import JOURNAL
from evalkit.store.plan import Plan, read_plan
from evalkit.store.samples import Sample
from evalkit.task import Task
from evalkit.types import Doc, Evidence, Request, Response


class Stopping:
    """A back end that hands documents to another one, look by look.

    Args:
        model: answers.
        watch: decides; its tasks are those of the base.
        folder: of the run, where the plan is and answers are kept.
        tell: called after each look with a line for people.
    """

    def __init__(self, model: Model, tasks: Sequence[Task], watch: Watch, folder: Path, tell: Callable[[str], None]) -> None:
        self.model = model
        self.name = model.name
        self.tasks = {task.name: task for task in tasks}
        self.watch = watch
        self.folder = folder
        self.tell = tell
        self.measured: dict[str, int] = {}
        self.capabilities: Capabilities = model.capabilities
        self._requests: dict[tuple[str, str], Request] = {}
        self._items: list[WorkItem] = []

    def identity(self) -> Mapping[str, Any]:
        return self.model.identity()

    def describe(self) -> Mapping[str, Any]:
        return {**self.model.describe(), "gate": {"looks": self.watch.looks, "documents": dict(self.measured)}}

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        self._requests = {(request.task, request.doc_id): request for request in requests}
        self._items = self.model.encode(requests)
        return self._items

    def replay(self) -> None:
        """Look at answers that were all there already, so that nobody asked for them."""
        for _ in self.answer(self._items, frozenset()):
            pass

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        """Answers of one look after another, until the decision is certain."""
        plan = read_plan(self.folder)
        answers = dict(read_journal(self.folder / JOURNAL)[0])
        order = {name: shuffled(evidence.docs) for name, evidence in plan.evidence.items()}
        by_doc: dict[tuple[str, str], list[WorkItem]] = {}
        for item in items:
            by_doc.setdefault((item.task, item.doc_id), []).append(item)
        for look in range(self.watch.looks):
            for name in self.watch.active & set(order):
                self.measured[name] = first(order[name], look, self.watch.looks)
            chosen = {name: order[name][: self.measured.get(name, 0)] for name in order}
            wanted = [item for name, docs in chosen.items() for doc in docs for item in by_doc[name, doc.id]]
            for batch in self.model.answer(wanted, set(answers)):
                answers |= {response.key: response for response in batch if response.status != "error"}
                yield batch
            over = self.watch.look(look, self._candidate(plan, chosen, answers))
            self.tell(self._said(look, order))
            if over:
                return

    def _candidate(self, plan: Plan, chosen: Mapping[str, Sequence[Doc]], answers: Mapping[str, Response]) -> SavedRun:
        """What has been measured, as a run."""
        results: dict[str, TaskResult] = {}
        columns: dict[str, TaskColumns] = {}
        for name, docs in chosen.items():
            if not docs:
                continue
            given = plan.answers(name, answers)
            part = _only(plan.evidence[name], docs)
            results[name], scores = score_task(self.tasks[name], part, given)
            lines = (
                Sample.of(name, doc, 0, self._requests[name, doc.id], given.get(doc.id, ()), {m: s[i] for m, s in scores.items()}).encode()
                for i, doc in enumerate(part.docs)
            )
            columns |= columns_of((line.encode() for line in lines), "the gate's own samples")
        return SavedRun(self.folder, RunResult(self.name, results), has_samples=False, kept=columns)

    def _said(self, look: int, order: Mapping[str, Sequence[Doc]]) -> str:
        asked, of = sum(self.measured.values()), sum(map(len, order.values()))
        settled = ", ".join(f"{row.task} {row.outcome}" for row in self.watch.settled.values()) or "nothing yet"
        return f"look {look + 1} of {self.watch.looks}: {asked:,} of {of:,} documents; certain: {settled}"


def shuffled(docs: Sequence[Doc]) -> list[Doc]:
    """A random order that is the same every time; documents of one passage follow each other."""

    def place(doc: Doc) -> tuple[bytes, bytes]:
        return _hash(doc.cluster if doc.cluster is not None else doc.id), _hash(doc.id)

    one_cluster = len({doc.cluster for doc in docs}) == 1
    return sorted(docs, key=(lambda doc: (b"", _hash(doc.id))) if one_cluster else place)


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=b"evalkit gate").digest()


def _only(evidence: Evidence, docs: Sequence[Doc]) -> Evidence:
    """The evidence with these documents alone, in the order of the file."""
    from dataclasses import replace

    chosen = {doc.id for doc in docs}
    return replace(evidence, docs=tuple(doc for doc in evidence.docs if doc.id in chosen))
