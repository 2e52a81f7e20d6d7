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


def report(words: list[str]) -> int:
    """`evalkit report RUN... [out=DIR]`: redraw the tables of finished runs."""
    from evalkit.folder import SCORES
    from evalkit.results import from_json

    words, taken = options(words, "out")
    if not words:
        raise ConfigError("evalkit report needs at least one run directory; evalkit run makes them under results/runs")
    results = []
    for word in words:
        path = Path(word) / SCORES
        results.append(from_json(path.read_text(encoding="utf-8"), path=path) if path.exists() else _unfinished(Path(word)))
    out = Path(taken["out"]) if "out" in taken else Path(words[0]) if len(words) == 1 else None
    tables(results, out)
    return 0


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
