"""`evalkit report`: the tables of runs, drawn again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.usage import words_of
from evalkit.commands.words import detail_of, paths
from evalkit.errors import ConfigError
from evalkit.numbers import plural

if TYPE_CHECKING:
    from evalkit.cards import Card
    from evalkit.report import Report
    from evalkit.results import RunResult
    from evalkit.store import MergedRun, SavedRun


def report(words: list[str]) -> int:
    """`evalkit report RUN... [card=NAME|DIR] [out=DIR]`: tables of runs, their pictures and one HTML page with every sample."""
    from evalkit.config.cards import cards_named, cards_of
    from evalkit.config.compose import config_folder
    from evalkit.report.formats import tables
    from evalkit.store import load_run, merge

    words, own = config_folder(words)
    words, taken = paths("evalkit report", words, *words_of("report"))
    if not words:
        raise ConfigError("evalkit report needs at least one run directory; evalkit run makes them under results/runs")
    if taken.get("newest", "false") not in ("true", "false"):
        raise ConfigError(f"newest={taken['newest']} is neither true nor false; newest=true uses the newer of two scores of a task")
    detail = detail_of(taken)
    folders_given = [Path(word).resolve() for word in words]
    if twice := [word for word, folder in zip(words, folders_given, strict=True) if folders_given.count(folder) > 1]:
        raise ConfigError(f"{twice[0]} is given twice; name each run once")
    runs = [load_run(Path(word), rescore=_unfinished) for word in words]
    out = Path(taken["out"]) if "out" in taken else Path(words[0]) if len(words) == 1 else None
    folders = [own] if own else []
    if "card" in taken:
        cards = cards_named(taken["card"], folders)
    else:
        cards, missing = cards_of([run.config for run in runs], folders)
        hint = "no published numbers: card=NAME puts a card's next to the scores (evalkit ls cards)"
        for line in missing or ([] if cards else [hint]):
            print(line, file=sys.stderr)
    merged = merge(runs, taken.get("newest") == "true")
    made = tables([run.result for run in merged.runs], cards, out, merged.runs, merged.warnings, detail=detail)
    if out is not None:
        draw_page(made, cards, merged.runs, out)
    return 0


def draw_page(made: Report, cards: Sequence[Card], runs: Sequence[SavedRun | MergedRun], folder: Path, *, pictures: bool = True) -> None:
    """The page with every sample, and its pictures, which take seconds."""
    from evalkit.report.formats import installed
    from evalkit.report.page import Picture, write_page

    plots = []
    if pictures and installed("matplotlib", "pictures"):
        from evalkit.report.plots import draw_all

        plots = draw_all(runs, cards)
    for plot in plots:
        plot.save(folder / "plots")
    written = write_page(made, runs, folder / "report.html", [Picture(plot.title, plot.svg, plot.about) for plot in plots])
    left_out = f", {written.left_out:,} left out to keep the file small" if written.left_out else ""
    print(f"wrote {written.path}: {written.samples:,} samples{left_out}", file=sys.stderr)
    if plots:
        print(f"wrote {folder / 'plots'}: {plural(len(plots), 'picture')}, SVG and PNG", file=sys.stderr)


def _unfinished(folder: Path) -> RunResult:
    """What an interrupted (or still running) run has answered so far; its own files stay as they are."""
    from evalkit.config.setup import build
    from evalkit.run.rescore import rescore
    from evalkit.store.layout import read_config

    setup = build(read_config(folder))
    return rescore(folder, list(setup.tasks.values()), setup.model_name, save=False, missing=setup.settings.missing)
