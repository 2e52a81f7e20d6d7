"""From ratings to runs: one per model, so that leaderboard, paired tests, page and exports work on them as on any other."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit import stats
from evalkit.errors import DataError
from evalkit.files import to_jsonl, write_atomic
from evalkit.rating.agreement import alpha
from evalkit.rating.means import leanings
from evalkit.rating.ratings import Rating
from evalkit.rating.sheet import Sheet, SheetItem, signed
from evalkit.rating.summaries import Measure, measures, of_measure, summary
from evalkit.results import RunResult, TaskResult
from evalkit.store.run_folder import save_scores
from evalkit.store.samples import Sample
from evalkit.text import nfc

RATED = "ratings.jsonl"
SETTING = "into=DIR"


@dataclass(frozen=True, slots=True)
class Collected:
    """The runs that were written, by model, and what they were made of."""

    runs: Mapping[str, RunResult]
    ratings: tuple[Rating, ...]
    leaning: Mapping[str, float]


def collect(sheet: Sheet, ratings: Sequence[Rating], into: Path, *, overwrite: bool = False) -> Collected:
    """Write a run folder per model below `into`, each with its own ratings.

    Raises:
        DataError: nobody rated anything.
        ConfigError: a folder holds another run, and `overwrite` is not set.
        JournalError: a file cannot be written.
    """
    if not any(one.value is not None for one in ratings):
        raise DataError("nobody has given a rating yet, so there is nothing to collect")
    leaning = person_leanings(ratings)
    judges = list(dict.fromkeys(one.rater for one in ratings if one.judge))
    people = any(not one.judge and one.value is not None for one in ratings)
    ways = measures(leaning, judges, people)
    tasks = task_names(sheet)
    content = json.dumps([[one.rater, one.item, one.model, one.value, one.repeat] for one in ratings])
    identity = {"sheet": sheet.id, "ratings": hashlib.sha256(content.encode()).hexdigest()}
    runs = {}
    for model, name in enumerate(sheet.models):
        mine = [one for one in ratings if one.model == model]
        results = {task: _task(task, items, ways, mine, ratings, sheet, leaning) for task, items in tasks.items()}
        folder = into / (re.sub(r"[^\w.+-]+", "_", name)[:80] or "model")
        samples = [sample for task, items in tasks.items() for sample in _samples(task, items, model, ways, mine, sheet)]
        runs[name] = save_scores(folder, RunResult(name, results), samples, {**identity, "model": name}, overwrite=overwrite)
        write_atomic(folder / RATED, to_jsonl(rated_lines(mine, sheet, leaning)), SETTING)
    return Collected(runs, tuple(ratings), leaning)


def person_leanings(ratings: Sequence[Rating]) -> dict[str, float]:
    """How far each person is above the others on the same answers, in points."""
    mine = [one for one in ratings if one.value is not None and not one.repeat and not one.judge]
    found = leanings([float(one.value or 0) for one in mine], [(one.item, one.model) for one in mine], [one.rater for one in mine])
    return {str(rater): value for rater, value in found.items()}


def task_names(sheet: Sheet) -> dict[str, list[int]]:
    """A task per category, in the sheet's order, with its prompts."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(sheet.items):
        found["rating_" + (re.sub(r"[^\w]+", "_", nfc(item.category)).strip("_").lower() or "other")].append(place)
    return dict(found)


