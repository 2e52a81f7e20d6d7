"""Does the gate keep its word? The real code on invented answers: suites of ten tasks whose documents go together.

    python -m benchmarks.gate [suites [documents ...]]

Half of the tasks share their documents with another task, and share nine answers in ten of those. `required` is one task or all
ten of them; the loss of some of them is exactly the number given, the others lose nothing. Per line: how often the gate passed,
called a regression, or said that it does not know.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from benchmarks.invented import Made, answers, run_of
from evalkit.compare import shared
from evalkit.compare.shared import HasColumns, Units
from evalkit.gate import Decision, Policy, decide, decision

TASKS, ALIKE, CHURN = 10, 0.9, 0.04
SIZES = (100, 300, 1000, 2000)
LOSSES = (0.0, 0.01, 0.02, 0.03, 0.05)


def moved(rng: np.random.Generator, values: np.ndarray, loss: float) -> np.ndarray:
    """The same answers, of which `CHURN` of all documents are won, and as many and `loss` more are lost."""
    right = 0.6
    draws = rng.random(len(values))
    return np.where(values == 1, draws >= (CHURN + loss) / right, draws < CHURN / (1 - right)).astype(float)


def suite(rng: np.random.Generator, n: int, losses: Sequence[float]) -> tuple[dict[str, Made], dict[str, Made]]:
    """Base and candidate; every second task asks about the documents of the one before."""
    base: dict[str, Made] = {}
    candidate: dict[str, Made] = {}
    for t, loss in enumerate(losses):
        old = answers(rng, n, 0.6)
        new = moved(rng, old, loss)
        rows = f"rows {t // 2 * 2}"
        if t % 2 and losses[t - 1] == loss:
            same = rng.random(n) < ALIKE
            old = np.where(same, base[f"t{t - 1}"].values, old)
            new = np.where(same, candidate[f"t{t - 1}"].values, new)
        base[f"t{t}"], candidate[f"t{t}"] = Made(old, rows=rows), Made(new, rows=rows)
    return base, candidate


def decided(rng: np.random.Generator, n: int, losses: Sequence[float], policy: Policy) -> Decision:
    base, candidate = suite(rng, n, losses)
    return decide(run_of("base", base), run_of("candidate", candidate), policy)


@contextmanager
def asked_once() -> Iterator[None]:
    """Which documents belong together is the same for every suite of one size, so it is found out once: a third of the time."""
    real, known = shared.units_of, dict[tuple[object, ...], Units]()

    def units_of(tasks: Mapping[Hashable, tuple[HasColumns, str]]) -> Units:
        run = next(iter(tasks.values()))[0]
        key = (*tasks, *(len(run.columns[str(name)].docs) for name in tasks))
        return known[key] if key in known else known.setdefault(key, real(tasks))

    decision.units_of = units_of  # type: ignore[attr-defined]
    try:
        yield
    finally:
        decision.units_of = real  # type: ignore[attr-defined]


@dataclass
class Seen:
    """What a number of suites came to: outcomes of all, and per row (the tasks', the mean's) the power said and the passes seen."""

    outcomes: Counter[str] = field(default_factory=Counter)
    said: dict[str, list[float]] = field(default_factory=lambda: {"task": [], "mean": []})
    passed: dict[str, list[bool]] = field(default_factory=lambda: {"task": [], "mean": []})


def rates(rng: np.random.Generator, suites: int, n: int, losses: Sequence[float], policy: Policy) -> Seen:
    seen = Seen()
    for _ in range(suites):
        decision = decided(rng, n, losses, policy)
        seen.outcomes[decision.outcome] += 1
        for row in decision.rows:
            kind = "mean" if row is decision.mean else "task"
            seen.said[kind].append(row.power or 0.0)
            seen.passed[kind].append(row.outcome == "pass")
    return seen


def line(what: str, n: int, found: Counter[str], suites: int) -> str:
    shares = (f"{found[outcome] / suites:.1%}" for outcome in ("pass", "regression", "not enough evidence"))
    return f"| {what} | {n:,} | {' | '.join(shares)} |"


def main() -> None:
    suites = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    sizes = [int(size) for size in sys.argv[2:]] or SIZES
    with asked_once():
        tell(suites, sizes)


def tell(suites: int, sizes: Sequence[int]) -> None:
    rng = np.random.default_rng(18)
    wide = Policy(mean=0.9)
    powers = []
    print("| candidate | documents per task | pass | regression | not enough evidence |\n| --- | ---: | ---: | ---: | ---: |")
    for n in sizes:
        one = [0.03] + [0.0] * (TASKS - 1)
        print(line("one task loses exactly its tolerance (3 points)", n, rates(rng, suites, n, one, wide).outcomes, suites), flush=True)
        for loss in LOSSES:
            seen = rates(rng, suites, n, [loss] * TASKS, Policy())
            print(line(f"every task loses {100 * loss:g} points; mean 1, tasks 3", n, seen.outcomes, suites), flush=True)
            if not loss:
                powers.append((n, seen))
        every = [0.03] * TASKS
        print(line("every task loses exactly its tolerance", n, rates(rng, suites, n, every, wide).outcomes, suites), flush=True)
    print("\n| documents | power of a task: said | seen | power of the mean: said | seen |\n| ---: | ---: | ---: | ---: | ---: |")
    for n, seen in powers:
        cells = (f"{np.mean(values[kind]):.1%}" for kind in ("task", "mean") for values in (seen.said, seen.passed))
        print(f"| {n:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
