"""How long does it take to draw a report again? 10 models on 30 benchmarks of 2,000 samples each, invented here.

    python benchmarks/report.py [--models 10] [--tasks 30] [--samples 2000] [--browser] [--markdown docs/performance.md]

A third of the benchmarks is ranked (four log-likelihoods), a third has graded scores in clusters, a third is a corpus score
through sufficient statistics in two languages. Prompts are some 600 letters long, the same for every model; answers are not.
Prints seconds of one core per stage of `evalkit report`, what the page weighs, and peak memory; with --browser, how long Chromium takes
to open the page, to search every sample on it, and to open one.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from evalkit import numbers
from evalkit.cards import find_card
from evalkit.metrics.base import mean_summary
from evalkit.report import build, write_report
from evalkit.report.page import Picture, write_page
from evalkit.report.plots import draw_all
from evalkit.results import RunResult, TaskResult
from evalkit.stats import Corpora
from evalkit.store import load_run
from evalkit.store.scores import to_json
from evalkit.types import SampleScore, Summary

T = TypeVar("T")
STAGES = ("samples read", "tables and ranks", "texts", "pictures", "page")
BROWSER = ("opened", "searched", "a sample opened")
HEAD = (
    *("report", "samples read", "tables and ranks", "pictures", "page written", "all of it"),
    *("the page", "peak memory", "opened / searched"),
)


def sentences() -> list[str]:
    """Sentences of invented words, as often as words are in a language: what compresses as prose does."""
    rng = random.Random(0)
    parts = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    words = ["".join(rng.choices(parts, k=rng.choice((1, 2, 2, 3)))) for _ in range(4000)]
    often = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    return [" ".join(rng.choices(words, cum_weights=often, k=16)).capitalize() + "." for _ in range(5000)]


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


def lines(task: str, scores: list[SampleScore], asked: list[str], said: list[str], rng: np.random.Generator) -> Iterator[str]:
    """Lines of `samples.jsonl`; ranked where the scores are right or wrong and nothing else is said of them."""
    ranked = not scores[0].cluster and not scores[0].stats
    for i, s in enumerate(scores):
        labels = {k: v for k, v in (("language", s.language), ("cluster", s.cluster)) if v}
        verdict: dict[str, Any] = {"value": s.value, "prediction": 1, "flags": [], **({"stats": s.stats} if s.stats else {})}
        tokens = {"context_tokens": 100 + len(asked[i]) // 6, "output_tokens": 20}
        answer: dict[str, Any] = {"status": "ok", **tokens}
        head = {"task": task, "doc": s.doc_id, "row": i, **labels}
        if ranked:
            lls = np.sort(rng.normal(-60, 8, 4))[:: -1 if s.value else 1].tolist()
            answer |= {"loglikelihoods": lls, "greedy": [False] * 4}
            head |= {"pairs": [[asked[i], f" {choice}"] for choice in ("the first", "the second", "the third", "the fourth")], "target": 0}
        else:
            answer["text"] = verdict["prediction"] = said[i]
            head |= {"prompt": asked[i], "target": 1}
        yield json.dumps({**head, "responses": [answer], "scores": {"acc": verdict}}) + "\n"


def write_run(folder: Path, model: int, tasks: list[str], n: int, prose: list[str]) -> None:
    folder.mkdir()
    results = {}
    with (folder / "samples.jsonl").open("w") as file:
        for t, task in enumerate(tasks):
            rng = np.random.default_rng([model, t])
            scores, corpus = scores_of(t % 3, n, 0.4 + 0.02 * model, rng)
            summary = summary_of(scores, corpus)
            results[task] = TaskResult(task, "acc", 0, 1, {"acc": summary}, n, n, rows_sha256="0" * 64)
            questions, answers = random.Random(t), random.Random(f"{model} {t}")
            asked = [" ".join(questions.choices(prose, k=6)) for _ in range(n)]
            file.writelines(lines(task, scores, asked, answers.choices(prose, k=n), rng))
    (folder / "scores.json").write_text(to_json(RunResult(f"model-{model:02d}", results)))


def timed(name: str, seconds: dict[str, float], work: Callable[[], T], clock: Callable[[], float] = time.process_time) -> T:
    """The work's result; its seconds on the processor (a report is drawn by one thread), or on another clock."""
    start = clock()
    result = work()
    seconds[name] = clock() - start
    print(f"{name:<44}{seconds[name]:8.2f} s", flush=True)
    return result