def rated_lines(ratings: Sequence[Rating], sheet: Sheet, leaning: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    """The lines of `ratings.jsonl`: a rating each, with all that a chart or a table groups by, in the order of the prompts."""
    for one in sorted(ratings, key=lambda one: one.item):
        item = sheet.items[one.item]
        yield {
            "sheet": sheet.id,
            "rater": one.rater,
            "doc": item.doc,
            "category": item.category,
            "language": item.language,
            "model": sheet.models[one.model],
            "value": one.value,
            **({"comment": one.comment} if one.comment else {}),
            **({"repeat": True} if one.repeat else {}),
            **({"calibration": True} if one.calibration else {}),
            **({"judge": True} if one.judge else {"leaning": round(leaning.get(one.rater, 0.0), 6)}),
            **({"seconds": one.seconds} if one.seconds else {}),
        }


def _task(
    task: str,
    items: Sequence[int],
    ways: Sequence[Measure],
    mine: Sequence[Rating],
    every: Sequence[Rating],
    sheet: Sheet,
    leaning: Mapping[str, float],
) -> TaskResult:
    wanted = set(items)
    here = [one for one in mine if one.item in wanted]
    people = [one for one in here if not one.judge and one.value is not None and not one.repeat]
    raters = sorted({one.rater for one in people})
    cannot = sum(one.value is None and not one.judge and not one.repeat for one in here)
    all_here = [one for one in every if one.item in wanted and not one.judge]
    who = f"{len(raters)} people, {len(people):,} ratings" if people else "no people: a language model's ratings alone"
    languages = list(dict.fromkeys(sheet.items[item].language for item in items))
    agreed = [f"Krippendorff's alpha (ordinal), all models: {alpha(all_here)}"]
    if len(languages) > 1:
        agreed += [f"{code} {alpha([one for one in all_here if sheet.items[one.item].language == code]).shown}" for code in languages]
    notes = [
        f"{task}: blind ratings from 1 to 5 as 0 to 1 (0.5 is 3); mean_rating is the mean on the scale of 1 to 5, mean_rating_level the "
        "same with every rater's leaning taken out",
        f"{task}: intervals for other prompts and other raters (two-way clustered, Cameron, Gelbach and Miller 2011)",
        f"{task}: means over several tasks, and tests between models, are for other prompts and other raters too",
        f"{task}: agreement: {', '.join(agreed)}",
    ]
    notes += [f"{task}: {cannot:,} times a rater could not judge; these do not count"] if cannot else []
    return TaskResult(
        task=task,
        headline=ways[0].name,
        num_fewshot=0,
        version=1,
        summaries={way.name: summary(way, here, sheet, items) for way in ways},
        n_docs=len(items),
        n_total=len(items),
        source=f"rated by {who} (sheet {sheet.id})",
        rows_sha256=sheet.rows_sha256,
        notes=tuple(notes),
    )


def _samples(
    task: str, items: Sequence[int], model: int, ways: Sequence[Measure], mine: Sequence[Rating], sheet: Sheet
) -> Iterator[Sample]:
    by_item: defaultdict[int, list[Rating]] = defaultdict(list)
    for one in mine:
        by_item[one.item].append(one)
    names = doc_names(sheet)
    labels = {rater.id: rater_label(sheet, rater.id) for rater in sheet.raters}
    for place in items:
        item = sheet.items[place]
        scores = {way.name: _verdict(way, by_item[place], labels) for way in ways}
        asked = {"prompt": [{"role": turn.role, "content": turn.content} for turn in item.turns]}
        answer = item.answers[model]
        given = [{"status": "ok" if answer.strip() else "empty", "text": answer}]
        yield Sample(task, names[place], place, asked, item.reference, given, scores, language=item.language, group=item.category)


def doc_names(sheet: Sheet) -> list[str]:
    """A name per prompt: its document, with the task in front where two tasks are in the sheet."""
    several = len({item.task for item in sheet.items}) > 1
    return [_name(item, several) for item in sheet.items]


def _name(item: SheetItem, several: bool) -> str:
    return f"{item.task}/{item.doc}" if several else item.doc


def rater_label(sheet: Sheet, rater: str) -> str:
    """What a rater is called in samples: the same in all runs of the sheet, and without the key nobody's name."""
    return signed(sheet.secret, "rater of samples", rater, digits=8)


def _verdict(way: Measure, ratings: Sequence[Rating], labels: Mapping[str, str]) -> dict[str, Any]:
    counted = of_measure(way, ratings)
    said = ", ".join(str(one.value) for one in counted)
    comments = "; ".join(one.comment for one in counted if one.comment)
    value = stats.mean([way.value(one) for one in counted]) if counted else None
    # A judge is one way of measuring and no sample of people, so its label would say nothing.
    raters = {labels[one.rater]: round(way.value(one), 9) for one in counted if not one.judge}
    shown = f"{said} ({comments})" if comments else said or None
    return {"value": value, "prediction": shown, "flags": [], **({"raters": raters} if raters else {})}
