"""`evalkit export` and `evalkit import`: scores in the forms other tools write and read."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.commands.usage import words_of
from evalkit.commands.words import paths
from evalkit.errors import ConfigError, did_you_mean
from evalkit.numbers import plural
from evalkit.types import SAMPLE_ROWS

if TYPE_CHECKING:
    from evalkit.store import SavedRun

FORMS = ("model-index", "eval-results", "lm-eval", "inspect", "parquet", "every-eval-ever", "baseline")


def export(words: list[str]) -> int:
    """`evalkit export RUN to=FORM [out=FILE]`: printed, or written to a file."""
    from evalkit.exchange.lm_eval import to_results
    from evalkit.exchange.model_card import Exported, eval_results, model_index
    from evalkit.files import write_atomic
    from evalkit.store import load_run

    folders, taken = paths("evalkit export", words, *words_of("export"))
    form = taken.get("to", "")
    if len(folders) != 1 or form not in FORMS:
        wrong = f"to={form} is unknown{did_you_mean(form, FORMS)}; " if form and form not in FORMS else ""
        wrong = wrong or ("" if form else "to= says in which form; ")
        raise ConfigError(f"{wrong}evalkit export RUN to={'|'.join(FORMS)} [out=FILE]")
    run = load_run(Path(folders[0]))
    if form in _FILES:
        if "out" not in taken:
            raise ConfigError(f"to={form} is no text to print; give out={_FILES[form]}")
        for word in ("organization", "relationship"):
            if word in taken and form != "every-eval-ever":
                raise ConfigError(f"{word}= is for to=every-eval-ever alone; leave it out for to={form}")
        _to_file(form, run, Path(taken["out"]), taken)
        return 0
    made = model_index(run) if form == "model-index" else eval_results(run) if form == "eval-results" else Exported(to_results(run), ())
    text = made.text
    for reason in made.left_out:
        print(f"left out: {reason}", file=sys.stderr)
    for part in made.parts:
        print(f"warning: {part}", file=sys.stderr)
    if form == "lm-eval":
        _say_parts(run)
    if "out" in taken:
        write_atomic(Path(taken["out"]), text, "out=FILE")
        print(f"wrote {taken['out']}", file=sys.stderr)
    else:
        print(text, end="")
    return 0


_FILES = {
    "baseline": "FILE, as out=main.baseline",
    "inspect": "DIR, for a log per task",
    "parquet": "FILE, as out=samples.parquet",
    "every-eval-ever": "DIR, for a log per benchmark",
}


def _to_file(form: str, run: SavedRun, out: Path, taken: Mapping[str, str]) -> None:
    from evalkit.exchange import every_eval_ever
    from evalkit.exchange.inspect_log import write_logs
    from evalkit.exchange.parquet import write_parquet
    from evalkit.store.baseline import write_baseline

    if form == "every-eval-ever":
        words = {name: taken[name] for name in ("organization", "relationship") if name in taken}
        done = every_eval_ever.write_logs(run, out, **words)
        for reason in done.left_out:
            print(f"left out: {reason}", file=sys.stderr)
        _say_parts(run)
        print(f"wrote {out}: {plural(len(done.files), 'log')}, below data/BENCHMARK/DEVELOPER/MODEL", file=sys.stderr)
        return
    _say_parts(run)
    if form == "baseline":
        size = write_baseline(run, out)
        told = f"{size / 1024:,.0f} KiB, {len(run.result.tasks)} tasks; give it wherever a run is"
    elif form == "inspect":
        told = f"{plural(len(write_logs(run, out)), 'log')}; inspect view --log-dir {out} shows them"
    else:
        told = f"{plural(write_parquet(run, out), 'row')}, one per document and metric"
    print(f"wrote {out}: {told}", file=sys.stderr)


def _say_parts(run: SavedRun) -> None:
    """What is less than its benchmark, or no benchmark, in words: a file for other tools may not show it."""
    for name, task in run.result.tasks.items():
        if task.sample_rows and task.n_docs:
            print(f"warning: {name}: measured on {SAMPLE_ROWS}", file=sys.stderr)
        elif 0 < task.n_docs < task.n_total:
            print(f"warning: {name}: a part of the benchmark, {task.n_docs:,} of {task.n_total:,} documents", file=sys.stderr)


def import_(words: list[str]) -> int:
    """`evalkit import results_*.json... [out=DIR]`: lm-evaluation-harness results as run directories."""
    from evalkit.exchange.lm_eval import import_run

    files, taken = paths("evalkit import", words, *words_of("import"))
    if not files:
        raise ConfigError("evalkit import needs results_*.json files of lm-evaluation-harness [out=DIR]")
    root = Path(taken.get("out", "results/runs"))
    for file in map(Path, files):
        run = import_run(file, root / f"imported-{file.parent.name}-{file.stem.removeprefix('results_')}")
        print(f"{run.path}  {run.model}: {', '.join(run.tasks)}")
    return 0
