"""The documents two runs share, with both runs' numbers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.store.columns import MetricColumn, Ratings, TaskColumns
from evalkit.types import Signature, Summary

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
        strata: a label a document when scores are first made a language (or group) at a time, else None.
        macro: the strata count alike, whatever their sizes.
        dropped: documents some run measured and another did not.
        ratings: per run, who gave what, where values are means over people (`Ratings.docs` are places in `docs`); else empty.
        languages: of the documents, for ratings, whose means differ between languages on purpose.
    """

    docs: tuple[str, ...]
    values: NDArray[np.float64]
    sums: tuple[NDArray[np.float64], ...]
    corpus: str
    clusters: tuple[object, ...] | None
    strata: tuple[str, ...] | None
    macro: bool
    dropped: int
    ratings: tuple[Ratings, ...] = ()
    languages: tuple[str | None, ...] = ()

    @property
    def rated(self) -> bool:
        """Values are means over people, so that raters repeat as documents do (`compare.rated`)."""
        return bool(self.ratings)

    @property
    def mean(self) -> bool:
        """The score is the plain mean of the values."""
        return not self.corpus and not self.macro

    @cached_property
    def binary(self) -> bool:
        """Right or wrong, and documents independent of each other."""
        return self.mean and not self.rated and self.clusters is None and bool(((self.values == 0) | (self.values == 1)).all())

    def corpora(self, run: int) -> stats.Corpora:
        """One run's statistics, ready for resampling; a mean is the corpus score sum / count."""
        import numpy as np

        table = self.sums[run] if self.corpus else np.stack([self.values[run], np.ones(len(self.docs))], axis=1)
        found = stats.Corpora.of(table, self.corpus, self.strata, self.clusters)
        return replace(found, sizes=(1,) * len(found.sizes)) if self.macro else found

    def only(self, places: Sequence[int]) -> Pairs:
        """These documents alone, as one stratum."""
        return replace(
            self,
            docs=tuple(self.docs[i] for i in places),
            values=self.values[:, list(places)],
            sums=tuple(table[list(places)] for table in self.sums),
            clusters=None if self.clusters is None else _clusters([str(self.clusters[i]) for i in places]),
            strata=None,
            macro=False,
            ratings=tuple(_among(given, list(places)) for given in self.ratings),
            languages=tuple(self.languages[i] for i in places) if self.rated else (),
        )


def pairs(runs: Sequence[TaskColumns], summary: Summary) -> Pairs:
    """Align runs on the documents where every one of them has a value of the summary's metric.

    Scores are put together as the summary's was: a mean, a corpus score a language, or an unweighted mean over groups.
    """
    import numpy as np

    first, corpus, macro = runs[0], summary.corpus, summary.weighted is not None
    columns = [run.metrics[summary.metric] for run in runs]
    if all(run.docs == first.docs for run in runs[1:]):
        shared, places = first.docs, [np.arange(len(first.docs))] * len(runs)
        measured = int((~np.isnan([column.values for column in columns])).any(axis=0).sum())
    else:
        shared = first.docs
        for run in runs[1:]:
            shared = tuple(filter(run.place.__contains__, shared))
        places = [np.array([run.place[doc] for doc in shared], dtype=np.int64) for run in runs]
        of_each = ({run.docs[i] for i in np.flatnonzero(~np.isnan(column.values))} for run, column in zip(runs, columns, strict=True))
        measured = len(set().union(*of_each))
    values = np.array([column.values[place] for column, place in zip(columns, places, strict=True)]).reshape(len(runs), len(shared))
    kept = np.flatnonzero(~np.isnan(values).any(axis=0))
    at = places[0][kept]
    given = [column.ratings for column in columns]
    ratings: tuple[Ratings, ...] = ()
    if not corpus and not macro and all(one is not None for one in given):
        ratings = tuple(_among(one, place[kept]) for one, place in zip(given, places, strict=True) if one is not None)
    return Pairs(
        docs=shared if len(kept) == len(shared) else tuple(shared[i] for i in kept),
        values=values[:, kept],
        sums=tuple(_sums(column, place[kept]) for column, place in zip(columns, places, strict=True)) if corpus else (),
        corpus=corpus,
        clusters=_clusters([first.clusters[i] for i in at]),
        strata=_strata(first, at, macro) if corpus or macro else None,
        macro=macro,
        dropped=measured - len(kept),
        ratings=ratings,
        languages=tuple(first.languages[i] for i in at) if ratings else (),
    )


def _among(given: Ratings, places: Sequence[int] | NDArray[np.int64]) -> Ratings:
    """Ratings of these documents alone, which are numbered in this order."""
    import numpy as np

    size = 1 + max(int(given.docs.max(initial=-1)), int(np.max(places, initial=-1)))
    number = np.full(size, -1, dtype=np.int64)
    number[np.asarray(places, dtype=np.int64)] = np.arange(len(places))
    docs = number[given.docs]
    kept = docs >= 0
    return replace(given, docs=docs[kept], raters=given.raters[kept], values=given.values[kept])


def _sums(column: MetricColumn, places: NDArray[np.int64]) -> NDArray[np.float64]:
    import numpy as np

    return column.stats[places] if column.stats is not None else np.zeros((len(places), 1))


def _strata(columns: TaskColumns, at: NDArray[np.int64], macro: bool) -> tuple[str, ...]:
    """Languages; for a macro mean of a benchmark with one language, its groups (as metrics.base.by_group has them)."""
    several = len({language for language in columns.languages if language is not None}) > 1
    labels = columns.languages if several or not macro else columns.groups
    return tuple(labels[i] or "" for i in at)


def _clusters(labels: Sequence[str | None]) -> tuple[object, ...] | None:
    """None when documents are independent: no cluster of two, or a single one that holds everything."""
    if labels.count(None) == len(labels):
        return None
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
    if summary.corpus and summary.corpus not in stats.CORPUS:
        return f"{summary.metric} is a corpus score of a kind this evalkit does not know ({summary.corpus})"
    if summary.corpus and (column.stats is None or not stats.CORPUS[summary.corpus].fits(column.stats.shape[1])):
        return "its samples hold no sufficient statistics; `evalkit score` on its folder adds them"
    if column.ratings is None and stats.TWO_WAY_CI in Signature.read(summary.signature).parts:
        return "its ratings were collected without raters, by an older evalkit; `evalkit rate collect` them again"
    if column.ratings is not None and len(column.ratings.names) < stats.ENOUGH_UNITS:
        return "one person rated it, so nothing can be said of other raters"
    rebuilt = pairs([columns], summary).corpora(0).value
    if not agree(rebuilt, summary.value):
        hint = "" if summary.corpus else "; if it is a corpus score of an older run, `evalkit score` on its folder adds what is needed"
        return f"{summary.metric} ({summary.value:.4f}) is not the mean of its samples ({rebuilt:.4f}){hint}"
    return ""


def agree(rebuilt: float, value: float) -> bool:
    """Whether a score and what its samples give are the same number, but for single precision."""
    return abs(rebuilt - value) <= _NEAR


def contradicted(columns: TaskColumns | None, summary: Summary) -> float | None:
    """What the samples of a plain mean give where the score says otherwise: scores edited or left from other samples."""
    import numpy as np

    column = columns.metrics.get(summary.metric) if columns else None
    if column is None or summary.value is None or summary.corpus or summary.weighted is not None or column.stats is not None:
        return None
    measured = column.values[~np.isnan(column.values)]
    mean = float(measured.mean()) if len(measured) else 0.0
    return None if agree(mean, summary.value) and len(measured) == summary.n else mean
