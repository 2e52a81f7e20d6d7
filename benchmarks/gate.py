"""Does the gate keep its word? The real code on invented answers: suites of ten tasks whose documents go together.

    python -m benchmarks.gate [suites]

Half of the tasks share their documents with another task, and share nine answers in ten of those. `required` is one task or all
ten of them; the loss of some of them is exactly the number given, the others lose nothing. Per line: how often the gate passed,
called a regression, or said that it does not know.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np

from benchmarks.invented import Made, answers, run_of
from evalkit.gate import Decision, Policy, decide

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


def rates(rng: np.random.Generator, suites: int, n: int, losses: Sequence[float], policy: Policy) -> tuple[Counter[str], float]:
    """Outcomes, and the mean of the power that the tasks were said to have."""
    found, power = Counter[str](), []
    for _ in range(suites):
        decision = decided(rng, n, losses, policy)
        found[decision.outcome] += 1
        power += [row.power or 0.0 for row in decision.tasks]
    return found, float(np.mean(power))


def line(what: str, n: int, found: Counter[str], suites: int) -> str:
    shares = (f"{found[outcome] / suites:.1%}" for outcome in ("pass", "regression", "not enough evidence"))
    return f"| {what} | {n:,} | {' | '.join(shares)} |"


def main() -> None:
    suites = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rng = np.random.default_rng(18)
    print("| candidate | documents per task | pass | regression | not enough evidence |\n| --- | ---: | ---: | ---: | ---: |")
    wide = Policy(mean=0.9)
    for n in SIZES:
        many = suites if n < 1000 else suites // 4 if n < 2000 else suites // 8
        one = [0.03] + [0.0] * (TASKS - 1)
        print(line("one task loses exactly its tolerance (3 points)", n, rates(rng, many, n, one, wide)[0], many), flush=True)
        every = [0.03] * TASKS
        print(line("every task loses exactly its tolerance", n, rates(rng, many, n, every, wide)[0], many), flush=True)
        for loss in LOSSES:
            found, _ = rates(rng, many, n, [loss] * TASKS, Policy())
            print(line(f"every task loses {100 * loss:g} points; mean 1, tasks 3", n, found, many), flush=True)
    print("\n| documents | power said | passes |\n| ---: | ---: | ---: |")
    for n in (150, 300, 600, 1200):
        found, power = rates(rng, suites * 2, n, [0.0], wide)
        print(f"| {n:,} | {power:.1%} | {found['pass'] / suites / 2:.1%} |", flush=True)


if __name__ == "__main__":
    main()
