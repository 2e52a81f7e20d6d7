"""`evalkit report`: the tables of runs, drawn again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.words import options
from evalkit.errors import ConfigError

if TYPE_CHECKING:
    from evalkit.report import Card, Report
    from evalkit.results import RunResult
    from evalkit.store import SavedRun


def report(words: list[str]) -> int:
    """`evalkit report RUN... [out=DIR]`: the tables of finished runs, their pictures and one HTML page with every sample."""
    from evalkit.report import load_card
    from evalkit.store import load_run

    words, taken = options(words, "out")
    if not words:
        raise ConfigError("evalkit report needs at least one run directory; evalkit run makes them under results/runs")
    runs = [load_run(Path(word), rescore=_unfinished) for word in words]
    out = Path(taken["out"]) if "out" in taken else Path(words[0]) if len(words) == 1 else None
    card = load_card()
    made = tables([run.result for run in runs], out, runs)
    if out is not None:
        _page(made, card, runs, out)
    return 0


def _page(made: Report, card: Card, runs: Sequence[SavedRun], folder: Path) -> None:
    from evalkit.report.page import Picture, write_page
    from evalkit.report.plots import draw_all

    plots = draw_all(runs, card)
    for plot in plots:
        plot.save(folder / "plots")
    pictures = [Picture(plot.title, plot.svg, plot.about) for plot in plots]
    written = write_page(made, runs, folder / "report.html", pictures)
    left_out = f", {written.left_out:,} left out to keep the file small" if written.left_out else ""
    print(f"wrote {written.path}: {written.samples:,} samples{left_out}", file=sys.stderr)
    if plots:
        print(f"wrote {folder / 'plots'}: {len(plots)} pictures, SVG and PNG", file=sys.stderr)


def _unfinished(folder: Path) -> RunResult:
    """What an interrupted (or still running) run has answered so far; its own files stay as they are."""
    from evalkit.config.setup import build
    from evalkit.run.rescore import rescore
    from evalkit.store.layout import read_config

    setup = build(read_config(folder))
    return rescore(folder, list(setup.tasks.values()), setup.model_name, save=False)


def tables(results: Sequence[RunResult], folder: Path | None, saved: Sequence[SavedRun] = ()) -> Report:
    """Print the report and write its texts to a folder; with several saved runs it has a leaderboard."""
    from rich.console import Console

    from evalkit.report import build, load_card, write_report
    from evalkit.report.terminal import print_report

    card = load_card()
    made = build(results, card, saved)
    print_report(made, Console(highlight=False))
    if folder is not None:
        for path in write_report(made, results, card, folder):
            print(f"wrote {path}", file=sys.stderr)
    return made
