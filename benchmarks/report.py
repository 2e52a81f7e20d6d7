"""How long does it take to draw a report again? 10 models on 30 benchmarks of 2,000 samples each, invented here.

    python benchmarks/report.py [--models 10] [--tasks 30] [--samples 2000]

A third of the benchmarks is ranked (right or wrong), a third has graded scores in clusters, a third is a corpus score
through sufficient statistics in two languages; prompts are 600 characters long. Prints seconds per stage and peak memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from evalkit.metrics.base import mean_summary
from evalkit.report import build, load_card, markdown, write_report
from evalkit.results import RunResult, TaskResult, to_json
from evalkit.saved import load_run
from evalkit.stats import Corpora
from evalkit.types import SampleScore, Summary

PROMPT = "Question: which of these four endings goes on? " * 13
T = TypeVar("T")


def scores_of(kind: int, n: int, skill: float, rng: np.random.Generator) -> tuple[list[SampleScore], str]:
    """(samples, name of the corpus score) of one benchmark."""
    if kind == 0:
        return [SampleScore(f"test/{i}", float(right)) for i, right in enumerate(rng.random(n) < skill)], ""
    if kind == 1:
        graded = rng.beta(4 * skill, 4 * (1 - skill), n)
        return [SampleScore(f"test/{i}", float(v), cluster=f"p{i // 4}") for i, v in enumerate(graded)], ""
    size = rng.integers(20, 200, n)
    table = np.repeat(np.stack([size, size, rng.binomial(size, skill)], axis=1), 8, axis=0).reshape(n, 24).astype(float)
    language = ["hi", "ta"]
    return [SampleScore(f"test/{i}", skill, stats=tuple(row), language=language[i % 2]) for i, row in enumerate(table.tolist())], "chrf"


def summary_of(scores: list[SampleScore], corpus: str) -> Summary:
    if not corpus:
        return mean_summary("acc", scores, ["invented"])
    found = Corpora.of(np.array([s.stats for s in scores]), corpus, strata=[s.language for s in scores])
    return Summary("acc", found.value, 0.01, (found.value - 0.02, found.value + 0.02), len(scores), corpus=corpus, signature="invented")


def lines(task: str, scores: list[SampleScore]) -> Iterator[str]:
    for i, s in enumerate(scores):
        labels = {k: v for k, v in (("language", s.language), ("cluster", s.cluster)) if v}
        verdict: dict[str, Any] = {"value": s.value, "prediction": 1, "flags": [], **({"stats": s.stats} if s.stats else {})}
        head = {"task": task, "doc": s.doc_id, "row": i, **labels, "prompt": f"{i} {PROMPT}", "target": 1}
        answer = [{"status": "ok", "text": "an answer of some words " * 3, "context_tokens": 150, "output_tokens": 20}]
        yield json.dumps({**head, "responses": answer, "scores": {"acc": verdict}}) + "\n"


def write_run(folder: Path, model: int, tasks: list[str], n: int) -> None:
    folder.mkdir()
    results = {}
    with (folder / "samples.jsonl").open("w") as file:
        for t, task in enumerate(tasks):
            scores, corpus = scores_of(t % 3, n, 0.4 + 0.02 * model, np.random.default_rng([model, t]))
            summary = summary_of(scores, corpus)
            results[task] = TaskResult(task, "acc", 0, 1, {"acc": summary}, n, n, rows_sha256="0" * 64)
            file.writelines(lines(task, scores))
    (folder / "scores.json").write_text(to_json(RunResult(f"model-{model:02d}", results)))


def timed(name: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    print(f"{name:<44}{time.perf_counter() - start:8.2f} s", flush=True)
    return result


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("models", 10), ("tasks", 30), ("samples", 2000)):
        words.add_argument(f"--{name}", type=int, default=default)
    asked = words.parse_args()
    card = load_card()
    known = [row.task for table in card.tables for row in table.rows]
    tasks = [*known, *(f"task_{i}" for i in range(asked.tasks))][: asked.tasks]
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / f"run{m}" for m in range(asked.models)]
        for m, folder in enumerate(folders):
            write_run(folder, m, tasks, asked.samples)
        size = sum((folder / "samples.jsonl").stat().st_size for folder in folders)
        print(f"{asked.models} models x {asked.tasks} benchmarks x {asked.samples:,} samples, {size / 2**20:,.0f} MiB of samples")
        start = time.perf_counter()
        runs = timed("load scores", lambda: [load_run(folder) for folder in folders])
        timed("read the numbers of every sample", lambda: [run.columns for run in runs])
        results = [run.result for run in runs]
        report = timed("comparison, ranks by paired tests, averages", lambda: build(results, card, runs))
        timed("write Markdown, CSV, LaTeX", lambda: write_report(report, results, card, Path(name) / "out"))
        print(f"{'all of it':<44}{time.perf_counter() - start:8.2f} s; report.md {len(markdown(report)):,} characters")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
