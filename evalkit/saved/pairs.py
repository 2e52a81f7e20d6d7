"""The documents two runs share, with both runs' numbers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.saved.columns import MetricColumn, TaskColumns
from evalkit.types import Summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NEAR = 1e-5  # sacrebleu scores in single precision


@dataclass(frozen=True)
class Pairs:
    """One metric of several runs on the documents that all of them measured.

    Attributes:
        docs: the shared documents, in the first run's order.
        values: shape (runs, n); sample scores.
        sums: per run, sufficient statistics of shape (n, k) of a corpus metric; empty for a mean.
        clusters: a label a document when documents are not independent, else None.
        strata: a language a document when each language is a corpus of its own, else None.
        dropped: documents some run measured and another did not.
    """

    docs: tuple[str, ...]
    values: NDArray[np.float64]
    sums: tuple[NDArray[np.float64], ...]
    corpus: str
    clusters: tuple[object, ...] | None
    strata: tuple[str, ...] | None
    dropped: int

    @cached_property
    def binary(self) -> bool:
        """Right or wrong, and documents independent of each other."""
        return not self.corpus and self.clusters is None and bool(((self.values == 0) | (self.values == 1)).all())

    def corpora(self, run: int) -> stats.Corpora:
        """One run's statistics, ready for resampling; a mean is the corpus score sum / count."""
        import numpy as np

        table = self.sums[run] if self.corpus else np.stack([self.values[run], np.ones(len(self.docs))], axis=1)
        return stats.Corpora.of(table, self.corpus, self.strata if self.corpus else None, self.clusters)


def pairs(runs: Sequence[TaskColumns], metric: str, corpus: str = "") -> Pairs:
    """Align runs on the documents where every one of them has a value."""
    import numpy as np

    first = runs[0]
    columns = [run.metrics[metric] for run in runs]
    everyone = set(first.docs).union(*(run.docs for run in runs[1:]))
    shared = [doc for doc in first.docs if all(doc in run.place for run in runs[1:])]
    places = [np.array([run.place[doc] for doc in shared], dtype=np.int64) for run in runs]
    values = np.array([column.values[place] for column, place in zip(columns, places, strict=True)]).reshape(len(runs), len(shared))
    kept = np.flatnonzero(~np.isnan(values).any(axis=0))
    at = places[0][kept]
    return Pairs(
        docs=tuple(shared[i] for i in kept),
        values=values[:, kept],
        sums=tuple(_sums(column, place[kept]) for column, place in zip(columns, places, strict=True)) if corpus else (),
        corpus=corpus,
        clusters=_clusters([first.clusters[i] for i in at]),
        strata=tuple(first.languages[i] or "" for i in at),
        dropped=len(everyone) - len(kept),
    )


def _sums(column: MetricColumn, places: NDArray[np.int64]) -> NDArray[np.float64]:
    import numpy as np

    return column.stats[places] if column.stats is not None else np.zeros((len(places), 1))


def _clusters(labels: Sequence[str | None]) -> tuple[object, ...] | None:
    """None when documents are independent: no cluster of two, or a single one that holds everything."""
    own = tuple((i,) if label is None else label for i, label in enumerate(labels))
    return own if 1 < len(set(own)) < len(own) else None


def not_pairable(columns: TaskColumns | None, summary: Summary) -> str:
    """Why a score cannot be rebuilt from its samples, so that no paired test may speak about it; empty when it can."""
    import numpy as np

    column = columns.metrics.get(summary.metric) if columns else None
    if columns is None or column is None:
        return "its samples were not kept"
    measured = ~np.isnan(column.values)
    if summary.value is None or not measured.any():
        return "nothing was measured"
    if summary.corpus and (column.stats is None or summary.corpus not in stats.CORPUS):
        return "its samples hold no sufficient statistics; `evalkit score` on its folder adds them"
    rebuilt = pairs([columns], summary.metric, summary.corpus).corpora(0).value
    if abs(rebuilt - summary.value) > _NEAR:
        hint = "" if summary.corpus else "; if it is a corpus score of an older run, `evalkit score` on its folder adds what is needed"
        return f"{summary.metric} ({summary.value:.4f}) is not the mean of its samples ({rebuilt:.4f}){hint}"
    return ""
