"""Honest programs over the standard library's types: the sandbox's verdict is plain Python's, or the pair is disputed.

The folder `conformance` holds the pairs as text: `== a topic`, `-- program` and `-- test` with their code; every program of
a topic is tried on every test of it. What is right is not written down: plain `exec` says it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from evalkit.sandbox import Outcome, Pool, Program

HERE = Path(__file__).parent


def topics() -> dict[str, tuple[list[str], list[str]]]:
    """Programs and tests by topic."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for file in sorted((HERE / "conformance").glob("*.txt")):
        part: list[str] = []
        for line in file.read_text().splitlines():
            if line.startswith("== "):
                assert line not in found, line
                found[line] = ([], [])
                programs, tests = found[line]
            elif line in ("-- program", "-- test"):
                part = programs if line == "-- program" else tests
                part.append("")
            else:
                part[-1] += line + "\n"
    return found


PAIRS = [(topic, program, test) for topic, (programs, tests) in topics().items() for program in programs for test in tests]


@pytest.fixture(scope="module")
def truth() -> list[bool]:
    asked = json.dumps([pair[1:] for pair in PAIRS])
    command = [sys.executable, "-I", "-S", "-X", "utf8", str(HERE / "plain_exec.py")]
    said = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "0"})
    return json.loads(said.stdout)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def outcomes(sandbox: Pool) -> list[Outcome]:
    return sandbox.run([Program(program, test, "f") for _, program, test in PAIRS])


def test_the_set_is_large_and_says_both(truth: list[bool]) -> None:
    assert len(PAIRS) >= 300
    assert min(truth.count(True), truth.count(False)) >= len(PAIRS) // 4
    assert all(programs and tests for programs, tests in topics().values())


def test_verdicts_are_plain_pythons_or_disputed(truth: list[bool], outcomes: list[Outcome]) -> None:
    wrong = [
        f"{pair}: plain Python says {right}, the sandbox {outcome.result}"
        for pair, right, outcome in zip(PAIRS, truth, outcomes, strict=True)
        if outcome.status not in (("passed", "disputed") if right else ("failed",))
    ]
    told = Counter((outcome.status, right) for outcome, right in zip(outcomes, truth, strict=True))
    print(f"{len(PAIRS)} pairs:", ", ".join(f"{n} {s} where plain Python {'passes' if r else 'fails'}" for (s, r), n in told.items()))
    assert wrong == []
    assert told["disputed", True] < len(PAIRS) // 10
