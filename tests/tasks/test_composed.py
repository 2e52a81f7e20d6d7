"""What every shipped model, task and suite composes to, held against a kept copy.

The YAML files share bases, so one changed line can reach many tasks: the copy shows all that it reached. Where a
change is meant, write the copy again and read its diff: `python -m tests.tasks.test_composed`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from evalkit.cli import compose
from evalkit.resources import conf_dir

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "composed.json"
SAME = "as the task alone"


def names(group: str) -> list[str]:
    return sorted(file.stem for file in (conf_dir() / group).glob("*.yaml"))


def plain(words: list[str]) -> dict[str, Any]:
    resolved: dict[str, Any] = json.loads(json.dumps(OmegaConf.to_container(compose(words), resolve=True)))
    return resolved


def models() -> dict[str, Any]:
    return {name: plain([f"model={name}"])["model"] for name in names("model")}


def tasks() -> dict[str, Any]:
    made: dict[str, Any] = plain([f"task=[{','.join(names('task'))}]"])["tasks"]
    return made


def suites(alone: dict[str, Any]) -> dict[str, Any]:
    """Per suite the whole configuration; a task that is what it is without the suite only says so."""
    made = {}
    for name in names("suite"):
        whole = plain([f"suite={name}", "model=fake"])
        whole["tasks"] = {task: SAME if alone.get(task) == value else value for task, value in whole["tasks"].items()}
        # A list, because the order of the tasks is the order of the table.
        made[name] = {**whole, "tasks": list(whole["tasks"].items())}
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(json.loads(GOLDEN.read_text(encoding="utf-8")))


def test_models_compose_to_what_they_did(golden: dict[str, Any]) -> None:
    assert models() == golden["models"]


def test_tasks_compose_to_what_they_did(golden: dict[str, Any]) -> None:
    made = tasks()
    assert sorted(made) == sorted(golden["tasks"])
    for name, task in made.items():
        assert task == golden["tasks"][name], name


def test_suites_compose_to_what_they_did(golden: dict[str, Any]) -> None:
    assert suites(golden["tasks"]) == golden["suites"]


def test_a_task_may_stand_under_another_name(golden: dict[str, Any]) -> None:
    """Nothing in a task or its bases names the place where it stands, so one task may be measured in two ways."""
    made = plain([f"+task@tasks.other_{name}={name}" for name in names("task")])["tasks"]
    assert made == {f"other_{name}": task for name, task in golden["tasks"].items()}


if __name__ == "__main__":
    kept = {"models": models(), "tasks": tasks()}
    GOLDEN.write_text(json.dumps({**kept, "suites": suites(kept["tasks"])}, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
