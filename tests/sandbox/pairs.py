"""Pairs of a program and a test, kept as text: `== a topic`, then `-- program` and `-- test` with their code.

Every program of a topic is tried on every test of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
Topics = dict[str, tuple[list[str], list[str]]]


def topics(file: Path) -> Topics:
    """Programs and tests by topic."""
    found: Topics = {}
    part: list[str] = []
    for line in file.read_text().splitlines():
        if line.startswith("== "):
            topic = line.removeprefix("== ")
            assert topic not in found, line
            found[topic] = ([], [])
            programs, tests = found[topic]
        elif line in ("-- program", "-- test"):
            part = programs if line == "-- program" else tests
            part.append("")
        else:
            part[-1] += line + "\n"
    assert all(programs and tests for programs, tests in found.values())
    return found


def plain_exec(pairs: list[tuple[str, str]]) -> list[bool]:
    """Plain Python's verdicts: program and test in one interpreter, without a sandbox. For honest programs alone."""
    command = [sys.executable, "-I", "-S", "-X", "utf8", str(HERE / "plain_exec.py")]
    said = subprocess.run(command, input=json.dumps(pairs), capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "0"})
    return json.loads(said.stdout.splitlines()[-1])
