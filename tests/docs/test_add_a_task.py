"""docs/add-a-task.md works as written: every titled block becomes a file, every `$` line is run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "add-a-task.md"
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    files: dict[str, str]
    commands: list[str]


def read_page() -> Page:
    blocks = list(BLOCK.finditer(PAGE.read_text(encoding="utf-8")))
    files = {block["title"]: block["body"] for block in blocks if block["title"]}
    lines = [line for block in blocks if block["kind"] == "console" for line in block["body"].splitlines()]
    return Page(files, [line.removeprefix("$ ") for line in lines if line.startswith("$ ")])


def follow(command: str, folder: Path) -> str:
    """Run one command of the page as typed, with this environment's `evalkit`; standard output."""
    program, *arguments = shlex.split(command)
    assert program == "evalkit", f"the page runs {program}, which this test does not know"
    hidden = ("PYTHONPATH", "EVALKIT_DATA")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    executable = Path(sys.executable).parent / program
    done = subprocess.run([str(executable), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere") / "geography"
    for name, text in read_page().files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_the_page_names_every_file_it_makes() -> None:
    tree = next(block["body"] for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")) if block["kind"] == "text")
    assert {line.split()[0] for line in tree.splitlines()[1:]} == set(read_page().files)


@pytest.mark.parametrize("command", read_page().commands)
def test_commands_work_as_written(folder: Path, command: str) -> None:
    text = follow(command, folder)
    assert "capitals" in text.lower()
    if " show " in command:
        assert "The capital of France is" in text
        assert "Paris" in text


def test_values_change_from_the_command_line(folder: Path) -> None:
    shown = follow(read_page().commands[0] + " tasks.capitals.num_fewshot=0", folder)
    assert "The capital of France is" in shown
    assert not any(country in shown for country in ("Italy", "Kenya", "Peru"))


def test_nothing_was_written_into_the_package(folder: Path) -> None:
    repo = PAGE.parents[1]
    assert not (repo / "conf" / "task" / "capitals.yaml").exists()
    assert not (repo / "tasks" / "capitals.py").exists()