def in_browser(page: Path, word: str, seconds: dict[str, float]) -> None:
    """Chromium, headless: until the list of samples is there, until every sample was searched, until one is open."""
    from selenium import webdriver
    from selenium.webdriver.support.ui import WebDriverWait

    options = webdriver.ChromeOptions()
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1400,1000"):
        options.add_argument(f"--{flag}")
    driver = shutil.which("chromedriver") or "chromedriver"
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    set_text = "const t = document.getElementById('f-text'); t.value = arguments[0]; t.dispatchEvent(new Event('input'))"
    steps = {
        BROWSER[0]: (lambda: browser.get(page.as_uri()), "return document.querySelectorAll('#rows .row').length > 0"),
        BROWSER[1]: (lambda: browser.execute_script(set_text, word), "return document.getElementById('count').textContent === '0 samples'"),
        BROWSER[2]: (
            lambda: browser.execute_script("document.querySelector('#rows .row').click()"),
            "return document.querySelectorAll('#sample pre').length > 0",
        ),
    }
    try:
        for name, (do, done) in steps.items():
            if name == BROWSER[2]:
                browser.execute_script(set_text, "")
                WebDriverWait(browser, 60, 0.01).until(
                    lambda b: b.execute_script("return document.querySelectorAll('#rows .row').length > 0")
                )
            timed(
                name,
                seconds,
                lambda do=do, done=done: (do(), WebDriverWait(browser, 60, 0.01).until(lambda b: b.execute_script(done))),
                time.perf_counter,
            )
    finally:
        browser.quit()


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("models", 10), ("tasks", 30), ("samples", 2000)):
        words.add_argument(f"--{name}", type=int, default=default)
    words.add_argument("--browser", action="store_true", help="open the page in Chromium (needs selenium and chromedriver)")
    words.add_argument("--markdown", type=Path, help="a page with this table's markers, to write the row into")
    asked = words.parse_args()
    card = [find_card("krutrim2")]
    known = [row.task for table in card[0].tables for row in table.rows]
    tasks = [*known, *(f"task_{i}" for i in range(asked.tasks))][: asked.tasks]
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        prose = sentences()
        folders = [Path(name) / f"run{m}" for m in range(asked.models)]
        for m, folder in enumerate(folders):
            write_run(folder, m, tasks, asked.samples, prose)
        size = sum((folder / "samples.jsonl").stat().st_size for folder in folders)
        title = f"{numbers.plural(asked.models, 'model')} × {asked.tasks} benchmarks × {asked.samples:,} samples"
        print(f"{title}, {size / 2**20:,.0f} MiB of samples; {platform.machine()}")
        start = time.process_time()
        runs = [load_run(folder) for folder in folders]
        timed(STAGES[0], seconds, lambda: [run.columns for run in runs])
        results = [run.result for run in runs]
        report = timed(STAGES[1], seconds, lambda: build(results, card, runs))
        timed(STAGES[2], seconds, lambda: write_report(report, results, card, Path(name) / "out"))
        plots = timed(STAGES[3], seconds, lambda: draw_all(runs, card))
        pictures = [Picture(plot.title, plot.svg, plot.about) for plot in plots]
        page = Path(name) / "report.html"
        written = timed(STAGES[4], seconds, lambda: write_page(report, runs, page, pictures))
        total = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(f"{'all of it':<44}{total:8.2f} s; {len(plots)} pictures, {sum(len(p.svg) for p in plots) / 1e6:.1f} MB of SVG")
        print(f"page {written.bytes / 1e6:.1f} MB, {written.samples:,} samples, {written.left_out:,} left out; peak memory {peak:,.0f} MB")
        if asked.browser:
            in_browser(page, "no such words anywhere", seconds)
    if asked.markdown:
        import engine_page

        held = f"{written.bytes / 1e6:.1f} MB, {written.samples:,} samples"
        stages = [f"{seconds[stage]:.1f} s" for stage in STAGES if stage != "texts"]
        seen = " / ".join(f"{seconds[step]:.1f} s" for step in BROWSER[:2]) if asked.browser else "–"
        line = (title, *stages, f"{total:.1f} s", held, f"{peak:,.0f} MB", seen)
        engine_page.update(asked.markdown, "report", "report", HEAD, [line], keep=1)


if __name__ == "__main__":
    main()
