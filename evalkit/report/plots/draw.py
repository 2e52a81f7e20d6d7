"""Every picture a report has, from saved runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from evalkit.report.plots.figure import Plot
from evalkit.report.plots.heatmap import by_language, languages_of
from evalkit.report.plots.samples import by_length, calibration, confidence
from evalkit.report.plots.scores import bars, intervals
from evalkit.report.published import Card
from evalkit.report.rows import names, sections
from evalkit.saved import SavedRun

Curves = dict[str, list[tuple[float, float]]]


def draw_all(runs: Sequence[SavedRun], card: Card) -> list[Plot]:
    """Intervals and bars for every table of the card that has a measured row, languages; calibration and prompt length for every run."""
    return list(_draw(runs, card))


def _draw(runs: Sequence[SavedRun], card: Card) -> Iterator[Plot]:
    results = [run.result for run in runs]
    titles = names(results)
    own = [run.card_columns for run in runs]
    for place, section in enumerate(sections(results, card), 1):
        yield intervals(section, titles, own, f"intervals-{place}")
        if len(runs) > 1:
            scores = [[result.score if (result := entry.results[i]) else None for entry in section.entries] for i in range(len(runs))]
            yield bars(section.title, [entry.label for entry in section.entries], titles, scores, f"bars-{place}")
        for entry in section.entries:
            if languages_of(entry):
                yield by_language(entry, titles, f"languages-{entry.first.task}")
    for place, (title, run) in enumerate(zip(titles, runs, strict=True), 1):
        confident, long = curves(run)
        for plot in (
            calibration(confident, f"{title}: calibration", f"calibration-{place}"),
            by_length(long, f"{title}: prompt length", f"length-{place}"),
        ):
            if plot:
                yield plot


def curves(run: SavedRun) -> tuple[Curves, Curves]:
    """Per task, (confidence, right) of its multiple-choice samples and (prompt tokens, score) of all measured ones."""
    confident: Curves = {}
    long: Curves = {}
    for sample in run.samples():
        task = str(sample["task"])
        headline = run.result.tasks[task].headline if task in run.result.tasks else ""
        score = sample["scores"].get(headline) or {}
        value, given = score.get("value"), sample.get("responses") or []
        if value is None or not given or not 0.0 <= value <= 1.0:
            continue
        long.setdefault(task, []).append((float(given[0].get("context_tokens", 0)), value))
        if values := _choices(sample, given[0]):
            right = float(values.index(max(values)) == sample["target"])
            confident.setdefault(task, []).append((confidence(values), right))
    return confident, long


def _choices(sample: Mapping[str, object], response: Mapping[str, object]) -> list[float]:
    """Log-likelihoods of a sample with one right choice of several; empty for any other."""
    values = response.get("loglikelihoods")
    return values if isinstance(values, list) and len(values) > 1 and isinstance(sample["target"], int) else []
