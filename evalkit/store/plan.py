"""`plan.jsonl`: which documents a run asks, and under which keys their answers are filed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError
from evalkit.files import line
from evalkit.models.base import WorkItem
from evalkit.store.layout import PLAN, REBUILD
from evalkit.types import Doc, Evidence, Response


@dataclass(frozen=True)
class Plan:
    """With the journal it is all that re-scoring needs: no rows, tokenizer or weights.

    Attributes:
        evidence: by task, in the order asked for.
        keys: task -> document id -> keys of its answers, one per sample.
    """

    evidence: Mapping[str, Evidence]
    keys: Mapping[str, Mapping[str, Sequence[str]]]

    @classmethod
    def of(cls, evidence: Mapping[str, Evidence], items: Iterable[WorkItem]) -> Plan:
        keys: dict[str, dict[str, list[str]]] = {task: {} for task in evidence}
        for item in items:
            keys[item.task].setdefault(item.doc_id, []).append(item.key)
        return cls(evidence, keys)

    @property
    def order(self) -> list[str]:
        """Every key, in the order of tasks and documents."""
        return [key for by_doc in self.keys.values() for keys in by_doc.values() for key in keys]

    def complete(self, answered: AbstractSet[str], task: str | None = None) -> bool:
        """Whether every key (of one task) has an answer."""
        chosen = self.keys.values() if task is None else [self.keys[task]]
        return all(key in answered for by_doc in chosen for keys in by_doc.values() for key in keys)

    def answers(self, task: str, answers: Mapping[str, Response]) -> dict[str, list[Response]]:
        """Responses by document; a document that lacks one of its samples is left out, since its score would be another."""
        return {doc: [answers[key] for key in wanted] for doc, wanted in self.keys[task].items() if all(key in answers for key in wanted)}

    def given(self, task: str, doc: str, answers: Mapping[str, Response]) -> list[Response]:
        """What there is of one document's responses."""
        return [answers[key] for key in self.keys[task][doc] if key in answers]

    def with_tasks(self, newer: Plan) -> Plan:
        """Both plans' tasks: this one's order, each task as `newer` has it where it has it."""
        names = dict.fromkeys([*self.evidence, *newer.evidence])
        evidence = {name: newer.evidence.get(name) or self.evidence[name] for name in names}
        return Plan(evidence, {name: newer.keys[name] if name in newer.keys else self.keys[name] for name in names})

    def lines(self) -> Iterator[str]:
        """Per task a header, then one line per document with the keys of its answers."""
        for task, found in self.evidence.items():
            header = {f.name: getattr(found, f.name) for f in fields(found) if f.name != "docs"}
            yield line({"task": task, "evidence": header})
            for doc in found.docs:
                # As it is: a deep copy of every field would cost more than writing it.
                told = {f.name: getattr(doc, f.name) for f in fields(doc)}
                yield line({"task": task, "doc": told, "keys": list(self.keys[task][doc.id])})


def read_plan(folder: Path) -> Plan:
    """The plan of a run directory.

    Raises:
        ConfigError: no run there, or its plan is damaged.
    """
    path = folder / PLAN
    if not path.exists():
        raise ConfigError(f"{folder} is not a run directory (no {PLAN}); give a folder under results/runs, see `evalkit run`")
    headers: dict[str, dict[str, Any]] = {}
    docs: dict[str, list[Doc]] = {}
    keys: dict[str, dict[str, list[str]]] = {}
    with path.open(encoding="utf-8") as handle:
        for number, text in enumerate(handle, 1):
            try:
                raw = json.loads(text)
                task = raw["task"]
                if "evidence" in raw:
                    lists = {name: tuple(value) for name, value in raw["evidence"].items() if isinstance(value, list)}
                    headers[task] = raw["evidence"] | lists
                    docs[task], keys[task] = [], {}
                    continue
                doc = Doc(**{name: _frozen(value) if name != "fields" else value for name, value in raw["doc"].items()})
                docs[task].append(doc)
                keys[task][doc.id] = raw["keys"]
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}:{number} is damaged ({error}); {REBUILD}") from error
    return Plan({task: Evidence(docs=tuple(docs[task]), **header) for task, header in headers.items()}, keys)


def _frozen(value: Any) -> Any:
    """JSON has no tuples; documents have no lists."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
