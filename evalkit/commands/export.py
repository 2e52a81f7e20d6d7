"""`evalkit export` and `evalkit import`: scores in the forms other tools write and read."""

from __future__ import annotations

import sys
from pathlib import Path

from evalkit.commands.usage import words_of
from evalkit.commands.words import paths
from evalkit.errors import ConfigError, did_you_mean

FORMS = ("model-index", "eval-results", "lm-eval", "baseline")


def export(words: list[str]) -> int:
    """`evalkit export RUN to=model-index|eval-results|lm-eval|baseline [out=FILE]`: printed, or written to a file."""
    from evalkit.exchange.lm_eval import to_results
    from evalkit.exchange.model_card import Exported, eval_results, model_index
    from evalkit.files import write_atomic
    from evalkit.store import load_run
    from evalkit.store.baseline import write_baseline

    folders, taken = paths("evalkit export", words, *words_of("export"))
    form = taken.get("to", "")
    if len(folders) != 1 or form not in FORMS:
        wrong = f"to={form} is unknown{did_you_mean(form, FORMS)}; " if form and form not in FORMS else ""
        wrong = wrong or ("" if form else "to= says in which form; ")
        raise ConfigError(f"{wrong}evalkit export RUN to={'|'.join(FORMS)} [out=FILE]")
    run = load_run(Path(folders[0]))
    if form == "baseline":
        if "out" not in taken:
            raise ConfigError("a baseline is no text to print; give out=FILE, as out=main.baseline")
        size = write_baseline(run, Path(taken["out"]))
        print(f"wrote {taken['out']}: {size / 1024:,.0f} KiB, {len(run.result.tasks)} tasks; give it wherever a run is", file=sys.stderr)
        return 0
    made = model_index(run) if form == "model-index" else eval_results(run) if form == "eval-results" else Exported(to_results(run), ())
    text = made.text
    for reason in made.left_out:
        print(f"left out: {reason}", file=sys.stderr)
    if "out" in taken:
        write_atomic(Path(taken["out"]), text, "out=FILE")
        print(f"wrote {taken['out']}", file=sys.stderr)
    else:
        print(text, end="")
    return 0


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
