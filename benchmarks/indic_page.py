"""The measured tables and heat maps of docs/indic.md, out of finished runs: a column a model, its runs merged.

    python benchmarks/indic_page.py runs/gemma_* runs/smollm_* --page docs/indic.md

Writes between two marks of the page, and one picture next to it for every task with several languages.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalkit import numbers
from evalkit.cards import find_card
from evalkit.files import write_atomic
from evalkit.report.plots.heatmap import by_language, languages_of
from evalkit.report.rows import Entry, sections
from evalkit.results import RunResult, TaskResult
from evalkit.store import load_run
from evalkit.types import Summary

BEGIN, END = "<!-- measured: written by benchmarks/indic_page.py -->", "<!-- end of measured -->"


def merged(runs: Sequence[RunResult]) -> list[RunResult]:
    """One result a model, in the order of first appearance.

    Raises:
        SystemExit: two runs of a model have the same task, or a run has sample rows.
    """
    tasks: dict[str, dict[str, TaskResult]] = {}
    for run in runs:
        mine = tasks.setdefault(run.model, {})
        if twice := mine.keys() & run.tasks.keys():
            raise SystemExit(f"{run.path}: {run.model} has been measured on {', '.join(sorted(twice))} in an earlier run; leave one out")
        if invented := [name for name, task in run.tasks.items() if task.sample_rows]:
            raise SystemExit(f"{run.path}: {', '.join(invented)} ran on sample rows; run on the benchmark's own")
        mine |= run.tasks
    return [RunResult(model, found) for model, found in tasks.items()]


def lines_of(entry: Entry, models: Sequence[str]) -> list[str]:
    """A row a measure, the baselines of the headline below it; None of it where no model was measured."""
    rows = []
    for name in entry.first.summaries:
        found = [result.summaries.get(name) if result else None for result in entry.results]
        if any(summary and summary.value is not None for summary in found):
            rows.append(_row(entry.label, name, found))
            if name == entry.first.headline or entry.first.score.value is None:
                rows += [_row(entry.label, f"{name}, no model: {b}", [one] * len(models)) for b, one in _baselines(entry, name).items()]
    return rows


def _baselines(entry: Entry, name: str) -> Mapping[str, Summary]:
    return entry.first.baselines.get(name, {})


def _row(label: str, name: str, found: Sequence[Summary | None]) -> str:
    documents = " / ".join(dict.fromkeys(str(summary.n) for summary in found if summary))
    return f"| {label} | {name} | {documents} | {' | '.join(numbers.measured(summary) for summary in found)} |"


def language_table(entry: Entry, models: Sequence[str]) -> list[str]:
    """A row a language: every model's headline and the share of letters in the script."""
    names = [entry.first.headline, *(n for n in ("in_script", "in_language") if n in entry.first.summaries)]
    head = [f"{model}, {name}" for model in models for name in names]
    rows = [f"| language | {' | '.join(head)} |", f"|---|{'---:|' * len(head)}"]
    for code in languages_of(entry):
        cells = [result.summaries[name].groups.get(code) if result else None for result in entry.results for name in names]
        shown = [numbers.score(cell.value) if cell and cell.value is not None else "-" for cell in cells]
        rows.append(f"| {code} | {' | '.join(shown)} |")
    return rows


def section(runs: Sequence[RunResult], pictures: Path) -> str:
    """The Markdown between the marks; saves the pictures it names."""
    models = [run.model for run in runs]
    entries = [entry for part in sections(runs, [find_card("krutrim2")]) for entry in part.entries]
    lines = [f"| benchmark | measure | n | {' | '.join(models)} |", f"|---|---|---:|{'---:|' * len(models)}"]
    lines += [row for entry in entries for row in lines_of(entry, models)]
    for entry in entries:
        if languages_of(entry):
            plot = by_language(entry, models, f"indic-{entry.first.task}")
            write_atomic(pictures / f"{plot.name}.png", plot.png)
            lines += ["", f"{entry.label}, by language:", "", *language_table(entry, models), "", f"![{plot.about}]({plot.name}.png)"]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--page", type=Path, default=Path("docs/indic.md"))
    args = parser.parse_args(argv)
    text = args.page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text.split(BEGIN, 1)[1]:
        raise SystemExit(f"{args.page} lacks the line {BEGIN!r} or {END!r} after it; put both where the tables belong")
    made = section(merged([load_run(run).result for run in args.runs]), args.page.parent)
    before, rest = text.split(BEGIN, 1)
    args.page.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")
    print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
