"""What single samples show: whether confidence deserves trust, and whether long prompts hurt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit import stats
from evalkit.report.plots.figure import COLOURS, SHAPES, Plot, finished, styled

BINS = 10
LEAST = 20  # samples below which a task gets no curve


@dataclass(frozen=True, slots=True)
class Point:
    """One bin: mean of what is on the axis, share right, its Wilson interval, samples."""

    x: float
    share: float
    low: float
    high: float
    n: int


def binned(pairs: Sequence[tuple[float, float]], bins: int = BINS) -> list[Point]:
    """(x, right or not) pairs in bins of equal size (equal x never split), in order of x."""
    ordered = sorted(pairs)
    points: list[Point] = []
    start = 0
    for b in range(bins):
        end = max(start, round(len(ordered) * (b + 1) / bins))
        while 0 < end < len(ordered) and ordered[end][0] == ordered[end - 1][0]:
            end += 1
        if part := ordered[start:end]:
            right = sum(value for _, value in part)
            low, high = stats.wilson(right, len(part)) or (0.0, 1.0)
            points.append(Point(math.fsum(x for x, _ in part) / len(part), right / len(part), low, high, len(part)))
        start = end
    return points


def calibration_error(points: Sequence[Point]) -> float:
    """Expected calibration error: mean over samples of |share right - confidence| of their bin (Naeini et al., 2015)."""
    n = sum(point.n for point in points)
    return math.fsum(point.n * abs(point.share - point.x) for point in points) / n if n else math.nan


def calibration(curves: Mapping[str, Sequence[tuple[float, float]]], title: str, name: str) -> Plot | None:
    """Share right against confidence, a panel a task; the diagonal is perfect calibration. None when no task has enough samples."""
    found = {task: binned(pairs) for task, pairs in curves.items() if len(pairs) >= LEAST}
    if not found:
        return None
    columns = min(4, len(found))
    rows = math.ceil(len(found) / columns)
    with styled(name) as figure_of:
        figure = figure_of(figsize=(2.6 * columns + 0.6, 2.5 * rows + 0.7))
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for place, axes in enumerate(grid.flat):
            if place >= len(found):
                axes.set_visible(False)
                continue
            task, points = list(found.items())[place]
            axes.plot([0, 1], [0, 1], color="#9aa5b1", lw=1, ls="--")
            _curve(axes, points, 0)
            axes.set_title(f"{task}\nECE {calibration_error(points):.3f}, n {sum(p.n for p in points):,}", fontsize=9)
            axes.set_xlim(0, 1)
            axes.set_ylim(0, 1)
        figure.supxlabel("confidence: probability of the chosen answer among the choices", fontsize=9)
        figure.supylabel("share right", fontsize=9)
        about = f"{title}: calibration of multiple-choice answers; on the dashed line, confidence equals the share of right answers."
        return finished(name, title, about, figure)


def by_length(curves: Mapping[str, Sequence[tuple[float, float]]], title: str, name: str) -> Plot | None:
    """Score against tokens of the prompt, a line a task, in bins of equal size. None when no task has enough samples."""
    found = {task: binned(pairs, 6) for task, pairs in curves.items() if len(pairs) >= LEAST}
    found = {task: points for task, points in found.items() if len(points) > 1}
    if not found:
        return None
    columns = min(4, len(found))
    rows = math.ceil(len(found) / columns)
    with styled(name) as figure_of:
        figure = figure_of(figsize=(2.6 * columns + 0.6, 2.3 * rows + 0.7))
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for place, axes in enumerate(grid.flat):
            if place >= len(found):
                axes.set_visible(False)
                continue
            task, points = list(found.items())[place]
            _curve(axes, points, 0)
            axes.set_title(task, fontsize=9)
            axes.set_ylim(0, 1)
        figure.supxlabel("tokens of the prompt", fontsize=9)
        figure.supylabel("share right", fontsize=9)
        return finished(name, title, f"{title}: score by length of the prompt, in bins of equal size with 95% intervals.", figure)


def _curve(axes: object, points: Sequence[Point], place: int) -> None:
    xs, ys = [p.x for p in points], [p.share for p in points]
    errors = [[max(0.0, p.share - p.low) for p in points], [max(0.0, p.high - p.share) for p in points]]
    axes.errorbar(xs, ys, yerr=errors, fmt=f"-{SHAPES[place]}", color=COLOURS[place], ms=4, lw=1.2, elinewidth=1, capsize=2)  # type: ignore[attr-defined]
