"""A run on disk: `run_folder` writes one, `saved_run` reads it back, lazily and fast.

    from evalkit.store import load_run

    run = load_run(Path("results/runs/mine"))     # scores.json and manifest.json; a damaged folder is one DataError
    run.result                                    # RunResult: scores, counts, coverage, notes; run.result.manifest is filled

    for sample in run.samples("mmlu"):            # whole lines of samples.jsonl as dicts, read as they are asked for
        sample["prompt" if "prompt" in sample else "pairs"], sample["responses"], sample["scores"], sample["target"]

    columns = run.columns["mmlu"]                 # the numbers alone, as arrays; read once, some seconds for 600,000 samples
    columns.docs, columns.languages, columns.groups, columns.clusters      # one entry a document, in file order
    columns.metrics["acc"].values                 # float64, NaN = not measured (never 0)
    columns.metrics["acc"].invalid                # bool: nothing could be extracted
    columns.metrics["chrf_pp"].stats              # (n, k) sufficient statistics of a corpus metric, else None
    columns.metrics["rating"].ratings             # who rated what, where values are means over people, else None
    columns.tokens, columns.confidence                # of the prompt; of the likeliest choice, NaN where nothing was chosen
    run.sample_at(columns.offsets[17])            # the whole line of one document, by its place in the file

A run that is still measuring has no scores.json: `load_run` raises `Unfinished`, and whoever can build
tasks (the command line) hands over scores of what has been answered: `load_run(folder, rescore=...)`;
such a run has no samples to read yet (`has_samples` is False).

Runs of one model on different tasks are read as one: `merge(runs).runs`.
"""

from evalkit.store.columns import MetricColumn, Ratings, TaskColumns
from evalkit.store.merge import Merged, MergedRun, merge
from evalkit.store.saved_run import SavedRun, Unfinished, load_run

__all__ = ["Merged", "MergedRun", "MetricColumn", "Ratings", "SavedRun", "TaskColumns", "Unfinished", "load_run", "merge"]
