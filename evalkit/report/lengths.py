"""Scores by length of the text, and up to which length a model keeps them: its effective length.

The published rule (Hsieh et al., 2024): a length counts while the mean over the tasks is above what Llama-2-7B has at 4,096 tokens.
Ours is stricter: the whole 95% interval has to stay above it, at this length and at every shorter one that was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalkit import numbers
from evalkit.cards import Card
from evalkit.languages import name_of
from evalkit.report.table import Cell, Column, Table
from evalkit.results import RunResult
from evalkit.stats import mean
from evalkit.types import LengthScore

BAR = 0.856  # Llama-2-7B at 4,096 tokens, mean over RULER's thirteen tasks (Hsieh et al., 2024, table 3)
RULE = (
    "Effective length: the longest length whose whole 95% interval, and that of every shorter length measured, stays above 0.856, which is "
    "Llama-2-7B at 4,096 tokens in RULER's paper. The published rule asks this of the score alone, over its thirteen English tasks."
)
SCALE = "Means over tasks weigh every task alike; their intervals join those of the tasks (MOVER; Zou and Donner, 2008)."
TENTHS = range(0, 100, 10)
Curve = Mapping[int, LengthScore]  # length -> score, lengths rising


@dataclass(frozen=True, slots=True)
class Curves:
    """A language's scores by length: of every task that was measured in it, and their mean.

    Attributes:
        language: None where tasks do not say one.
        tasks: by name.
        depths: (length, tenth) -> values found there and their mean, over the tasks.
    """

    language: str | None
    tasks: Mapping[str, Curve]
    depths: Mapping[tuple[int, int], tuple[int, float]]

    @property
    def name(self) -> str:
        return "" if self.language is None else name_of(self.language)

    @property
    def mean(self) -> Curve:
        """Over the tasks, at the lengths at which all of them were measured."""
        lengths = sorted(set.intersection(*(set(curve) for curve in self.tasks.values())))
        return {length: joined([curve[length] for curve in self.tasks.values()]) for length in lengths}


def joined(scores: Sequence[LengthScore]) -> LengthScore:
    """The unweighted mean of tasks' scores; its interval from theirs, None where one has none."""
    first, value = scores[0], mean([score.value for score in scores])
    ci = None
    bounds = [score.ci for score in scores if score.ci is not None]
    if len(bounds) == len(scores):
        below = math.sqrt(sum((score.value - low) ** 2 for score, (low, _) in zip(scores, bounds, strict=True))) / len(scores)
        above = math.sqrt(sum((high - score.value) ** 2 for score, (_, high) in zip(scores, bounds, strict=True))) / len(scores)
        ci = (value - below, value + above)
    return LengthScore(first.language, first.length, None, sum(score.n for score in scores), value, ci)


def curves(run: RunResult, only: str | None = None) -> tuple[Curves, ...]:
    """Of every language of a run, in order of first appearance; nothing without tasks of asked lengths.

    Args:
        only: a task; None: all whose score is a mean, which the bar is for (chrF++ is none).
    """
    tasks: dict[str | None, dict[str, dict[int, LengthScore]]] = {}
    deep: dict[str | None, dict[tuple[int, int], list[LengthScore]]] = {}
    chosen = {name: task for name, task in run.tasks.items() if (name == only if only else not task.score.corpus)}
    for name, task in chosen.items():
        for score in task.by_length:
            if score.depth is None:
                tasks.setdefault(score.language, {}).setdefault(name, {})[score.length] = score
            else:
                deep.setdefault(score.language, {}).setdefault((score.length, score.depth), []).append(score)
    return tuple(
        Curves(
            language,
            {name: dict(sorted(curve.items())) for name, curve in found.items()},
            {place: _pooled(scores) for place, scores in sorted(deep.get(language, {}).items())},
        )
        for language, found in tasks.items()
    )


def _pooled(scores: Sequence[LengthScore]) -> tuple[int, float]:
    n = sum(score.n for score in scores)
    return n, sum(score.value * score.n for score in scores) / n


def effective_length(curve: Curve, bar: float = BAR, *, interval: bool = True) -> int | None:
    """The longest length up to which every measured one is above the bar; None when not even the shortest is.

    Args:
        interval: the whole interval has to be; False asks it of the score alone.
    """
    reached = None
    for length, score in curve.items():
        least = score.value if not interval else score.ci[0] if score.ci else -math.inf
        if not least > bar:
            break
        reached = length
    return reached


