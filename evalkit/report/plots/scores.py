"""Scores with their intervals: next to the published ones, and as bars in groups."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from evalkit.cards import CardTable
from evalkit.report.plots.figure import COLOURS, Plot, finished, label, legend, legend_inches, mark, series_handles, styled
from evalkit.report.rows import Entry, Section
from evalkit.results import TaskResult
from evalkit.types import Summary

WIDEST = 9  # inches of a picture of bars; more groups begin another row
GAP, STEP = 0.3, 0.17  # inches between rows of intervals, and between the scores in one
LETTERS = 15  # of a line below a group


def intervals(section: Section, titles: Sequence[str], own: Sequence[Sequence[str]], name: str) -> Plot:
    """Per benchmark: each run's score and 95% interval, the card's other models as rings, the run's own printed score as a diamond.

    Args:
        own: per run, the card's columns that are the model itself; their printed score is the diamond.
    """
    entries = section.entries
    rows = _rows_in_inches(entries)
    with_own, with_card = any(own), bool(section.table)
    with styled(name, [*titles, section.title, *(entry.label for entry in entries)]) as figure_of:
        handles = _handles(titles, with_own, with_card)
        tall = rows[-1][0] + rows[-1][1] / 2 if rows else 1.0
        figure = figure_of(figsize=(8, 1.0 + tall + legend_inches([handle.get_label() for handle in handles], 8)))
        axes = figure.subplots()
        for (middle, _), entry in zip(rows, entries, strict=True):
            others = _published(entry, section.table, {c for columns in own for c in columns})
            axes.plot(others, [middle] * len(others), "o", mfc="none", mec="#9aa5b1", ms=5, zorder=2)
        for run in range(len(titles)):
            at = [(entry, _height(entry, run, middle)) for (middle, _), entry in zip(rows, entries, strict=True)]
            _whiskers(axes, [(entry.results[run], y) for entry, y in at], run)
            printed = [(x, y) for entry, y in at for x in _published(entry, section.table, only=set(own[run]))]
            axes.plot([x for x, _ in printed], [y for _, y in printed], "D", mfc="none", mec=mark(run)[0], ms=8, mew=1.4, zorder=3)
        axes.set_yticks([middle for middle, _ in rows], [entry.label for entry in entries])
        axes.set_ylim(tall, 0)
        axes.set_xlim(-0.01, 1.01)
        axes.set_xlabel("score, 95% interval")
        axes.grid(axis="y", visible=False)
        axes.set_title(section.title)
        legend(figure, handles)
        about = f"{section.title}: measured scores with 95% intervals next to the published ones."
        return finished(name, section.title, about, figure)


def _measured(entry: Entry) -> list[int]:
    """The runs that have a score in this row: only they take room."""
    return [run for run, result in entry.measured if result.score.value is not None]


def _rows_in_inches(entries: Sequence[Entry]) -> list[tuple[float, float]]:
    """(middle from the top, height) of each row, as tall as the scores in it need."""
    rows, top = [], 0.0
    for entry in entries:
        height = GAP + STEP * max(1, len(_measured(entry)))
        rows.append((top + height / 2, height))
        top += height
    return rows


def _height(entry: Entry, run: int, middle: float) -> float:
    """Where a run's score is in its row, whose middle is given."""
    there = _measured(entry)
    return middle + (there.index(run) - (len(there) - 1) / 2) * STEP if run in there else middle


