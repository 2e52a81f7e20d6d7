"""A run directory given by hand: it refuses another run, keeps the tasks it has, and does not mind other words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.errors import ConfigError
from evalkit.models.fake import FakeModel
from evalkit.results import RunResult
from evalkit.run.measure import run
from evalkit.run.prepare import run_identity
from evalkit.store import load_run

OLD = Path(__file__).resolve().parents[1] / "golden" / "old_run"


def measure(folder: Path, *words: str, model: Any = None) -> RunResult:
    setup = build(compose(["data=samples", *words]))
    how, chosen = setup.settings, list(setup.tasks.values())
    settings = {"limit": how.limit, "chat": how.chat, "overwrite": how.overwrite}
    return run(model or FakeModel(), chosen, setup.source, folder=folder, config=setup.config, **settings)  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name not in ("lock", "manifest.json")}


def test_another_task_joins_those_that_are_there(tmp_path: Path) -> None:
    first = measure(tmp_path / "run", "task=winogrande")
    both = measure(tmp_path / "run", "task=hellaswag")
    assert list(both.tasks) == ["winogrande", "hellaswag"] and both.complete
    assert both.tasks["winogrande"] == first.tasks["winogrande"]
    saved = load_run(tmp_path / "run")
    assert list(saved.result.tasks) == list(saved.columns) == ["winogrande", "hellaswag"]
    assert list(json.loads((tmp_path / "run" / "config.json").read_text())["tasks"]) == ["winogrande", "hellaswag"]
    assert list(json.loads((tmp_path / "run" / "manifest.json").read_text())["tasks"]) == ["winogrande", "hellaswag"]
    before = contents(tmp_path / "run")
    for again in ("task=winogrande", "task=hellaswag"):
        measure(tmp_path / "run", again)
        now = contents(tmp_path / "run")
        assert {name for name in before if before[name] != now[name]} <= {"config.json"}


def test_the_other_tasks_scores_survive_an_interruption(tmp_path: Path) -> None:
    class Stops(FakeModel):
        def answer(self, items: Any, done: Any) -> Any:
            yield next(super().answer(items, done))
            raise KeyboardInterrupt

    whole = measure(tmp_path / "run", "task=winogrande")
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path / "run", "task=hellaswag", model=Stops(batch_size=3))
    saved = load_run(tmp_path / "run")
    assert saved.result.tasks == whole.tasks and not saved.result.complete and list(saved.columns) == ["winogrande"]
    assert list(measure(tmp_path / "run", "task=hellaswag").tasks) == ["winogrande", "hellaswag"]
    assert load_run(tmp_path / "run").result.complete


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=hellaswag", "tasks.hellaswag.headline=acc"], 'tasks.hellaswag.headline: "acc_norm", now "acc"'),
        (["task=hellaswag", "limit=3"], "limit: null, now 3"),
        (["task=winogrande", "limit=3"], "limit: null, now 3"),
    ],
)
def test_another_run_is_refused_and_changes_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    measure(tmp_path / "run", "task=hellaswag")
    before = contents(tmp_path / "run")
    with pytest.raises(ConfigError, match="holds another run") as caught:
        measure(tmp_path / "run", *words)
    assert said in str(caught.value) and contents(tmp_path / "run") == before
    assert list(measure(tmp_path / "run", *words, "overwrite=true").tasks) == [words[0].removeprefix("task=")]


def test_rewording_moves_no_run(tmp_path: Path) -> None:
    measure(tmp_path / "run", "task=hellaswag")
    reworded = measure(tmp_path / "run", "task=hellaswag", "tasks.hellaswag.description=other", "tasks.hellaswag.notes=[other]")
    assert reworded.manifest["counts"]["reused"] == 12 and reworded.tasks["hellaswag"].notes[0] == "other"

    def identity(*words: str) -> dict[str, Any]:
        setup = build(compose(["data=samples", "model=fake", *words]))
        return run_identity(setup.model(), list(setup.tasks.values()), setup.source, None, None)

    assert identity("task=hellaswag") == identity("task=hellaswag", "tasks.hellaswag.notes=[other]", "model.name=x")
    assert identity("task=hellaswag") != identity("task=hellaswag", "tasks.hellaswag.headline=acc")


def test_a_run_of_an_earlier_version_is_read_and_scored(tmp_path: Path, evalkit: Callable[..., Any]) -> None:
    folder = tmp_path / "old"
    shutil.copytree(OLD, folder)
    before = load_run(folder)
    assert list(before.result.tasks) == ["hellaswag", "gsm8k", "flores_in_en_xx"] and len(before.columns["gsm8k"].docs) == 4
    assert evalkit("report", str(folder)).code == 0
    assert evalkit("compare", str(folder), str(folder), "tasks=hellaswag,gsm8k").code == 0
    assert evalkit("score", str(folder)).code == 0
    after = load_run(folder)
    for task, old in before.result.tasks.items():
        assert {m: s.value for m, s in after.result.tasks[task].summaries.items()} == {m: s.value for m, s in old.summaries.items()}
    with pytest.raises(ConfigError, match="an older run"):
        measure(folder, "task=hellaswag", "limit=4")
