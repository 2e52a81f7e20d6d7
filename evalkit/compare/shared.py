"""Which documents of different tasks are the same row of the same data set.

Tasks in several forms (`_logprob`, `_cloze`, two directions of a translation, two prompts) ask about the same rows. What they
score is no independent evidence, so a mean over tasks must know which documents belong together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from evalkit.compare.pairs import Pairs, not_pairable, pairs
from evalkit.compare.rated import rated_terms
from evalkit.results import RunResult
from evalkit.stats.shared import Terms
from evalkit.store import TaskColumns
from evalkit.types import Summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class HasColumns(Protocol):
    """A run with its configuration and samples: `SavedRun`, `MergedRun`."""

    @property
    def result(self) -> RunResult: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def columns(self) -> Mapping[str, TaskColumns]: ...


@dataclass(frozen=True)
class Units:
    """Documents of several tasks, numbered so that those which belong together have one number.

    Attributes:
        numbers: per key (a task, or a row of a table) the number of each document.
    """

    numbers: Mapping[Hashable, Mapping[str, int]]
    _others: dict[tuple[Hashable, str], int] = field(default_factory=dict)

    @cached_property
    def _size(self) -> int:
        return 1 + max((number for docs in self.numbers.values() for number in docs.values()), default=-1)

    def of(self, key: Hashable, docs: Sequence[str]) -> NDArray[np.int64]:
        """The numbers of these documents; one that is not known is alone."""
        import numpy as np

        known = self.numbers.get(key, {})
        found = [known[doc] if doc in known else self._others.setdefault((key, doc), self._size + len(self._others)) for doc in docs]
        return np.array(found, dtype=np.int64)

    def alone(self, key: Hashable, n: int) -> Terms:
        """Terms of a score of which only the number of documents is known, so that it goes together with no other."""
        import numpy as np

        return Terms(self.of(("alone", key), [str(i) for i in range(n)]), np.zeros(n))


def units_of(tasks: Mapping[Hashable, tuple[HasColumns, str]]) -> Units:
    """Number the documents of several tasks, each given as a run and the task's name in it.

    Two documents belong together when they are the same row (same rows by their hash, or the same data set, configuration,
    file and split, with the same document id), or of one cluster of one data set; and so does what is linked over others.
    A task whose documents are all one cluster speaks about that cluster alone, so its label links nothing.
    """
    parent: dict[Hashable, Hashable] = {}

    def root(label: Hashable) -> Hashable:
        path = []
        while (above := parent.setdefault(label, label)) != label:
            path.append(label)
            label = above
        for below in path:
            parent[below] = label
        return label

    first: dict[tuple[Hashable, str], Hashable] = {}
    for key, (run, name) in tasks.items():
        columns = run.columns.get(name)
        for doc, labels in _labels(run, name, columns) if columns else ():
            first[key, doc] = labels[0]
            for other in labels[1:]:
                parent[root(other)] = root(labels[0])
    numbers: dict[Hashable, dict[str, int]] = {}
    number: dict[Hashable, int] = {}
    following = count()
    for (key, doc), label in first.items():
        top = root(label) if label in parent else label  # most rows are linked to nothing
        numbers.setdefault(key, {})[doc] = number[top] if top in number else number.setdefault(top, next(following))
    return Units(numbers)


def _labels(run: HasColumns, name: str, columns: TaskColumns) -> Iterator[tuple[str, list[Hashable]]]:
    """Per document, everything that says which row or passage it is; never empty."""
    result = run.result.tasks.get(name)
    rows = result.rows_sha256 if result and result.source else ""  # a hash of rows that came from nowhere names none
    data = ((run.config.get("tasks") or {}).get(name) or {}).get("data") or {}
    where = (data.get("path"), data.get("name")) if data.get("path") else None
    split = data.get("split")
    file = (data.get("files") or {}).get(split)
    linked = len(set(columns.clusters)) > 1
    for doc, cluster in zip(columns.docs, columns.clusters, strict=True):
        labels: list[Hashable] = []
        if rows:
            labels.append(("rows", rows, doc))
        if where:
            labels.append(("row", where, file, split, doc))
        if cluster is not None and linked:
            # Without a data set's name, a label means something inside its own rows only.
            labels.append(("cluster", where or rows or name, cluster))
        yield doc, labels or [("task", name, doc)]


def terms_of(found: Pairs, units: NDArray[np.int64], *, run: int, against: int | None = None) -> Terms:
    """What each unit of a task contributes to the error of a run's score, or of its difference from another run's.

    Args:
        found: the documents that the runs share.
        units: a number a document (`Units.of`).
        against: the run that is subtracted; None for the score itself.
    """
    import numpy as np

    if found.rated:
        return rated_terms(found, {run: 1.0, **({against: -1.0} if against is not None else {})}, units)
    if found.mean:
        values = found.values[run] - (found.values[against] if against is not None else 0.0)
        return Terms(units, (values - values.mean()) / len(values))
    corpora = found.corpora(run)
    terms = corpora.influence() - (found.corpora(against).influence() if against is not None else 0.0)
    # One term a unit of the corpus; all documents of such a unit have one number.
    first = np.unique(_unit_places(found), return_index=True)[1]
    return Terms(units[first], terms)


def terms_of_score(columns: TaskColumns | None, summary: Summary, units: Units, key: Hashable, *, language: str | None = None) -> Terms:
    """The terms of one run's score, or of the score of its documents in one language; `alone` where it cannot be rebuilt.

    Args:
        summary: of the whole task, also where a language is chosen.
    """
    if columns is None or not_pairable(columns, summary):
        return units.alone(key, summary.n)
    found = pairs([columns], summary)
    if language is not None:
        found = found.only([i for i, doc in enumerate(found.docs) if columns.languages[columns.place[doc]] == language])
    return terms_of(found, units.of(key, found.docs), run=0)


def shares(parts: Sequence[Terms]) -> bool:
    """Whether any two of these have a unit in common."""
    import numpy as np

    own = [np.unique(part.units) for part in parts]
    return sum(map(len, own)) > len(np.unique(np.concatenate(own)))


def _unit_places(found: Pairs) -> NDArray[np.int64]:
    import numpy as np

    from evalkit.stats.corpus import numbered

    return numbered(found.clusters) if found.clusters is not None else np.arange(len(found.docs))
