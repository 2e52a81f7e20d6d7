"""`evalkit report`: the tables of runs, drawn again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.words import options
from evalkit.errors import ConfigError

if TYPE_CHECKING:
    from evalkit.results import RunResult
    from evalkit.saved import SavedRun


def report(words: list[str]) -> int:
    """`evalkit report RUN... [out=DIR]`: the tables of finished runs, their pictures and one HTML page with every sample."""
    from evalkit.saved import load_run

    words, taken = options(words, "out")
    if not words:
        raise ConfigError("evalkit report needs at least one run directory; evalkit run makes them under results/runs")
    runs = [load_run(Path(word), rescore=_unfinished) for word in words]
    out = Path(taken["out"]) if "out" in taken else Path(words[0]) if len(words) == 1 else None
    tables([run.result for run in runs], out)
    if out is not None:
        _page(runs, out)
    return 0


def _page(runs: Sequence[SavedRun], folder: Path) -> None:
    from evalkit.report import build, load_card
    from evalkit.report.page import Picture, write_page
    from evalkit.report.plots import draw_all

    card = load_card()
    plots = draw_all(runs, card)
    for plot in plots:
        plot.save(folder / "plots")
    pictures = [Picture(plot.title, plot.svg, plot.about) for plot in plots]
    written = write_page(build([run.result for run in runs], card), runs, folder / "report.html", pictures)
    left_out = f", {written.left_out:,} left out to keep the file small" if written.left_out else ""
    print(f"wrote {written.path}: {written.samples:,} samples{left_out}", file=sys.stderr)
    if plots:
        print(f"wrote {folder / 'plots'}: {len(plots)} pictures, SVG and PNG", file=sys.stderr)


def _unfinished(folder: Path) -> RunResult:
    """What an interrupted (or still running) run has answered so far; its own files stay as they are."""
    from evalkit.cli import build
    from evalkit.folder import read_config
    from evalkit.runner import rescore

    parts = build(read_config(folder))
    return rescore(folder, list(parts.tasks.values()), parts.config["model"].get("name", folder.name), save=False)


def tables(results: Sequence[RunResult], folder: Path | None) -> None:
    from evalkit.report import load_card, print_tables, write_tables

    card = load_card()
    print_tables(results, card)
    if folder is not None:
        for path in write_tables(results, card, folder):
            print(f"wrote {path}", file=sys.stderr)
