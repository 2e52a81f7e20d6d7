"""Scores by language and model, as colours with the numbers in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evalkit.report.plots.figure import Plot, finished, styled
from evalkit.report.rows import Entry
from evalkit.types import Summary

# A language's name in itself, as its readers look for it.
OWN_NAMES: Mapping[str, str] = {
    "as": "অসমীয়া",
    "bn": "বাংলা",
    "en": "English",
    "gu": "ગુજરાતી",
    "hi": "हिन्दी",
    "kn": "ಕನ್ನಡ",
    "ml": "മലയാളം",
    "mr": "मराठी",
    "ne": "नेपाली",
    "or": "ଓଡ଼ିଆ",
    "pa": "ਪੰਜਾਬੀ",
    "sa": "संस्कृतम्",
    "ta": "தமிழ்",
    "te": "తెలుగు",
    "ur": "اردو",
}


def languages_of(entry: Entry) -> list[str]:
    """Languages the headline is broken down by, in order of first appearance; empty for subjects, none, or none measured."""
    groups = [(name, group.value) for _, result in entry.measured for name, group in result.score.groups.items()]
    found = list(dict.fromkeys(name for name, _ in groups))
    shown = len(found) > 1 and all(name in OWN_NAMES for name in found) and any(value is not None for _, value in groups)
    return found if shown else []


def by_language(entry: Entry, titles: Sequence[str], name: str) -> Plot:
    """A heat map of one benchmark's headline: a row a language, a column a run."""
    languages = languages_of(entry)
    scores = [[result.score.groups.get(code) if result else None for code in languages] for result in entry.results]
    return heatmap(f"{entry.label}: {entry.first.headline}", languages, titles, scores, name)


def heatmap(title: str, languages: Sequence[str], series: Sequence[str], scores: Sequence[Sequence[Summary | None]], name: str) -> Plot:
    """Colours from the lowest to the highest score shown; hatched where nothing was measured, which is no low score.

    Args:
        languages: ISO 639 codes, the rows.
        series: models, the columns.
        scores: `scores[series][language]`.
    """
    measured = [s.value for row in scores for s in row if s is not None and s.value is not None]
    low, high = (min(measured), max(measured)) if measured else (0.0, 1.0)
    with styled(name, [title, *series, *OWN_NAMES.values()]) as figure_of:
        figure = figure_of(figsize=(max(4.5, 2.2 + 1.3 * len(series)), 1.1 + 0.36 * len(languages)))
        axes = figure.subplots()
        axes.set_facecolor("#f1f3f5")
        grid = [[_value(scores[run][row]) for run in range(len(series))] for row in range(len(languages))]
        image = axes.imshow(grid, cmap="cividis", vmin=low, vmax=high if high > low else low + 1e-9, aspect="auto")
        for row, values in enumerate(grid):
            for column, value in enumerate(values):
                _cell(axes, column, row, value, dark=value < (low + high) / 2)
        # The code comes first: a label that begins with Urdu would run from right to left.
        axes.set_yticks(range(len(languages)), [f"{code}  {OWN_NAMES[code]}" if code in OWN_NAMES else code for code in languages])
        axes.set_xticks(range(len(series)), series, rotation=20 if len(series) > 3 else 0, ha="right" if len(series) > 3 else "center")
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_title(title)
        figure.colorbar(image, ax=axes, fraction=0.04).outline.set_visible(False)
        return finished(name, title, f"{title}, by language and model; the colours run from the lowest to the highest score.", figure)


def _value(summary: Summary | None) -> float:
    """NaN, which matplotlib leaves blank, where nothing was measured."""
    return float("nan") if summary is None or summary.value is None else summary.value


def _cell(axes: object, column: int, row: int, value: float, *, dark: bool) -> None:
    from matplotlib.patches import Rectangle

    if value != value:
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", ec="#c3c9d0", lw=0))  # type: ignore[attr-defined]
        return
    axes.text(column, row, f"{value:.3f}", ha="center", va="center", color="white" if dark else "black")  # type: ignore[attr-defined]