def bars(title: str, groups: Sequence[str], series: Sequence[str], scores: Sequence[Sequence[Summary | None]], name: str) -> Plot:
    """Grouped bars with intervals: a group a benchmark (or question), a bar a model; nothing is drawn for what was not measured.

    Args:
        scores: `scores[series][group]`.
    """
    most = max((sum(_has(mine[group]) for mine in scores) for group in range(len(groups))), default=1)
    each = max(1.25, 0.28 * (most + 1))  # inches per group
    in_row = max(1, int(WIDEST / each))
    in_row = -(-len(groups) // -(-len(groups) // in_row)) if groups else 1  # rows of one length
    rows = [range(len(groups))[start : start + in_row] for start in range(0, len(groups), in_row)]
    with styled(name, [title, *groups, *series]) as figure_of:
        wide = max(6.0, 0.9 + len(rows[0]) * each)
        handles = [_patch(place, model) for place, model in enumerate(series)] if len(series) > 1 else []
        below = legend_inches([handle.get_label() for handle in handles], wide) if handles else 0.0
        figure = figure_of(figsize=(wide, 0.6 + 2.6 * len(rows) + below))
        grid = figure.subplots(len(rows), 1, squeeze=False, sharey=True)
        for row, axes in zip(rows, grid.flat, strict=True):
            _bars(axes, [[mine[group] for group in row] for mine in scores], most)
            axes.set_xlim(-0.6, len(rows[0]) - 0.4)
            axes.set_xticks(range(len(row)), [fill(groups[group], LETTERS, break_long_words=False) for group in row], fontsize=9)
            axes.set_ylabel("score")
            axes.grid(axis="x", visible=False)
        grid[0, 0].set_ylim(0, None)
        grid[0, 0].set_title(title)
        if handles:
            legend(figure, handles)
        return finished(name, title, f"{title}: scores by benchmark and model, with 95% intervals.", figure)


def _has(score: Summary | None) -> bool:
    return score is not None and score.value is not None


def _patch(place: int, model: str) -> Any:
    """What stands for the bars of one model in a legend."""
    from matplotlib.patches import Patch

    return Patch(facecolor=mark(place)[0], edgecolor="white", linewidth=0, hatch="//" * (place // len(COLOURS)), label=label(model))


def _bars(axes: Any, scores: Sequence[Sequence[Summary | None]], most: int) -> None:
    """One row of groups, of at most so many bars each, next to each other; `scores[series][group]`."""
    width = 0.8 / max(1, most)
    there = [[place for place, row in enumerate(scores) if _has(row[group])] for group in range(len(scores[0]))] if scores else []
    for place, row in enumerate(scores):
        at = [(group, s.value, s) for group, s in enumerate(row) if s is not None and s.value is not None]
        xs = [group + (there[group].index(place) - (len(there[group]) - 1) / 2) * width for group, _, _ in at]
        heights = [value for _, value, _ in at]
        axes.bar(xs, heights, width * 0.92, color=mark(place)[0], edgecolor="white", linewidth=0, hatch="//" * (place // len(COLOURS)))
        errors = [(max(0.0, value - s.ci[0]), max(0.0, s.ci[1] - value)) if s.ci else (0.0, 0.0) for _, value, s in at]
        if errors:
            axes.errorbar(xs, heights, yerr=list(zip(*errors, strict=True)), fmt="none", ecolor="#1b1f24", elinewidth=1, capsize=2)


def _whiskers(axes: Any, results: Sequence[tuple[TaskResult | None, float]], run: int) -> None:
    """One run's scores, each at its height, with their intervals."""
    at = [(result.score.value, result.score.ci, y) for result, y in results if result is not None and result.score.value is not None]
    if not at:
        return
    errors = [(value - ci[0], ci[1] - value) if ci else (0.0, 0.0) for value, ci, _ in at]
    axes.errorbar(
        [value for value, _, _ in at],
        [y for _, _, y in at],
        xerr=[[max(0.0, low) for low, _ in errors], [max(0.0, high) for _, high in errors]],
        fmt=mark(run)[1],
        color=mark(run)[0],
        ms=6,
        capsize=3,
        zorder=4,
    )


def _published(entry: Entry, table: CardTable | None, without: set[str] | None = None, only: set[str] | None = None) -> list[float]:
    """Printed scores of the entry's row, of some columns."""
    if table is None or entry.row is None:
        return []
    wanted = [cell for cell in entry.row.cells if cell.column not in (without or ()) and (only is None or cell.column in only)]
    return [cell.value for cell in wanted if cell.value is not None]


def _handles(titles: Sequence[str], with_own: bool, with_card: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = series_handles(titles)
    if with_own:
        handles.append(Line2D([], [], marker="D", mfc="none", mec="#1b1f24", ls="", ms=8, label="published for the same model"))
    if with_card:
        handles.append(Line2D([], [], marker="o", mfc="none", mec="#9aa5b1", ls="", label="the card's other models"))
    return handles
