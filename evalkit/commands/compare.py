"""`evalkit compare`: two runs, a verdict a task, and an exit code that a CI job can act on."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.usage import USAGE as COMMAND_USAGE
from evalkit.commands.usage import words_of
from evalkit.commands.words import no_word, options, probability
from evalkit.errors import ConfigError

if TYPE_CHECKING:
    from evalkit.compare import Settings

USAGE = COMMAND_USAGE["compare"].usage


def compare(words: list[str]) -> int:
    """`evalkit compare BASE CANDIDATE`: 0 no regression, 10 a regression, 11 something cannot be compared."""
    from rich.console import Console

    from evalkit.compare import compare as compared
    from evalkit.files import dump, write_atomic
    from evalkit.report.markdown import markdown
    from evalkit.report.regressions import regressions
    from evalkit.report.terminal import print_report
    from evalkit.store import load_run

    folders, taken = options(words, *words_of("compare"))
    no_word(folders, USAGE)
    if len(folders) != 2:
        raise ConfigError(f"evalkit compare needs two run directories, not {' '.join(folders) or 'none'}: {USAGE}")
    settings, shown = _settings(taken), _whole("flips", taken.get("flips", "5"))
    base, candidate = (load_run(Path(folder)) for folder in folders)
    comparison = compared(base, candidate, settings)
    report = regressions(comparison, base, candidate, shown)
    print_report(report, Console(highlight=False))
    if "out" in taken:
        out = Path(taken["out"])
        write_atomic(out / "compare.md", markdown(report), "out=DIR")
        write_atomic(out / "compare.json", dump({**asdict(comparison), "exit_code": comparison.exit_code}), "out=DIR")
        print(f"wrote {out / 'compare.md'}, {out / 'compare.json'}", file=sys.stderr)
    return comparison.exit_code


def _settings(taken: dict[str, str]) -> Settings:
    from evalkit.compare import Settings
    from evalkit.gate.policy import size

    if taken.get("allow", "prompts") != "prompts":
        raise ConfigError(f"allow={taken['allow']} is unknown; allow=prompts compares runs that were asked in different words")
    tasks = tuple(name for name in taken.get("tasks", "").strip("[]").split(",") if name)
    return Settings(
        probability("alpha", taken.get("alpha", "0.05")), size("threshold", taken.get("threshold", "0")), tasks, "allow" in taken
    )


def _whole(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{name}={text} is not a whole number from 0")
    return int(text)
