"""A run directory while it is used: open → begin → append → finish. Nobody else writes a file of a run.

    with RunFolder.open(path, identity) as kept:
        kept.begin(plan, config)          # what will be asked; tasks that are in the folder already stay in it
        kept.append(responses)            # as they come; safe against kill -9
        run = kept.finish(model, results, samples, manifest, fresh=True)

Without a path everything is kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, DataError, JournalError
from evalkit.files import dump, read_object, write_atomic
from evalkit.identity import differences
from evalkit.results import RunResult, TaskResult
from evalkit.store.journal import Journal
from evalkit.store.layout import CONFIG, IDENTITY, MANIFEST, PLAN, REBUILD, SAMPLES, SCORES
from evalkit.store.plan import Plan, read_plan
from evalkit.store.samples import Sample
from evalkit.store.scores import from_json, to_json
from evalkit.types import Response

_SHOWN = 3  # differences that a refusal names
OTHERWISE = "choose another run_dir, or give overwrite=true to replace its scores (its answers stay)"


class RunFolder:
    """Holds the folder's lock from `open` to `close`.

    Attributes:
        answers: every saved answer, by key.
        plan: what the folder asks for, tasks of earlier commands included; empty before `begin`.
    """

    def __init__(self, path: Path | None, journal: Journal, identity: Mapping[str, Any], earlier: Plan | None) -> None:
        self.path = path
        self.plan = Plan({}, {})
        self._journal = journal
        self._identity = identity
        self._earlier = earlier
        self._results: dict[str, TaskResult] = {}

    @classmethod
    def open(cls, path: Path | None, identity: Mapping[str, Any] | None = None, *, overwrite: bool = False) -> RunFolder:
        """Take the folder, or memory where there is none.

        Args:
            identity: everything that can change an answer or a score; `identity["tasks"]` by task name. A folder of
                another identity is refused, unless the two differ only in which tasks they have.
            overwrite: take a folder of another identity all the same; its tasks are dropped from the plan.

        Raises:
            ConfigError: the folder holds another run.
            JournalError: another process holds the folder, it cannot be written, or its answers are damaged.
        """
        identity = dict(identity or {})
        journal = Journal(path)
        try:
            if path is None or overwrite:
                return cls(path, journal, identity, None)
            _refuse_other(path, identity)
            earlier = read_plan(path) if (path / PLAN).exists() else None
            return cls(path, journal, identity, earlier)
        except BaseException:
            journal.close()
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    @property
    def answers(self) -> Mapping[str, Response]:
        return self._journal.answers

    def begin(self, plan: Plan, config: Mapping[str, Any]) -> None:
        """Write down what will be asked, before anything is.

        Tasks of earlier commands keep their plan, scores and samples. Scores of tasks that now have something to ask are
        removed: never scores of other answers with this plan.

        Raises:
            JournalError: a file cannot be written.
        """
        self.plan = self._earlier.with_tasks(plan) if self._earlier else plan
        if self.path is None:
            return
        old = read_object(self.path / IDENTITY, REBUILD) if self._earlier else {}
        identity = {**self._identity, "tasks": {**old.get("tasks", {}), **self._identity.get("tasks", {})}}
        others = [task for task in self.plan.evidence if task not in plan.evidence]
        self._results = self._scores_of(others)
        self._write(CONFIG, dump(self._config(config, others)))
        self._write(IDENTITY, dump(identity))
        self._write(PLAN, self.plan.lines())
        if not plan.complete(self.answers.keys()):
            self._leave_only(others)

    def append(self, responses: Iterable[Response]) -> None:
        """Keep answers; an error is no answer and is not kept.

        Raises:
            JournalError: the disk is full or the file cannot be written; what was saved stays valid.
        """
        self._journal.append(responses)

    def finish(
        self,
        model: str,
        results: Mapping[str, TaskResult],
        samples: Iterable[Sample],
        manifest: Mapping[str, Any],
        *,
        absent: Mapping[str, TaskResult] | None = None,
        fresh: bool,
    ) -> RunResult:
        """Scores, samples and manifest; the journal in the plan's own order, so that an interrupted run ends with the same bytes.

        Args:
            results, samples: of the tasks of this command.
            absent: of the tasks of this command that had no rows, without a score; nothing of an earlier command is lost for it.
            fresh: answers were measured; without any, the manifest of the session that measured last stays.
        """
        self._journal.compact(self.plan.order)
        every = {name: found for name in self.plan.evidence if (found := results.get(name) or self._results.get(name))}
        whole = len(every) == len(self.plan.evidence) and self.plan.complete(self.answers.keys())
        every |= {name: result for name, result in (absent or {}).items() if name not in every}
        run = RunResult(model, every, whole, manifest, self.path)
        if self.path is None:
            return run
        self._write(SAMPLES, self._lines(results.keys(), samples))
        self._write(SCORES, to_json(run))
        about = read_object(self.path / MANIFEST, REBUILD)
        tasks = about.get("tasks", {})
        if fresh or not about or any(name not in tasks for name in results):
            others = {name: told for name, told in tasks.items() if name in self._results}
            self._write(MANIFEST, dump({**manifest, "tasks": {**others, **manifest.get("tasks", {})}}))
        return run

    def _config(self, config: Mapping[str, Any], others: Sequence[str]) -> dict[str, Any]:
        """This command's configuration with the earlier commands' tasks in it."""
        earlier = read_object(self.path / CONFIG, REBUILD).get("tasks", {}) if self.path and others else {}
        kept = {name: earlier[name] for name in others if name in earlier}
        if not kept:
            return dict(config)
        return {**config, "tasks": {**kept, **(config.get("tasks") or {})}}

    def _scores_of(self, tasks: Sequence[str]) -> dict[str, TaskResult]:
        path = self.path / SCORES if self.path else None
        if path is None or not tasks or not path.is_file():
            return {}
        saved = from_json(path.read_text(encoding="utf-8"), path=path).tasks
        return {name: saved[name] for name in tasks if name in saved}

    def _leave_only(self, others: Sequence[str]) -> None:
        """Scores and samples of the other tasks alone, while these are measured."""
        assert self.path is not None
        scores, samples = self.path / SCORES, self.path / SAMPLES
        if not self._results:
            scores.unlink(missing_ok=True)
            return
        saved = from_json(scores.read_text(encoding="utf-8"), path=scores)
        if list(saved.tasks) != list(self._results):
            self._write(SAMPLES, self._lines((), ())) if samples.is_file() else None
        self._write(SCORES, to_json(RunResult(saved.model, self._results, complete=False)))

    def _lines(self, fresh: Iterable[str], samples: Iterable[Sample]) -> Iterator[str]:
        """The lines of every task in the plan's order: new ones encoded, those of other tasks as they lie in the file."""
        fresh = set(fresh)
        upcoming = iter(samples)
        held: Sample | None = next(upcoming, None)
        for task in self.plan.evidence:
            if task not in fresh:
                yield from self._kept_lines(task)
                continue
            while held is not None and held.task == task:
                yield held.encode()
                held = next(upcoming, None)

    def _kept_lines(self, task: str) -> Iterator[str]:
        path = self.path / SAMPLES if self.path else None
        if path is None or task not in self._results or not path.is_file():
            return
        with path.open(encoding="utf-8") as handle:
            for number, text in enumerate(handle, 1):
                if Sample.decode(text, f"{path}:{number}").task == task:
                    yield text

    def _write(self, name: str, content: str | Iterable[str]) -> None:
        assert self.path is not None
        write_atomic(self.path / name, content, error=JournalError)


