"""Honest programs over the standard library's types: the sandbox's verdict is plain Python's, or the pair is disputed.

The folder `conformance` holds the pairs (see `pairs.py`). What is right is not written down: plain `exec` says it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from evalkit.sandbox import Pool, Program
from tests.sandbox.pairs import HERE, plain_exec, topics

FILES = sorted((HERE / "conformance").glob("*.txt"))
DISPUTED = 3  # of a file's pairs, at most; today 2 of all


def pairs(file: Path) -> list[tuple[str, str]]:
    return [(program, test) for programs, tests in topics(file).values() for program in programs for test in tests]


def test_the_set_is_large_and_plain_exec_says_both() -> None:
    assert sum(len(pairs(file)) for file in FILES) >= 700
    assert plain_exec([("def f(): return 1", "assert f() == 1"), ("def f(): return 1", "assert f() == 2")]) == [True, False]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_verdicts_are_plain_pythons_or_disputed(sandbox: Pool, file: Path) -> None:
    asked = pairs(file)
    truth = plain_exec(asked)
    outcomes = sandbox.run([Program(program, test, "f") for program, test in asked])
    wrong = [
        f"{pair}: plain Python says {right}, the sandbox {outcome.result}"
        for pair, right, outcome in zip(asked, truth, outcomes, strict=True)
        if outcome.status not in (("passed", "disputed") if right else ("failed",))
    ]
    told = Counter((outcome.status, right) for outcome, right in zip(outcomes, truth, strict=True))
    print(f"{len(asked)} pairs:", ", ".join(f"{n} {s} where plain Python {'passes' if r else 'fails'}" for (s, r), n in told.items()))
    assert wrong == []
    disputed = [f"{pair}: {outcome.result}" for pair, outcome in zip(asked, outcomes, strict=True) if outcome.status == "disputed"]
    assert told["disputed", True] <= DISPUTED, "\n".join(disputed)
