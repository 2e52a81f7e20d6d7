"""`evalkit run`: words to jobs; a job is measured and reported."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError
from evalkit.results import RunResult

if TYPE_CHECKING:
    from evalkit.cards import Card
    from evalkit.report import Report


PAGE_SAMPLES = 5_000  # a page of so many takes a third of a second
PAGE_S, PAGE_SHARE = 7e-5, 0.02  # seconds per sample on a page (docs/performance.md), and the share of a run's time that it may take


def run(words: list[str]) -> int:
    """`evalkit run task=… model=…`, with Hydra's sweeps, launchers and flags."""
    from evalkit.commands.lm_eval_words import evalkit_form, is_harness
    from evalkit.config import compose

    if is_harness(words):
        raise ConfigError(evalkit_form(words))
    return compose.run(words, job)


def job(config: dict[str, Any]) -> tuple[float, Path]:
    """Measure one configuration, print its tables and write them next to the scores.

    Returns:
        The value a sweeper optimises (see `headline`), and the run's folder.
    """
    from evalkit.config.cards import cards_of
    from evalkit.config.setup import build
    from evalkit.integrations.trackers import checked
    from evalkit.progress import Silent, default_progress
    from evalkit.report.formats import tables
    from evalkit.run import measure
    from evalkit.run.forecast import speed_of
    from evalkit.run.prepare import run_identity

    setup = build(config)
    trackers = checked(setup.settings.trackers)
    cards, _ = cards_of([setup.config])
    settings, model, chosen = setup.settings, setup.model(), list(setup.tasks.values())
    folder = setup.folder(run_identity(model, chosen, setup.source, settings.limit, settings.chat))
    result = measure.run(
        model,
        chosen,
        setup.source,
        limit=settings.limit,
        chat=settings.chat,
        folder=folder,
        config=setup.config,
        overwrite=settings.overwrite,
        missing=settings.missing,
        progress=Silent() if settings.progress == "none" else default_progress(*speed_of(settings.results_dir, model)),
    )
    made = tables([result], cards, folder, detail=settings.detail)
    if trackers:
        _track(trackers, result, made, cards, folder)
    else:
        _page(settings.page, result, made, cards, folder)
    return headline(result, list(setup.tasks)), folder


def _page(wanted: bool | str, result: RunResult, made: Report, cards: Sequence[Card], folder: Path) -> None:
    """Write the page without pictures, which `evalkit report` adds, or say how to get it."""
    from evalkit.commands.report import draw_page
    from evalkit.store import load_run

    samples = sum(task.n_docs for task in result.tasks.values())
    spent = sum((result.manifest.get("durations_s") or {}).values())
    if wanted is True or (wanted == "auto" and samples <= max(PAGE_SAMPLES, PAGE_SHARE * spent / PAGE_S)):
        draw_page(made, cards, [load_run(folder)], folder, pictures=False)
    elif wanted == "auto":
        print(f"the page of all {samples:,} samples, with pictures: evalkit report {folder}", file=sys.stderr)


def _track(trackers: Sequence[str], result: RunResult, made: Report, cards: Sequence[Card], folder: Path) -> None:
    """Tell the trackers, with the page of all samples among the files."""
    from evalkit.commands.report import draw_page
    from evalkit.integrations.trackers import send, tracked
    from evalkit.report.markdown import markdown
    from evalkit.store import load_run

    draw_page(made, cards, [load_run(folder)], folder)
    for line in send(trackers, tracked(result, markdown(made), folder)):
        print(f"warning: {line}", file=sys.stderr)


def headline(run: RunResult, tasks: Sequence[str]) -> float:
    """The job's value: the unweighted mean of the tasks' headline scores, higher is better; NaN where one has no score.

    A metric of which less is better counts with its sign turned.
    """
    scores = [run.tasks[task].score for task in tasks]
    if not scores or any(score.value is None for score in scores):
        return math.nan
    return math.fsum((score.value or 0.0) * (1 if score.higher_is_better else -1) for score in scores) / len(scores)
