"""docs/add-a-task.md works as written: every titled block becomes a file, every `$` line is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.following import DOCS, follow, read_page, write_files

PAGE = read_page("add-a-task.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(PAGE, tmp_path_factory.mktemp("elsewhere") / "geography")


def test_the_page_names_every_file_it_makes() -> None:
    assert PAGE.tree == set(PAGE.files)


@pytest.mark.parametrize("command", PAGE.commands)
def test_commands_work_as_written(folder: Path, command: str) -> None:
    text = follow(command, folder)
    assert "capitals" in text.lower()
    if " show " in command:
        assert "The capital of France is" in text
        assert "Paris" in text


def test_values_change_from_the_command_line(folder: Path) -> None:
    shown = follow(PAGE.commands[0] + " tasks.capitals.num_fewshot=0", folder)
    assert "The capital of France is" in shown
    assert not any(country in shown for country in ("Italy", "Kenya", "Peru"))


def test_nothing_was_written_into_the_package(folder: Path) -> None:
    repo = DOCS.parent
    assert not (repo / "conf" / "task" / "capitals.yaml").exists()
    assert not (repo / "tasks" / "capitals.py").exists()
