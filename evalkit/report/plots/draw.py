"""Every picture a report has, from saved runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evalkit.cards import Card
from evalkit.report.plots.figure import Plot
from evalkit.report.plots.heatmap import by_language, languages_of
from evalkit.report.plots.lengths import length_charts
from evalkit.report.plots.ratings import rating_charts
from evalkit.report.plots.samples import by_length, calibration
from evalkit.report.plots.scores import bars, intervals
from evalkit.report.rows import distinct, names, sections
from evalkit.store import MergedRun, SavedRun

APART = 3  # runs that have their own pictures
Curves = dict[str, Any]  # arrays of shape (n, 2)


def draw_all(runs: Sequence[SavedRun | MergedRun], cards: Sequence[Card]) -> list[Plot]:
    """Intervals and bars for every table of a card that has a measured row; languages; lengths; ratings; calibration, prompt length."""
    return list(_draw(runs, cards))


def _draw(runs: Sequence[SavedRun | MergedRun], cards: Sequence[Card]) -> Iterator[Plot]:
    results = [run.result for run in runs]
    titles = names(results)
    found = sections(results, cards)
    for place, section in enumerate(found, 1):
        own = [section.card.columns_of(run) if section.card else () for run in results]
        yield intervals(section, titles, own, f"intervals-{place}")
        if len(runs) > 1:
            scores = [[result.score if (result := entry.results[i]) else None for entry in section.entries] for i in range(len(runs))]
            yield bars(section.title, [entry.label for entry in section.entries], titles, scores, f"bars-{place}")
    used: dict[str, int] = {}
    for entry in distinct(found):
        if languages_of(entry):
            task = entry.first.task
            used[task] = used.get(task, 0) + 1
            yield by_language(entry, titles, f"languages-{task}" + (f"-{used[task]}" if used[task] > 1 else ""))
    for place, (run, title) in enumerate(zip(results, titles, strict=True), 1):
        yield from length_charts(run, title, str(place))
    yield from rating_charts(runs, cards)
    yield from _of_samples([curves(run) for run in runs], titles)


def _of_samples(found: Sequence[tuple[Curves, Curves]], titles: Sequence[str]) -> Iterator[Plot]:
    """A few runs have their own pictures, with intervals; many share the panels."""
    groups = [[i] for i in range(len(found))] if len(found) <= APART else [list(range(len(found)))]
    for place, group in enumerate(groups, 1):
        title = titles[group[0]] if len(group) == 1 else f"{len(group)} runs"
        series = [titles[i] for i in group]
        for plot in (
            calibration([found[i][0] for i in group], series, f"{title}: calibration", f"calibration-{place}"),
            by_length([found[i][1] for i in group], series, f"{title}: prompt length", f"length-{place}"),
        ):
            if plot:
                yield plot


def curves(run: SavedRun | MergedRun) -> tuple[Curves, Curves]:
    """Per task, (confidence, right) of its multiple-choice samples and (prompt tokens, score) of all measured ones."""
    import numpy as np

    confident: Curves = {}
    long: Curves = {}
    for task, columns in run.columns.items():
        result = run.result.tasks.get(task)
        metric = columns.metrics.get(result.headline) if result else None
        if metric is None:
            continue
        measured = (columns.tokens >= 0) & (metric.values >= 0) & (metric.values <= 1)  # NaN is neither
        chosen = measured & ~np.isnan(columns.confidence)
        if measured.any():
            long[task] = np.stack([columns.tokens[measured], metric.values[measured]], axis=1)
        if chosen.any():
            confident[task] = np.stack([columns.confidence[chosen], columns.confident_right[chosen]], axis=1)
    return confident, long
