"""What does stopping early save, and does it stay right? The real code on invented answers, one task or three.

    python -m benchmarks.gate_sequential [runs]

Per line: outcomes of the sequential gate over the base's 2,000 documents per task, the share of the documents it asked, and what a
gate with a fixed number of documents needs for the same power.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from benchmarks.gate import moved
from benchmarks.invented import Made, answers, run_of
from evalkit.gate import Policy
from evalkit.gate.sequential import LOOKS, Watch, first


@dataclass
class Seen:
    """Outcomes and documents asked over many candidates."""

    outcomes: Counter[str] = field(default_factory=Counter)
    asked: list[float] = field(default_factory=list)


def one(rng: np.random.Generator, n: int, losses: list[float], policy: Policy) -> tuple[str, float]:
    """(outcome, share of the documents asked) of one candidate."""
    old = {f"t{t}": answers(rng, n, 0.6) for t in range(len(losses))}
    new = {f"t{t}": moved(rng, old[f"t{t}"], loss) for t, loss in enumerate(losses)}
    docs = [f"test/{i}" for i in range(n)]
    watch = Watch(run_of("base", {name: Made(values) for name, values in old.items()}), policy)
    measured = dict.fromkeys(old, 0)
    for look in range(LOOKS):
        for name in watch.active:
            measured[name] = first(docs, look)
        candidate = run_of("candidate", {name: Made(new[name][:m], docs[:m]) for name, m in measured.items()})
        if watch.look(look, candidate):
            break
    assert watch.decision is not None
    return watch.decision.outcome, sum(measured.values()) / (n * len(losses))


def many(rng: np.random.Generator, runs: int, n: int, losses: list[float], policy: Policy) -> Seen:
    seen = Seen()
    for _ in range(runs):
        outcome, share = one(rng, n, losses, policy)
        seen.outcomes[outcome] += 1
        seen.asked.append(share)
    return seen


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = np.random.default_rng(5)
    print("| losses in points | documents | pass | regression | not enough evidence | asked |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    alone = Policy(tolerance=0.03)
    for n in (800, 2000):
        for loss in (0.0, 0.01, 0.03, 0.06, 0.1):
            tell(n, [loss], many(rng, runs, n, [loss], alone), runs)
    for losses in ([0.0] * 3, [0.03, 0.0, 0.0], [0.06, 0.0, 0.0]):
        tell(2000, losses, many(rng, runs // 2, 2000, losses, Policy(mean=0.02)), runs // 2)


def tell(n: int, losses: list[float], seen: Seen, runs: int) -> None:
    shares = " | ".join(f"{seen.outcomes[outcome] / runs:.1%}" for outcome in ("pass", "regression", "not enough evidence"))
    print(f"| {', '.join(f'{100 * loss:g}' for loss in losses)} | {n:,} | {shares} | {np.mean(seen.asked):.0%} |", flush=True)


if __name__ == "__main__":
    main()
