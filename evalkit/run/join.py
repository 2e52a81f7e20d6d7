"""Parts of one run joined: answers are filed by content, so what agrees is one answer, and what differs is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, DataError
from evalkit.files import read_object
from evalkit.identity import differences
from evalkit.results import RunResult
from evalkit.run.rescore import scores_by_document
from evalkit.run.score import score_task
from evalkit.store.journal import read as read_journal
from evalkit.store.layout import CONFIG, IDENTITY, JOURNAL, MANIFEST, REBUILD, SAMPLES
from evalkit.store.plan import Plan, read_plan
from evalkit.store.run_folder import RunFolder
from evalkit.store.samples import Sample, response_json
from evalkit.task import Task
from evalkit.types import Evidence, Response


@dataclass(frozen=True)
class Joined:
    """What the parts are together.

    Attributes:
        identity, config: of the whole run; no part's `shard` is left in it.
    """

    folders: tuple[Path, ...]
    identity: Mapping[str, Any]
    config: Mapping[str, Any]
    plan: Plan
    answers: Mapping[str, Response]


def read_parts(folders: Sequence[Path]) -> Joined:
    """Read run directories that are parts of one run.

    Raises:
        ConfigError: a folder is no run directory; two are not of one model, one kind of rows or one form of a task; or two
            of them hold different answers to the same request.
    """
    first = _whole(folders[0])
    evidence: dict[str, Evidence] = {}
    keys: dict[str, Mapping[str, Sequence[str]]] = {}
    configs: dict[str, Any] = {}
    identities: dict[str, Any] = {}
    answers: dict[str, Response] = {}
    held_by: dict[str, Path] = {}
    for folder in folders:
        identity, plan = _whole(folder), read_plan(folder)
        _check_alike(folders[0], {**first, "tasks": {**first.get("tasks", {}), **identities}}, folder, identity)
        for task in plan.evidence:
            if keys.setdefault(task, plan.keys[task]) != plan.keys[task]:
                raise ConfigError(f"{folder} asks task {task} other documents, or in other words; it is no part of the same run")
            evidence.setdefault(task, plan.evidence[task])
        _add(answers, held_by, folder, plan)
        configs = {**(_config(folder).get("tasks") or {}), **configs}
        identities = {**identity.get("tasks", {}), **identities}
    config = {**_config(folders[0]), "tasks": {name: configs[name] for name in evidence if name in configs}}
    return Joined(tuple(folders), {**first, "tasks": identities}, config, Plan(evidence, keys), answers)


def _add(answers: dict[str, Response], held_by: dict[str, Path], folder: Path, plan: Plan) -> None:
    where = {key: f"{task}/{doc}" for task, by_doc in plan.keys.items() for doc, keys in by_doc.items() for key in keys}
    for key, response in read_journal(folder / JOURNAL)[0].items():
        if answers.setdefault(key, response) != response:
            what = f"{held_by[key]} and {folder} hold two different answers to {where.get(key, 'a request')} (key {key})"
            raise ConfigError(f"{what}; leave out the folder that is wrong")
        held_by.setdefault(key, folder)


def join(joined: Joined, into: Path, tasks: Sequence[Task], model: str, *, overwrite: bool = False) -> RunResult:
    """Write the whole run and score it.

    Args:
        tasks: the objects of the joined configuration, in its order.
        overwrite: take a folder that holds another run.

    Raises:
        ConfigError: `into` holds another run, or no part has the prompts of a task.
        JournalError: it is in use, or cannot be written.
    """
    plan, answers = joined.plan, joined.answers
    with RunFolder.open(into, joined.identity, overwrite=overwrite) as kept:
        kept.begin(plan, joined.config)
        kept.append(answers[key] for key in plan.order if key in answers)
        scored = {task.name: score_task(task, plan.evidence[task.name], plan.answers(task.name, answers)) for task in tasks}
        verdicts = {name: scores_by_document(scores) for name, (_, scores) in scored.items()}
        samples = (_renewed(sample, plan, answers, verdicts) for name in plan.evidence for sample in _samples(joined.folders, name))
        about = {**read_object(joined.folders[0] / MANIFEST, REBUILD), "joined_from": [str(folder) for folder in joined.folders]}
        return kept.finish(model, {name: result for name, (result, _) in scored.items()}, samples, about, fresh=True)


def _whole(folder: Path) -> dict[str, Any]:
    """A folder's identity without which part of a run it is."""
    held = dict(read_object(folder / IDENTITY, REBUILD))
    if not held:
        raise ConfigError(f"{folder} does not say what it is a run of (no {IDENTITY}); run its command again with this version")
    model = held.get("model")
    return {**held, "model": {name: value for name, value in model.items() if name != "shard"}} if isinstance(model, Mapping) else held


def _config(folder: Path) -> dict[str, Any]:
    return {**read_object(folder / CONFIG, REBUILD), "shard": None}


def _check_alike(first: Path, one: Mapping[str, Any], folder: Path, other: Mapping[str, Any]) -> None:
    shared = [name for name in one.get("tasks", {}) if name in other.get("tasks", {})]

    def comparable(identity: Mapping[str, Any]) -> dict[str, Any]:
        return {**identity, "tasks": {name: identity["tasks"][name] for name in shared}}

    if found := differences(comparable(one), comparable(other)):
        raise ConfigError(f"{first} and {folder} are not parts of one run: {'; '.join(found[:3])}")


def _samples(folders: Sequence[Path], task: str) -> Iterator[Sample]:
    """One task's lines from the first folder that has them."""
    for folder in folders:
        path, found = folder / SAMPLES, False
        if not path.is_file():
            continue
        with path.open(encoding="utf-8") as handle:
            for number, text in enumerate(handle, 1):
                sample = Sample.decode(text, f"{path}:{number}")
                if sample.task == task:
                    found = True
                    yield sample
        if found:
            return
    raise DataError(f"no part has the prompts of {task} (in {SAMPLES}); let one of the commands that measure it run to its end")


def _renewed(sample: Sample, plan: Plan, answers: Mapping[str, Response], verdicts: Mapping[str, Mapping[str, Any]]) -> Sample:
    given = plan.given(sample.task, sample.doc, answers)
    return replace(sample, responses=[response_json(response) for response in given], scores=verdicts[sample.task][sample.doc])
