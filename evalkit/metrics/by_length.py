"""A score by length of the document and by the place in it where what is asked for is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from evalkit import stats
from evalkit.metrics.base import Metric, usable
from evalkit.types import Doc, LengthScore, Response, SampleScore

TENTH = 10  # per cent of a text


@runtime_checkable
class FindsEach(Protocol):
    """A metric that can say of each gold of a document whether it was found."""

    def found(self, doc: Doc, answer: Response) -> Sequence[bool]:
        """Per gold, in the document's order."""
        ...


def by_length(
    metric: Metric, docs: Sequence[Doc], scores: Sequence[SampleScore], answers: Mapping[str, Sequence[Response]]
) -> tuple[LengthScore, ...]:
    """One score per language and length, then one per tenth of the text.

    Documents say `length` and `depths` (per cent of the text, one per gold, or one for all of them) in their fields; those
    without a length are left out, and without a depth, or where a metric does not say which gold was found, there is no score by depth
    but the document's own.
    """
    cells: dict[tuple[str | None, int], list[int]] = {}
    for place, doc in enumerate(docs):
        if isinstance(doc.fields.get("length"), int) and scores[place].value is not None:
            cells.setdefault((doc.language, doc.fields["length"]), []).append(place)
    found = []
    for (language, length), places in cells.items():
        summary = metric.summarize([scores[place] for place in places])
        if summary.value is not None:
            found.append(LengthScore(language, length, None, len(places), summary.value, summary.ci))
        at: dict[int, list[float]] = {}
        for place in places:
            for depth, value in _values(metric, docs[place], scores[place], answers.get(docs[place].id, ())):
                at.setdefault(min(depth // TENTH * TENTH, 100 - TENTH), []).append(value)
        found += [LengthScore(language, length, depth, len(values), stats.mean(values)) for depth, values in sorted(at.items())]
    return tuple(found)


def _values(metric: Metric, doc: Doc, score: SampleScore, answers: Sequence[Response]) -> Iterator[tuple[int, float]]:
    """(depth, share found) of everything that was to be found in a document."""
    depths: Sequence[int] = doc.fields.get("depths") or ()
    if len(depths) == 1 and score.value is not None:
        yield depths[0], score.value
    elif isinstance(metric, FindsEach) and isinstance(doc.target, tuple) and len(depths) == len(doc.target):
        given = [metric.found(doc, answer) for answer in usable(answers)]
        yield from ((depth, stats.mean([float(one[place]) for one in given])) for place, depth in enumerate(depths) if given)
