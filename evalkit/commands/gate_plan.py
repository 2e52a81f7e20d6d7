"""`evalkit gate plan`: what a decision needs, told before anything is measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import numbers
from evalkit.commands.gate import policy_from
from evalkit.commands.usage import USAGE as COMMAND_USAGE
from evalkit.commands.usage import words_of
from evalkit.commands.words import no_word, options
from evalkit.errors import ConfigError

if TYPE_CHECKING:
    from evalkit.gate.plan import Plan, Planned
    from evalkit.report import Report
    from evalkit.report.table import Cell

USAGE = COMMAND_USAGE["gate plan"].usage


def gate_plan(words: list[str]) -> int:
    """Documents, minutes and power a task, from a run that is there; starts none."""
    from rich.console import Console

    from evalkit.gate.plan import FLIPS, plan
    from evalkit.gate.policy import nearest, size
    from evalkit.report.terminal import print_report
    from evalkit.store import load_run

    rest, taken = options(words, *words_of("gate plan"))
    no_word(rest, USAGE, nearest)
    if "base" not in taken or rest:
        raise ConfigError(f"evalkit gate plan needs base=RUN: {USAGE}")
    try:
        cost = float(taken.get("cost", "1"))
    except ValueError:
        cost = 0.0
    if not cost > 0:
        raise ConfigError(f"cost={taken['cost']} is no factor; cost=2 says that the candidate takes twice the base's time")
    earlier = [load_run(Path(name)) for name in taken.get("earlier", "").split(",") if name]
    flips = size("flips", taken["flips"]) if "flips" in taken else FLIPS
    found = plan(load_run(Path(taken["base"])), policy_from(taken), earlier, flips, cost)
    print_report(_report(found, Path(taken["base"]).name), Console(highlight=False))
    return 0


def _report(found: Plan, base: str) -> Report:
    from evalkit.report.table import Column, Report, Table

    titles = ("Tier", "Tolerance", "Documents", "Needed", "Power now", "Answers that change", "Minutes")
    columns = (Column("Task", "left", key=True), *(Column(title, "left" if title == "Tier" else "right") for title in titles))
    lines = ["Power now: how often a candidate that lost nothing would pass on the base's documents."]
    lines.append(
        "Answers that change: seen in the earlier runs."
        if found.observed
        else "Answers that change: assumed; earlier=RUN takes them from runs."
    )
    if found.mean_power is not None:
        lines.append(f"The mean of the required tasks would pass {found.mean_power:.0%} of the time.")
    if found.minutes is not None:
        long = f"about {_minutes(found.minutes)} minutes" if found.minutes >= 1 else "less than a minute"
        lines.append(f"All of it takes {long} at the base run's speed.")
    else:
        lines.append("The base run does not say how long it took (continued, imported or answered from a file), so no minutes are told.")
    cheap = sorted((one for one in found.tasks if one.whole_minutes is not None), key=lambda one: one.whole_minutes or 0.0)
    if len(cheap) > 1:
        lines.append(f"Most decision per minute first: {', '.join(one.task for one in cheap)}.")
    short = [one.task for one in found.tasks if one.tier == "required" and not one.enough]
    title = (
        f"Too few documents in {base} to decide on {', '.join(short)} with a power of {found.power:.0%}."
        if short
        else f"The documents of {base} decide every required task with a power of {found.power:.0%}."
    )
    rows = tuple(_row(one) for one in found.tasks)
    return Report(title=title, comparison=(Table("Plan", columns, rows, name="plan"),), legend=tuple(lines))


def _row(one: Planned) -> tuple[Cell, ...]:
    from evalkit.report.table import Cell

    return (
        Cell(one.task, below=one.reason),
        Cell(one.tier),
        Cell(numbers.score(one.tolerance)),
        Cell(numbers.count(one.documents)),
        Cell("never" if one.needed is None else numbers.count(one.needed)),
        Cell(f"{one.power:.0%}"),
        Cell(f"{one.flip_rate:.1%}"),
        Cell("" if one.minutes is None else _minutes(one.minutes)),
    )


def _minutes(minutes: float) -> str:
    if minutes < 0.05:
        return "< 0.1"
    return f"{minutes:.1f}" if minutes < 10 else f"{minutes:,.0f}"
