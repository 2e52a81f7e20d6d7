"""Answers of several runs, side by side: one item per document that every run answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.data.select import limit_docs
from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.rating.prompt_set import TASK, chosen
from evalkit.store import SavedRun
from evalkit.store.layout import PLAN
from evalkit.store.plan import read_plan
from evalkit.types import Doc, Message


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt with an answer of every model.

    Attributes:
        task, doc: where it comes from; together unique.
        turns: what a rater is shown of the prompt.
        answers: one per model, in the order of the runs.
        reference: a right answer, where the task has one as text; raters do not see it.
    """

    task: str
    doc: str
    language: str
    category: str
    turns: tuple[Message, ...]
    answers: tuple[str, ...]
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """Items, the models' names in order, and what was left out, in words."""

    models: tuple[str, ...]
    items: tuple[Item, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Answered:
    """One document of one run."""

    turns: tuple[Message, ...]
    asked: str
    answer: str | None
    language: str | None
    group: str | None
    target: Any


def gather(
    runs: Sequence[SavedRun],
    tasks: Sequence[str] = (),
    languages: Sequence[str] = (),
    limit: int | None = None,
    categories: Sequence[str] = (),
) -> Gathered:
    """Put the runs' answers side by side.

    Args:
        tasks: these alone; empty for every task that all runs have and that writes text.
        languages, categories: prompts of these alone; empty for all.
        limit: prompts, spread evenly over languages and categories; None for all.

    Raises:
        ConfigError: fewer than two runs, a task, language or category that is not there, or a task that ranks choices.
        DataError: two runs asked a document in different words, or no document has an answer of every run.
    """
    if len(runs) < 2:
        raise ConfigError("a comparison needs two models at least; give two runs, or model=A,B")
    shared = [name for name in runs[0].result.tasks if all(name in run.result.tasks for run in runs)]
    for name in tasks:
        if name not in shared:
            raise ConfigError(f"not every run has the task {name!r}{did_you_mean(name, shared)}; they share: {', '.join(shared) or 'none'}")
    if not shared:
        raise ConfigError("the runs share no task, so there are no answers to set side by side")
    items: list[Item] = []
    left_out: list[str] = []
    for task in tasks or shared:
        found, missing = _of_task(task, runs, bool(tasks))
        items += found
        left_out += missing
    if not items:
        more = f" ({left_out[0]})" if left_out else ""
        raise DataError(f"no prompt has an answer of every run{more}; give runs of one generating task, finished")
    of = "the runs have"
    codes = chosen("languages", languages, list(dict.fromkeys(item.language for item in items)), of)
    kinds = chosen("categories", categories, list(dict.fromkeys(item.category for item in items)), of)
    mine = [item for item in items if item.language in codes and item.category in kinds]
    if not mine:
        raise ConfigError(f"{of} no prompt of categories={','.join(kinds)} in languages={','.join(codes)}; leave one of the two words out")
    return Gathered(model_names(runs), tuple(_spread(mine, limit)), tuple(left_out))


def model_names(runs: Sequence[SavedRun]) -> tuple[str, ...]:
    """The models as reports call them; with the folder where one model has several runs."""
    models = [run.result.model for run in runs]
    named = [f"{model} ({run.path.name})" if models.count(model) > 1 else model for model, run in zip(models, runs, strict=True)]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise ConfigError(f"the run {twice} was given twice; give every run once")
    return tuple(named)


def _of_task(task: str, runs: Sequence[SavedRun], asked_for: bool) -> tuple[list[Item], list[str]]:
    read = [_read(task, run) for run in runs]
    if any(one is None for one in read):
        if asked_for:
            raise ConfigError(f"task {task} ranks choices by log-likelihood, so there is no text to rate; choose one that generates")
        return [], [f"{task} ranks choices: no text to rate"]
    tables = [one for one in read if one is not None]
    items, missing = [], 0
    for doc in tables[0]:
        mine = [table.get(doc) for table in tables]
        if any(one is None or one.answer is None for one in mine):
            missing += 1
            continue
        whole = [one for one in mine if one is not None]
        items.append(_item(task, doc, whole, runs))
    said = [f"{missing:,} prompts of {task} that not every run answered"] if missing else []
    return items, said


def _item(task: str, doc: str, answered: Sequence[_Answered], runs: Sequence[SavedRun]) -> Item:
    first = answered[0]
    for other, run in zip(answered[1:], runs[1:], strict=True):
        if other.asked != first.asked:
            raise DataError(
                f"{task}: {doc} was asked in other words in {run.path} than in {runs[0].path}; people can only compare answers to one "
                "question: run the models on the same prompts (evalkit rate make model=A,B)"
            )
    category = first.group if task == TASK and first.group else task
    reference = first.target if isinstance(first.target, str) else None
    answers = tuple(one.answer or "" for one in answered)
    return Item(task, doc, first.language or "en", category, first.turns, answers, reference)


def _read(task: str, run: SavedRun) -> dict[str, _Answered] | None:
    """Document -> what was asked and answered; None for a task without text."""
    docs = {doc.id: doc for doc in read_plan(run.path).evidence[task].docs} if (run.path / PLAN).is_file() else {}
    found: dict[str, _Answered] = {}
    for sample in run.samples(task):
        if "prompt" not in sample:
            return None
        turns = _turns(sample, docs.get(sample["doc"]))
        asked = "".join("".join(turn.content for turn in turns).split())
        given = [one for one in sample.get("responses") or [] if one.get("status") != "error" and isinstance(one.get("text"), str)]
        answer = given[0]["text"] if given else None
        found[sample["doc"]] = _Answered(turns, asked, answer, sample.get("language"), sample.get("group"), sample.get("target"))
    return found


def _turns(sample: Mapping[str, Any], doc: Doc | None) -> tuple[Message, ...]:
    """The conversation itself where the document has one: a model without a chat template was asked it as plain text."""
    held = doc.fields.get("messages") if doc else None
    given = held if isinstance(held, (list, tuple)) and held else sample["prompt"]
    if isinstance(given, str):
        return (Message("user", given),)
    return tuple(Message(turn["role"], turn["content"]) for turn in given)


def _spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """At most `limit` items, spread over languages and categories as a limited run's documents are."""
    places = limit_docs([Doc(str(i), {}, language=item.language, group=item.category) for i, item in enumerate(items)], limit)
    return [items[int(doc.id)] for doc in places]
