"""What single samples show: whether confidence deserves trust, and whether long prompts hurt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from evalkit import stats
from evalkit.report.plots.figure import Plot, finished, legend, mark, series_handles, styled

BINS = 10
LEAST = 20  # samples below which a task gets no curve
Pairs = Sequence[tuple[float, float]]  # or an array of shape (n, 2)
Curves = Mapping[str, Pairs]


@dataclass(frozen=True, slots=True)
class Point:
    """One bin: mean of what is on the axis, share right, its Wilson interval, samples."""

    x: float
    share: float
    low: float
    high: float
    n: int


def binned(pairs: Pairs, bins: int = BINS) -> list[Point]:
    """(x, right or not) pairs in bins of equal size (equal x never split), in order of x."""
    import numpy as np

    table = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    xs, rights = table[np.argsort(table[:, 0], kind="stable")].T
    points: list[Point] = []
    start = 0
    for b in range(bins):
        end = max(start, round(len(xs) * (b + 1) / bins))
        if end > start:
            end = int(np.searchsorted(xs, xs[end - 1], side="right"))
            n, right = end - start, float(rights[start:end].sum())
            low, high = stats.wilson(right, n) or (0.0, 1.0)
            points.append(Point(float(xs[start:end].mean()), right / n, low, high, n))
        start = end
    return points


def calibration_error(points: Sequence[Point]) -> float:
    """Expected calibration error: mean over samples of |share right - confidence| of their bin (Naeini et al., 2015)."""
    n = sum(point.n for point in points)
    return math.fsum(point.n * abs(point.share - point.x) for point in points) / n if n else math.nan


def calibration(curves: Sequence[Curves], series: Sequence[str], title: str, name: str) -> Plot | None:
    """Share right against confidence, a panel a task; the diagonal is perfect calibration. None when no task has enough samples.

    Args:
        curves: per series, (confidence, right) pairs by task. One series has intervals and its error above each panel; several
            share the panels, and the legend gives the mean error of each over its tasks.
    """
    found = _by_task(curves, BINS)
    if not found:
        return None
    about = f"{title}: calibration of multiple-choice answers; on the dashed line, confidence equals the share of right answers."
    errors = [[calibration_error(points[place]) for points in found.values() if place in points] for place in range(len(series))]
    labels = [f"{text} (ECE {stats.mean(mine):.3f})" if mine else text for text, mine in zip(series, errors, strict=True)]
    with _grid(found, labels, "confidence: probability of the chosen answer among the choices", name) as (figure, panels):
        for task, axes in panels.items():
            axes.plot([0, 1], [0, 1], color="#9aa5b1", lw=1, ls="--")
            axes.set_xlim(0, 1)
            if len(series) == 1:
                points = found[task][0]
                axes.set_title(f"{task}\nECE {calibration_error(points):.3f}, n {sum(p.n for p in points):,}", fontsize=9)
        return finished(name, title, about, figure)


def by_length(curves: Sequence[Curves], series: Sequence[str], title: str, name: str) -> Plot | None:
    """Score against tokens of the prompt, a panel a task, in bins of equal size. None when no task has enough samples."""
    found = {task: points for task, points in _by_task(curves, 6).items() if any(len(mine) > 1 for mine in points.values())}
    if not found:
        return None
    about = f"{title}: score by length of the prompt, in bins of equal size{' with 95% intervals' if len(series) == 1 else ''}."
    with _grid(found, series, "tokens of the prompt", name) as (figure, _):
        return finished(name, title, about, figure)


def _by_task(curves: Sequence[Curves], bins: int) -> dict[str, dict[int, list[Point]]]:
    """task -> series -> its points, where the series has enough samples."""
    tasks = dict.fromkeys(task for mine in curves for task in mine)
    enough = {task: [place for place, mine in enumerate(curves) if len(mine.get(task, ())) >= LEAST] for task in tasks}

    def points(task: str, places: Sequence[int]) -> dict[int, list[Point]]:
        return {place: binned(curves[place][task], _bins(curves[place][task], bins)) for place in places}

    return {task: points(task, places) for task, places in enough.items() if places}


def _bins(pairs: Sequence[object], most: int) -> int:
    """As many as have 20 samples each: a share of four samples is noise."""
    return max(2, min(most, len(pairs) // LEAST))


@contextmanager
def _grid(
    found: Mapping[str, Mapping[int, Sequence[Point]]], series: Sequence[str], below: str, name: str
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A figure with a panel a task and a curve a series in it, and its axes by task."""
    columns = min(4 if len(found) <= 16 else 6, len(found))
    rows = math.ceil(len(found) / columns)
    with styled(name, [*series, *found]) as figure_of:
        figure = figure_of(figsize=(2.6 * columns + 0.6, 2.4 * rows + 0.7))
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes in grid.flat[len(found) :]:
            axes.set_visible(False)
        panels = dict(zip(found, grid.flat, strict=False))
        for task, axes in panels.items():
            for place, points in found[task].items():
                _curve(axes, points, place, whiskers=len(series) == 1)
            axes.set_title(task, fontsize=9)
            axes.set_ylim(0, 1)
        figure.supxlabel(below, fontsize=9)
        figure.supylabel("share right", fontsize=9)
        if len(series) > 1:
            legend(figure, series_handles(series), side="upper")  # the axis's name is below
        yield figure, panels


def _curve(axes: Any, points: Sequence[Point], place: int, *, whiskers: bool) -> None:
    colour, shape = mark(place)
    xs, ys = [p.x for p in points], [p.share for p in points]
    if not whiskers:
        axes.plot(xs, ys, color=colour, marker=shape, ms=3, lw=1)
        return
    errors = [[max(0.0, p.share - p.low) for p in points], [max(0.0, p.high - p.share) for p in points]]
    axes.errorbar(xs, ys, yerr=errors, fmt=f"-{shape}", color=colour, ms=4, lw=1.2, elinewidth=1, capsize=2)