def _refuse_other(path: Path, identity: Mapping[str, Any]) -> None:
    """Raises ConfigError where the folder holds a run that is not this one with other tasks."""
    if not (path / PLAN).exists() and not (path / SCORES).exists():
        return
    if not (path / IDENTITY).exists():
        raise ConfigError(f"{path} holds scores, but not what they are of (an older run, an import or answers from a file); {OTHERWISE}")
    try:
        held = read_object(path / IDENTITY, REBUILD)
    except DataError as error:
        raise ConfigError(f"{error}; or {OTHERWISE}") from error
    shared = [name for name in held.get("tasks", {}) if name in identity.get("tasks", {})]

    def comparable(whole: Mapping[str, Any]) -> dict[str, Any]:
        return {**whole, "tasks": {name: whole["tasks"][name] for name in shared}} if "tasks" in whole else dict(whole)

    if found := differences(comparable(held), comparable(_as_json(identity))):
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ConfigError(f"{path} holds another run ({'; '.join(found[:_SHOWN])}{more}); {OTHERWISE}")


def _as_json(identity: Mapping[str, Any]) -> dict[str, Any]:
    """As it would be read back."""
    import json

    return json.loads(json.dumps(identity, default=str))


def save_scores(
    path: Path, run: RunResult, samples: Iterable[Sample], identity: Mapping[str, Any], *, overwrite: bool = False
) -> RunResult:
    """Write a folder of scores that has no journal: answers from a file, another harness's results.

    Returns:
        The run, with its path.

    Raises:
        ConfigError: the folder holds another run.
        JournalError: the folder is in use, or cannot be written.
    """
    if not overwrite:
        _refuse_other(path, identity)
    texts = [sample.encode() for sample in samples]
    write_atomic(path / IDENTITY, dump(identity), error=JournalError)
    if texts:
        write_atomic(path / SAMPLES, texts, error=JournalError)
    else:
        (path / SAMPLES).unlink(missing_ok=True)
    write_atomic(path / SCORES, to_json(run), error=JournalError)
    return RunResult(run.model, run.tasks, run.complete, run.manifest, path)


@dataclass(frozen=True, slots=True)
class Rescored:
    """What is new in a sample's line: its `scores`, and its `responses` as they are cut now."""

    scores: Mapping[str, Any]
    responses: Sequence[Mapping[str, Any]]


def replace_scores(path: Path, run: RunResult, rescored: Mapping[str, Mapping[str, Rescored]]) -> None:
    """Write a run's scores again, and scores and answers in the lines of its samples.

    Args:
        rescored: task -> document -> what is new in its line.

    Raises:
        JournalError: a file cannot be written, or another process holds the folder.
    """
    write_atomic(path / SCORES, to_json(run), error=JournalError)
    if not (path / SAMPLES).exists():
        return
    write_atomic(path / SAMPLES, _rescored(path / SAMPLES, rescored), error=JournalError)


def _rescored(path: Path, rescored: Mapping[str, Mapping[str, Rescored]]) -> Iterator[str]:
    """Everything else in a line stays as it was."""
    with path.open(encoding="utf-8") as handle:
        for number, text in enumerate(handle, 1):
            sample = Sample.decode(text, f"{path}:{number}")
            new = rescored[sample.task][sample.doc] if sample.task in rescored else None
            yield text if new is None else sample.rescored(new.responses, new.scores).encode()
