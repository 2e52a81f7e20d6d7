"""What every shipped model, task and suite composes to, held against a kept copy.

The YAML files share bases, so one changed line can reach many tasks: the copy shows all that it reached. Where a
change is meant, write the copy again and read its diff: `python -m tests.tasks.test_composed`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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


def test_a_task_may_be_composed_under_another_name(alone: dict[str, Any]) -> None:
    """By a word of the command line; the next test does it with every task, in a file."""
    some = ("hellaswag", "flores_in_en_xx", "bharatbench_ner")
    made = plain([f"+task@tasks.other_{name}={name}" for name in some])["tasks"]
    assert made == {f"other_{name}": alone[name] for name in some}


def test_a_users_task_may_build_on_ours(alone: dict[str, Any], tmp_path: Path) -> None:
    """Nothing in a task or its bases names the place where it is, so one task may be measured in two ways."""
    made = mine(tmp_path, {name: f"defaults: [/task/{name}@_here_, _self_]\nnum_fewshot: 7\n" for name in names("task")})
    for name, task in alone.items():
        assert made.pop(name) == {**task, "num_fewshot": 7}, name
    assert not made


def mine(folder: Path, texts: Mapping[str, str]) -> dict[str, Any]:
    """The tasks of a user's own configuration folder, composed together; each is called `mine_NAME`."""
    (folder / "task").mkdir()
    for name, text in texts.items():
        (folder / "task" / f"mine_{name}.yaml").write_text(f"# @package tasks.mine_{name}\n{text}", encoding="utf-8")
    made = plain([f"task=[{','.join(f'mine_{name}' for name in texts)}]", "--config-dir", str(folder)])["tasks"]
    return {name.removeprefix("mine_"): task for name, task in made.items()}


def test_every_base_is_used_and_may_be_by_a_users_task(tmp_path: Path) -> None:
    texts = {file: file.read_text(encoding="utf-8") for file in (conf_dir() / "task").rglob("*.yaml")}
    bases = names("task/base")
    for base in bases:
        assert any(f"{base}@_here_" in text for file, text in texts.items() if file.stem != base or file.parent.name != "base"), base
    made = mine(tmp_path, {base: f"defaults: [/task/base/{base}@_here_, _self_]\nname: mine\n" for base in bases})
    assert sorted(made) == bases and all(task["name"] == "mine" and len(task) > 1 for task in made.values())


if __name__ == "__main__":
    kept = {"models": models(), "tasks": tasks()}
    kept["suites"] = suites(kept["tasks"])
    GOLDEN.write_text(json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
