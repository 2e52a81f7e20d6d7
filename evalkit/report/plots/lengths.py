"""Long texts: heat maps of the score by length and depth, and curves by length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.report.lengths import BAR, TENTHS, Curve, Curves, curves, effective_length, others
from evalkit.report.plots.figure import Plot, finished, legend, mark, styled
from evalkit.results import RunResult

ACROSS = 4  # panels side by side


def length_charts(run: RunResult, title: str, name: str) -> list[Plot]:
    """Curves by length, a line per language; and heat maps by length and depth, a panel per language. Nothing where there is none."""
    plots = []
    for only in (None, *others(run)):
        found = curves(run, only)
        deep = [one for one in found if one.depths]
        told, file = (title, name) if only is None else (f"{title}, {only}", f"{only}-{name}")
        plots += [_curves(found, told, f"lengths-{file}", bar=only is None)] if found else []
        plots += [_depths(deep, told, f"depths-{file}", bar=only is None)] if deep else []
    return plots


def _curves(found: Sequence[Curves], title: str, name: str, *, bar: bool) -> Plot:
    heading = f"{title}: score by length of the text"
    means: list[tuple[str, Curve]] = [(one.name or title, one.mean) for one in found if one.mean]
    with styled(name, [heading, *(label for label, _ in means)]) as figure_of:
        figure = figure_of(figsize=(7, 4.2))
        axes = figure.subplots()
        step = 0.012 * max(0, len(means) - 1)
        for place, (label, curve) in enumerate(means):
            colour, shape = mark(place)
            shift = 2 ** (step * (place / max(1, len(means) - 1) - 0.5) * 2) if step else 1.0  # so that whiskers are side by side
            xs, ys = [length * shift for length in curve], [score.value for score in curve.values()]
            bounds = [score.ci or (score.value, score.value) for score in curve.values()]
            errors = [
                [max(0.0, y - low) for y, (low, _) in zip(ys, bounds, strict=True)],
                [max(0.0, high - y) for y, (_, high) in zip(ys, bounds, strict=True)],
            ]
            axes.errorbar(xs, ys, yerr=errors, fmt=f"-{shape}", color=colour, ms=5, lw=1.4, elinewidth=1, capsize=2, label=label)
        if bar:
            axes.axhline(BAR, color="#7a7a7a", lw=1, ls="--")
            axes.annotate(f"{BAR}", (1, BAR), xycoords=("axes fraction", "data"), xytext=(3, -3), textcoords="offset points", fontsize=8)
        _length_axis(axes, sorted({length for _, curve in means for length in curve}))
        axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel("score, 95% interval")
        axes.set_title(heading)
        if len(means) > 1:
            legend(figure, axes.get_legend_handles_labels()[0])
        about = f"{heading}, with 95% intervals" + ("; the broken line is Llama-2-7B at 4,096 tokens in RULER's paper." if bar else ".")
        return finished(name, heading, about, figure)


def _length_axis(axes: Any, lengths: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [_short(length) for length in lengths])
    axes.minorticks_off()
    axes.set_xlabel("tokens of prompt and answer")


def _depths(found: Sequence[Curves], title: str, name: str, *, bar: bool) -> Plot:
    heading = f"{title}: score by length and depth"
    across = min(ACROSS, len(found))
    down = -(-len(found) // across)
    lengths = sorted({length for one in found for length, _ in one.depths})
    with styled(name, [heading, *(one.name for one in found)]) as figure_of:
        figure = figure_of(figsize=(max(5.5, 1.6 + across * (0.9 + 0.5 * len(lengths))), 0.9 + 3.1 * down))
        panels = figure.subplots(down, across, squeeze=False, sharey=True)
        image = None
        for place, axes in enumerate(panels.flat):
            if place >= len(found):
                axes.set_visible(False)
                continue
            image = _panel(axes, found[place], lengths, bar=bar)
            if place % across == 0:
                axes.set_yticks(range(len(TENTHS)), [f"{tenth}-{tenth + 10}%" for tenth in TENTHS])
                axes.set_ylabel("depth in the text")
        figure.suptitle(heading, x=0.01, ha="left", fontsize=12)
        figure.colorbar(image, ax=panels.ravel().tolist(), fraction=0.025, pad=0.01).outline.set_visible(False)
        about = f"{heading}: the share of what is at a depth that was found, 0 to 1, by language; blank where nothing was asked for."
        return finished(name, heading, about, figure)


def _panel(axes: Any, one: Curves, lengths: Sequence[int], *, bar: bool) -> Any:
    grid = [[one.depths.get((length, tenth), (0, float("nan")))[1] for length in lengths] for tenth in TENTHS]
    axes.set_facecolor("#f1f3f5")
    image = axes.imshow(grid, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for row, values in enumerate(grid):
        for column, value in enumerate(values):
            if value == value:
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color="white" if value < 0.5 else "black")
    axes.set_xticks(range(len(lengths)), [_short(length) for length in lengths], fontsize=9)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    reached = effective_length(one.mean) if bar else None
    axes.set_title(f"{one.name} (effective: {_short(reached)})" if reached else one.name, fontsize=10)
    return image


def _short(length: int) -> str:
    """`4K`, `128K`; other lengths in full."""
    return f"{length // 1024}K" if length % 1024 == 0 else f"{length:,}"
