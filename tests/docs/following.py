"""Reads a page of docs/ as a reader who follows it: every titled block becomes a file, every `$` line is run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    files: dict[str, str]
    commands: list[str]
    tree: set[str]


def read_page(name: str) -> Page:
    blocks = list(BLOCK.finditer((DOCS / name).read_text(encoding="utf-8")))
    files = {block["title"]: block["body"] for block in blocks if block["title"]}
    lines = [line for block in blocks if block["kind"] == "console" for line in block["body"].splitlines()]
    tree = next(block["body"] for block in blocks if block["kind"] == "text" and not block["title"])
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return Page(files, commands, {line.split()[0] for line in tree.splitlines()[1:]})


def write_files(page: Page, folder: Path) -> Path:
    for name, text in page.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def follow(command: str, folder: Path) -> str:
    """Run one command of the page as typed, with this environment's `evalkit`; standard output."""
    program, *arguments = shlex.split(command)
    assert program == "evalkit", f"the page runs {program}, which this test does not know"
    hidden = ("PYTHONPATH", "EVALKIT_DATA")
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | {"COLUMNS": "200"}
    executable = Path(sys.executable).parent / program
    done = subprocess.run([str(executable), *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
