"""People's mean ratings by category and by language: models as groups of bars, published values as hollow ones next to them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from evalkit.cards import Card
from evalkit.languages import name_of
from evalkit.rating.means import Estimate
from evalkit.rating.published import PublishedRating, published_ratings
from evalkit.rating.saved import By, Rated, kinds, mean_of, means_by, read_rated
from evalkit.rating.sheet import SCALE
from evalkit.report.plots.figure import COLOURS, Plot, finished, label, legend, mark, styled
from evalkit.report.rows import names
from evalkit.store import MergedRun, SavedRun

ALL = "all"
FLOOR = 0  # so that a mean of 1, the lowest there is, still has a bar
WIDEST = 11  # inches; a bar narrower than that is thinner, not left out
Series = tuple[str, str, dict[str, Any]]  # name, colour, estimate or published rating by group


def rating_charts(runs: Sequence[SavedRun | MergedRun], cards: Sequence[Card]) -> list[Plot]:
    """The two charts, of the runs that people rated; none where nobody did."""
    titles = names([run.result for run in runs])
    rated = [[one for folder in _folders(run) for one in read_rated(folder)] for run in runs]
    there = [place for place, mine in enumerate(rated) if mine]
    if not there:
        return []
    own = [{column for card in cards for column in card.columns_of(runs[place].result)} for place in there]
    printed = [one for card in cards for one in published_ratings(card)]
    words: list[tuple[By, str]] = [("category", "category"), ("language", "language")]
    return [_chart(by, word, [titles[i] for i in there], [rated[i] for i in there], own, printed) for by, word in words]


def _folders(run: SavedRun | MergedRun) -> list[Any]:
    return [run.path] if isinstance(run, SavedRun) else [part.path for part, _ in run.parts]


def _chart(
    by: By, word: str, titles: Sequence[str], rated: Sequence[Sequence[Rated]], own: Sequence[set[str]], printed: Sequence[PublishedRating]
) -> Plot:
    mine = [one for one in printed if one.by == by]
    groups = kinds(rated, by)
    groups += [name for name in dict.fromkeys(one.name for one in mine) if name not in groups and name != ALL]
    several = len(groups) > 1
    series: list[Series] = [
        (title, mark(place)[0], {**means_by(lines, by), **({ALL: mean_of(lines)} if several else {})})
        for place, (title, lines) in enumerate(zip(titles, rated, strict=True))
    ]
    for column in dict.fromkeys(one.column for one in mine):
        colour = next((mark(place)[0] for place, columns in enumerate(own) if column in columns), "#7A7A7A")
        series.append((f"{column}, published", colour, {one.name: one for one in mine if one.column == column}))
    shown = [*groups, *([ALL] if several else [])]
    labels = [_label(name, by) for name in shown]
    title = f"People's ratings by {word}"
    about = f"{title}: mean of blind ratings from 1 to 5, with 95% intervals for other prompts and other raters."
    if any(one.read_off for one in mine):
        about += " Dotted published values were read off a picture; the line is how far they may be off."
    return draw(title, about, shown, labels, series, f"ratings-{word}")


def _label(name: str, by: By) -> str:
    plain = name_of(name) if by == "language" else name.replace("_", " ")
    return plain[:1].upper() + plain[1:]


def draw(title: str, about: str, groups: Sequence[str], labels: Sequence[str], series: Sequence[Series], name: str) -> Plot:
    """Groups of bars from 1 to 5."""
    each = max(1.3, 0.24 * (len(series) + 1))
    width = 0.8 / len(series)
    with styled(name, [title, *labels, *(one[0] for one in series)]) as figure_of:
        figure = figure_of(figsize=(min(WIDEST, max(6.0, 0.9 + each * len(groups))), 4.2))
        axes = figure.subplots()
        for place, (text, colour, values) in enumerate(series):
            at = [(i + (place - (len(series) - 1) / 2) * width, values[group]) for i, group in enumerate(groups) if group in values]
            _bars(axes, [(x, one) for x, one in at if not isinstance(one, Estimate) or one.value is not None], width, colour, text, place)
        axes.set_xticks(range(len(groups)), [fill(text, 16, break_long_words=False) for text in labels])
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.set_ylim(FLOOR, SCALE[1])
        axes.set_yticks(range(SCALE[0], SCALE[1] + 1))
        axes.set_ylabel("mean rating, 1 to 5")
        axes.grid(axis="x", visible=False)
        axes.set_title(title)
        handles, _ = axes.get_legend_handles_labels()
        legend(figure, handles)
        return finished(name, title, about, figure)


def _bars(axes: Any, at: Sequence[tuple[float, Estimate | PublishedRating]], width: float, colour: str, text: str, place: int) -> None:
    xs = [x for x, _ in at]
    heights = [(one.value or 0) if isinstance(one, Estimate) else one.middle for _, one in at]
    published = bool(at) and isinstance(at[0][1], PublishedRating)
    look: dict[str, Any] = {"color": colour, "hatch": "//" * (place // len(COLOURS))}
    if published:
        look = {"facecolor": "none", "edgecolor": colour, "linewidth": 1.4}
    bars = axes.bar(xs, [height - FLOOR for height in heights], width * 0.9, bottom=FLOOR, label=label(text), **look)
    for bar, (_, one) in zip(bars, at, strict=True):
        if isinstance(one, PublishedRating) and one.read_off:
            bar.set_linestyle(":")
    for x, height, (_, one) in zip(xs, heights, at, strict=True):
        ends = one.ci if isinstance(one, Estimate) else (one.low, one.high) if one.read_off else None
        if ends:
            low, high = max(0.0, height - ends[0]), max(0.0, ends[1] - height)
            axes.errorbar(
                [x], [height], yerr=[[low], [high]], fmt="none", ecolor=colour if published else "#1b1f24", elinewidth=1, capsize=2
            )
