"""Scores with their intervals: beside the published ones, and as bars in groups."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.report.plots.figure import COLOURS, SHAPES, Plot, finished, styled
from evalkit.report.published import CardTable
from evalkit.report.rows import Entry, Section
from evalkit.types import Summary


def intervals(section: Section, titles: Sequence[str], own: Sequence[Sequence[str]], name: str) -> Plot:
    """Per benchmark: each run's score and 95% interval, the card's other models as rings, the run's own printed score as a diamond.

    Args:
        own: per run, the card's columns that are the model itself; their printed score is the diamond.
    """
    entries = section.entries
    step = 0.8 / max(1, len(titles))
    with styled(name) as figure_of:
        figure = figure_of(figsize=(8, 1.3 + 0.3 * len(entries) + 0.22 * len(entries) * len(titles)))
        axes = figure.subplots()
        for row, entry in enumerate(entries):
            for x in _published(entry, section.table, {c for columns in own for c in columns}):
                axes.plot(x, row, "o", mfc="none", mec="#9aa5b1", ms=5, zorder=2, label="other models of the card" if row == 0 else None)
            for run, result in entry.measured:
                y = row + (run - (len(titles) - 1) / 2) * step * 0.7
                _whisker(axes, result.score, y, run)
                for x in _published(entry, section.table, only=set(own[run])):
                    axes.plot(x, y, "D", mfc="none", mec=COLOURS[run % len(COLOURS)], ms=8, mew=1.4, zorder=3)
        axes.set_yticks(range(len(entries)), [entry.label for entry in entries])
        axes.set_ylim(len(entries) - 0.5, -0.5)
        axes.set_xlim(-0.01, 1.01)
        axes.set_xlabel("score, 95% interval")
        axes.grid(axis="y", visible=False)
        axes.set_title(section.title)
        _legend(axes, titles, any(own))
        about = f"{section.title}: measured scores with 95% intervals beside the published ones."
        return finished(name, section.title, about, figure)


def bars(title: str, groups: Sequence[str], series: Sequence[str], scores: Sequence[Sequence[Summary | None]], name: str) -> Plot:
    """Grouped bars with intervals: a group a benchmark (or question), a bar a model; nothing is drawn for what was not measured.

    Args:
        scores: `scores[series][group]`.
    """
    with styled(name) as figure_of:
        figure = figure_of(figsize=(max(6.0, 0.9 + len(groups) * max(1.25, 0.28 * (len(series) + 1))), 3.8))
        axes = figure.subplots()
        width = 0.8 / max(1, len(series))
        for place, (label, row) in enumerate(zip(series, scores, strict=True)):
            at = [(group, s.value, s) for group, s in enumerate(row) if s is not None and s.value is not None]
            xs = [group + (place - (len(series) - 1) / 2) * width for group, _, _ in at]
            heights = [value for _, value, _ in at]
            axes.bar(xs, heights, width * 0.92, color=COLOURS[place % len(COLOURS)], label=label)
            errors = [(value - s.ci[0], s.ci[1] - value) if s.ci else (0.0, 0.0) for _, value, s in at]
            if errors:
                axes.errorbar(xs, heights, yerr=list(zip(*errors, strict=True)), fmt="none", ecolor="#1b1f24", elinewidth=1, capsize=2)
        axes.set_xticks(
            range(len(groups)),
            [_wrapped(group) for group in groups],
            rotation=30 if len(groups) > 5 else 0,
            ha="right" if len(groups) > 5 else "center",
        )
        axes.set_ylim(0, None)
        axes.set_ylabel("score")
        axes.grid(axis="x", visible=False)
        axes.set_title(title)
        if len(series) > 1:
            figure.legend(loc="outside lower center", ncols=min(4, len(series)))
        return finished(name, title, f"{title}: scores by benchmark and model, with 95% intervals.", figure)


def _whisker(axes: object, score: Summary, y: float, run: int) -> None:
    if score.value is None:
        return
    error = [[score.value - score.ci[0]], [score.ci[1] - score.value]] if score.ci else None
    axes.errorbar(  # type: ignore[attr-defined]
        score.value, y, xerr=error, fmt=SHAPES[run % len(SHAPES)], color=COLOURS[run % len(COLOURS)], ms=6, capsize=3, zorder=4
    )


def _published(entry: Entry, table: CardTable | None, without: set[str] | None = None, only: set[str] | None = None) -> list[float]:
    """Printed scores of the entry's row, of some columns."""
    if table is None or entry.row is None:
        return []
    wanted = [model for model in table.models if model not in (without or ()) and (only is None or model in only)]
    cells = dict(zip(table.models, entry.row.cells, strict=True))
    return [value for model in wanted if (value := cells[model].value) is not None]


def _legend(axes: object, titles: Sequence[str], with_own: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker=SHAPES[i % len(SHAPES)], color=COLOURS[i % len(COLOURS)], ls="", label=title)
        for i, title in enumerate(titles)
    ]
    if with_own:
        handles.append(Line2D([], [], marker="D", mfc="none", mec="#1b1f24", ls="", ms=8, label="published for the same model"))
    handles.append(Line2D([], [], marker="o", mfc="none", mec="#9aa5b1", ls="", label="the card's other models"))
    axes.figure.legend(handles=handles, loc="outside lower center", ncols=2)  # type: ignore[attr-defined]


def _wrapped(text: str) -> str:
    return text if len(text) < 16 else text.replace(" ", "\n", 1)