def length_tables(runs: Sequence[RunResult], titles: Sequence[str]) -> tuple[Table, ...]:
    """Per run a table of scores by length and language, and one by depth; nothing for runs without such tasks."""
    pairs = list(zip(titles, runs, strict=True))
    means = [table for title, run in pairs for table in _tables(title, curves(run))]
    corpus = [(f"{title}, {name}", curves(run, name)) for title, run in pairs for name in others(run)]
    return (*means, *(table for title, found in corpus for table in _tables(title, found, bar=False)))


def others(run: RunResult) -> list[str]:
    """Tasks of asked lengths whose score is no mean, so that no bar is known for it."""
    return [name for name, task in run.tasks.items() if task.by_length and task.score.corpus]


def _tables(title: str, found: Sequence[Curves], *, bar: bool = True) -> Iterator[Table]:
    lengths = sorted({length for one in found for length in one.mean})
    if not lengths:
        return
    columns = [Column("Language", "left", key=True), Column("Tasks", "left"), *(Column(f"{length:,}", ours=True) for length in lengths)]
    columns += [Column("Effective length"), Column("By the score alone")] if bar else []
    rows = []
    for one in found:
        told = [Cell(_said(one.mean.get(length))) for length in lengths]
        ends = [Cell(_length(effective_length(one.mean, interval=whole), lengths[0])) for whole in (True, False) if bar]
        rows.append((Cell(one.name), Cell(_tasks(one)), *told, *ends))
    yield Table(f"{title}: score by length of the text (tokens)", tuple(columns), tuple(rows), name="lengths")
    if any(one.depths for one in found):
        yield _by_depth(title, found)


def _tasks(found: Curves) -> str:
    return next(iter(found.tasks)) if len(found.tasks) == 1 else f"mean of {len(found.tasks)}"


def _said(score: LengthScore | None) -> str:
    if score is None:
        return numbers.NOT_RUN
    return numbers.score(score.value) + (f" [{score.ci[0]:.3f}, {score.ci[1]:.3f}]" if score.ci else "")


def _length(length: int | None, shortest: int) -> str:
    return f"below {shortest:,}" if length is None else f"{length:,}"


def _by_depth(title: str, found: Sequence[Curves]) -> Table:
    columns = [Column("Language", "left", key=True), Column("Length", key=True), *(Column(f"{tenth}%") for tenth in TENTHS)]
    rows = []
    for one in found:
        for length in sorted({length for length, _ in one.depths}):
            at = [one.depths.get((length, tenth)) for tenth in TENTHS]
            rows.append((Cell(one.name), Cell(f"{length:,}"), *(Cell("" if cell is None else f"{cell[1]:.2f}") for cell in at)))
    return Table(f"{title}: score by length and depth, in tenths of the text", tuple(columns), tuple(rows), name="depths")


def length_lines(runs: Sequence[RunResult], titles: Sequence[str], cards: Sequence[Card]) -> tuple[str, ...]:
    """How to read those tables, and what they say of a card's claim; nothing without tasks of asked lengths."""
    found = [curves(run) for run in runs]
    if not any(found):
        return ()
    lines = [RULE, *([SCALE] if any(len(one.tasks) > 1 for each in found for one in each) else [])]
    for card in cards:
        for title, run, each in zip(titles, runs, found, strict=True):
            if each and card.about.context and card.about.subject in card.columns_of(run):
                lines.append(claim(title, card, each))
    return tuple(lines)


def claim(title: str, card: Card, found: Sequence[Curves]) -> str:
    """One sentence: in which languages the length that the card claims is reached, not reached, or not measured."""
    claimed = card.about.context or 0
    said: dict[str, list[str]] = {"reached": [], "not reached": [], "not measured": []}
    for one in found:
        curve, name = one.mean, one.name or "its language"
        effective, longest = effective_length(curve), max(curve, default=0)
        if effective is not None and effective >= claimed:
            said["reached"].append(name)
        elif effective == longest:
            said["not measured"].append(f"{name} (above the bar up to {longest:,}, the longest measured)")
        else:
            said["not reached"].append(f"{name} ({f'effective length {effective:,}' if effective else f'below the bar at {min(curve):,}'})")
    parts = "; ".join(f"{word} in {', '.join(names)}" for word, names in said.items() if names)
    return f"{title}: {claimed:,} tokens, which the {card.heading} claims: {parts}."
