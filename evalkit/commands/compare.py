"""`evalkit compare`: two runs, a verdict a task, and an exit code that a CI job can act on."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.commands.words import options
from evalkit.errors import ConfigError

if TYPE_CHECKING:
    from evalkit.compare import Comparison, Flip, Settings, TaskComparison
    from evalkit.report.table import Cell, Footnotes, Report, Table
    from evalkit.saved import SavedRun

USAGE = "evalkit compare BASE CANDIDATE [alpha=0.05] [threshold=0.0] [tasks=A,B] [flips=5] [allow=prompts] [out=DIR]"


def compare(words: list[str]) -> int:
    """`evalkit compare BASE CANDIDATE`: 0 no regression, 10 a regression, 11 something cannot be compared."""
    from rich.console import Console

    from evalkit.compare import compare as compared
    from evalkit.folder import dump, write_atomic
    from evalkit.report.markdown import markdown
    from evalkit.report.terminal import print_report
    from evalkit.saved import load_run

    folders, taken = options(words, "alpha", "threshold", "tasks", "flips", "allow", "out")
    if len(folders) != 2 or any("=" in word and not Path(word).exists() for word in folders):
        raise ConfigError(f"evalkit compare needs two run directories, not {' '.join(folders) or 'none'}: {USAGE}")
    settings, shown = _settings(taken), _whole("flips", taken.get("flips", "5"))
    base, candidate = (load_run(Path(folder)) for folder in folders)
    comparison = compared(base, candidate, settings)
    report = _report(comparison, base, candidate, shown)
    print_report(report, Console(highlight=False))
    if "out" in taken:
        out = Path(taken["out"])
        write_atomic(out / "compare.md", markdown(report))
        write_atomic(out / "compare.json", dump({**asdict(comparison), "exit_code": comparison.exit_code}))
        print(f"wrote {out / 'compare.md'}, {out / 'compare.json'}", file=sys.stderr)
    return comparison.exit_code


def _settings(taken: dict[str, str]) -> Settings:
    from evalkit.compare import Settings

    if taken.get("allow", "prompts") != "prompts":
        raise ConfigError(f"allow={taken['allow']} is unknown; allow=prompts compares runs that were asked in different words")
    tasks = tuple(name for name in taken.get("tasks", "").strip("[]").split(",") if name)
    return Settings(
        _number("alpha", taken.get("alpha", "0.05")), _number("threshold", taken.get("threshold", "0")), tasks, "allow" in taken
    )


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{name}={text} is not a number") from None


def _whole(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{name}={text} is not a whole number from 0")
    return int(text)


def _report(comparison: Comparison, base: SavedRun, candidate: SavedRun, shown: int) -> Report:
    from evalkit.report.table import Report

    flips = tuple(table for row in comparison.tasks if shown and (table := _flips(row, base, candidate, shown)))
    warnings = [] if comparison.rows else ["nothing to compare: the base has no task"]
    if comparison.new_tasks:
        warnings.append(f"measured by the candidate alone, so not compared: {', '.join(comparison.new_tasks)}")
    return Report(
        title=f"{_verdict(comparison)} Base {base.path.name}, candidate {candidate.path.name}.",
        warnings=tuple(warnings),
        comparison=(_table(comparison),) if comparison.rows else (),
        breakdowns=flips,
        legend=_legend(comparison) if comparison.rows else (),
    )


def _verdict(comparison: Comparison) -> str:
    from evalkit.compare import CANNOT_COMPARE, REGRESSION

    regressed = [row.task for row in comparison.rows if row.verdict == "regressed"]
    if comparison.exit_code == REGRESSION:
        return f"REGRESSION: {', '.join(regressed)}."
    return "CANNOT COMPARE everything." if comparison.exit_code == CANNOT_COMPARE else "No regression seen."


def _legend(comparison: Comparison) -> tuple[str, ...]:
    settings = comparison.settings
    return (
        "Difference: candidate minus base on the documents both measured, with its 95% interval.",
        f"p: paired test, two-sided, adjusted by Holm over every row; a verdict needs p <= {settings.alpha:g}"
        + (f" and more than {settings.threshold:g} of difference." if settings.threshold else "."),
        "Would show: the true difference that these documents would have revealed four times in five.",
    )


def _table(comparison: Comparison) -> Table:
    from evalkit.report.table import Column, Footnotes, Table

    notes = Footnotes()
    titles = ("Metric", "n", "Base", "Candidate", "Difference", "p", "Would show", "Verdict")
    left = {"Metric", "Verdict"}
    columns = (Column("Task", "left", key=True), *(Column(t, "left" if t in left else "right", ours=t == "Difference") for t in titles))
    return Table("Verdict", columns, tuple(_row(row, notes) for row in comparison.rows), notes.listed(), name="compare")


def _row(row: TaskComparison, notes: Footnotes) -> tuple[Cell, ...]:
    from evalkit import numbers
    from evalkit.report.table import Cell

    def score(value: float | None) -> Cell:
        return Cell("" if value is None else numbers.score(value))

    change = "" if row.difference is None else f"{row.difference:+.3f}"
    if row.ci:
        change += f" [{row.ci[0]:+.3f}, {row.ci[1]:+.3f}]"
    flips = f"{len(row.worse):,} worse, {len(row.better):,} better; {row.test}" if row.test and (row.worse or row.better) else row.test
    return (
        Cell(row.task, notes.mark(*row.notes)),
        Cell(row.metric),
        Cell(numbers.count(row.n) if row.n else ""),
        score(row.base),
        score(row.candidate),
        Cell(change, notes.mark(flips)),
        Cell("" if row.adjusted is None else f"{row.adjusted:.3f}" if row.adjusted >= 0.001 else "<0.001"),
        score(row.detectable),
        Cell(row.verdict, notes.mark("" if row.verdict == "no difference seen" else row.reason)),
    )


def _flips(row: TaskComparison, base: SavedRun, candidate: SavedRun, shown: int) -> Table | None:
    """The documents that changed most: what was wanted, what each run answered."""
    from evalkit.report.table import Cell, Column, Table

    if not row.worse and not row.better:
        return None
    columns = (Column("Document", "left", key=True), Column("Base"), Column("Candidate"), *(Column(t, "left") for t in _TEXTS))
    chosen = [*row.worse[:shown], *row.better[:shown]]
    rows = tuple(
        (Cell(f.doc), Cell(f"{f.base:.3g}"), Cell(f"{f.candidate:.3g}"), *map(Cell, _texts(f, row.metric, base, candidate))) for f in chosen
    )
    title = (
        f"{row.task}: {min(shown, len(row.worse))} of {len(row.worse):,} worse, {min(shown, len(row.better))} of {len(row.better):,} better"
    )
    return Table(title, columns, rows, name="flips")


_TEXTS = ("Target", "Base said", "Candidate said")


def _texts(flip: Flip, metric: str, base: SavedRun, candidate: SavedRun) -> Sequence[str]:
    ours, theirs = base.sample_at(flip.base_offset), candidate.sample_at(flip.candidate_offset)
    return [_short(ours.get("target")), *(_short(sample["scores"].get(metric, {}).get("prediction")) for sample in (ours, theirs))]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:39]}…"
