"""What every shipped model, task and suite composes to, held against a kept copy.

The YAML files share bases, so one changed line can reach many tasks: the copy shows all that it reached. Where a
change is meant, write the copy again and read its diff: `python -m tests.tasks.test_composed`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.compose import compose
from evalkit.config.explain import described
from evalkit.paths import conf_dir

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "composed.json"
SAME = "as the task alone"


def names(group: str) -> list[str]:
    return sorted(file.stem for file in (conf_dir() / group).glob("*.yaml"))


def plain(words: list[str]) -> dict[str, Any]:
    resolved: dict[str, Any] = json.loads(json.dumps(compose(words)))
    return resolved


def models() -> dict[str, Any]:
    return {name: plain([f"model={name}"])["model"] for name in names("model")}


def tasks() -> dict[str, Any]:
    made: dict[str, Any] = plain([f"task=[{','.join(names('task'))}]"])["tasks"]
    return made


def suites(alone: dict[str, Any]) -> dict[str, Any]:
    """Per suite the whole configuration; a task that is what it is without the suite only says so."""
    made = {}
    for name in [*names("suite"), *(name for group, name in described() if group == "suite")]:
        whole = plain([f"suite={name}", "model=fake"])
        # A list, because the order of the tasks is the order of the table.
        listed = [[task, SAME if alone.get(task) == value else value] for task, value in whole["tasks"].items()]
        made[name] = {**whole, "tasks": listed}
    return made


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(json.loads(GOLDEN.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return tasks()


def assert_as_kept(made: dict[str, Any], kept: dict[str, Any]) -> None:
    """Everything kept is there and as it was. What is new is kept from the next writing on: no list has to name it."""
    assert set(kept) <= set(made)
    for name, value in kept.items():
        assert made[name] == value, name


def test_models_compose_to_what_they_did(golden: dict[str, Any]) -> None:
    assert_as_kept(models(), golden["models"])


def test_tasks_compose_to_what_they_did(golden: dict[str, Any], alone: dict[str, Any]) -> None:
    assert_as_kept(alone, golden["tasks"])


def test_suites_compose_to_what_they_did(golden: dict[str, Any], alone: dict[str, Any]) -> None:
    assert_as_kept(suites(alone), golden["suites"])


def test_a_task_may_stand_under_another_name(alone: dict[str, Any]) -> None:
    """Nothing in a task or its bases names the place where it is, so one task may be measured in two ways."""
    made = plain([f"+task@tasks.other_{name}={name}" for name in names("task")])["tasks"]
    assert made == {f"other_{name}": task for name, task in alone.items()}


@pytest.mark.parametrize("name", names("task"))
def test_a_users_task_may_stand_on_ours(alone: dict[str, Any], tmp_path: Path, name: str) -> None:
    made = mine(tmp_path, f"defaults: [/task/{name}@_here_, _self_]\nnum_fewshot: 7\n")
    assert made == {**alone[name], "num_fewshot": 7}


def mine(folder: Path, text: str) -> dict[str, Any]:
    """A task of a user's own configuration folder, composed."""
    (folder / "task").mkdir()
    (folder / "task" / "mine.yaml").write_text(f"# @package tasks.mine\n{text}", encoding="utf-8")
    made: dict[str, Any] = plain(["task=mine", "--config-dir", str(folder)])["tasks"]["mine"]
    return made


@pytest.mark.parametrize("base", sorted(file.stem for file in (conf_dir() / "task" / "base").glob("*.yaml")))
def test_every_base_is_used_and_may_be_by_a_users_task(tmp_path: Path, base: str) -> None:
    files = [file for file in (conf_dir() / "task").rglob("*.yaml") if file.stem != base or file.parent.name != "base"]
    assert any(f"{base}@_here_" in file.read_text(encoding="utf-8") for file in files)
    made = mine(tmp_path, f"defaults: [/task/base/{base}@_here_, _self_]\nname: mine\n")
    assert made["name"] == "mine" and len(made) > 1


if __name__ == "__main__":
    kept = {"models": models(), "tasks": tasks()}
    kept["suites"] = suites(kept["tasks"])
    GOLDEN.write_text(json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
