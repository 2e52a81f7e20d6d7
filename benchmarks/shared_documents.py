"""How often does `evalkit compare` give a false verdict when tasks share documents? The real code, on invented answers.

    python -m benchmarks.shared_documents [pairs]

Two models that differ without one being better, on ten tasks of which a share of the documents are the same rows, answered
alike nine times in ten. Per line: comparisons whose mean of all tasks has p <= 0.05 (before Holm), and comparisons with any
false verdict, which `alpha` promises to be at most 5%.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.invented import Made, answers, changed, run_of
from evalkit.compare import compare

SHARES = (0.0, 0.3, 0.6, 1.0)
SIZES = (20, 200, 1000)
TASKS, ALIKE, FLIPS = 10, 0.9, 0.08


def twins(rng: np.random.Generator, n: int, share: float) -> tuple[dict[str, Made], dict[str, Made]]:
    """Ten tasks of n documents; the first `share` of each are the same rows."""
    common = round(share * n)
    first = answers(rng, n, 0.6)
    moved = changed(rng, first, FLIPS, FLIPS * 1.5)  # 0.6 * 8% lost, 0.4 * 12% won: no better, no worse
    base, candidate = {}, {}
    for t in range(TASKS):
        old = answers(rng, n, 0.6)
        new = changed(rng, old, FLIPS, FLIPS * 1.5)
        same = (np.arange(n) < common) & (rng.random(n) < ALIKE)
        old, new = np.where(same, first, old), np.where(same, moved, new)
        docs = [f"test/{i}" if i < common else f"own/{t}/{i}" for i in range(n)]
        base[f"t{t}"], candidate[f"t{t}"] = Made(old, docs, "one data set"), Made(new, docs, "one data set")
    return base, candidate


def rates(rng: np.random.Generator, pairs: int, n: int, share: float) -> tuple[float, float]:
    """(share of comparisons whose mean has p <= 0.05, share with any false verdict)."""
    mean = false = 0
    for _ in range(pairs):
        base, candidate = twins(rng, n, share)
        found = compare(run_of("base", base), run_of("candidate", candidate))
        assert found.overall is not None and found.overall.p is not None
        mean += found.overall.p <= 0.05
        false += any(row.verdict in ("regressed", "improved") for row in found.rows)
    return mean / pairs, false / pairs


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rng = np.random.default_rng(22)
    print("| documents per task | shared | mean of all, p <= 0.05 | any false verdict |\n| ---: | ---: | ---: | ---: |")
    for n in SIZES:
        for share in SHARES:
            mean, false = rates(rng, pairs if n < 1000 else pairs // 4, n, share)
            print(f"| {n:,} | {share:.0%} | {mean:.1%} | {false:.1%} |", flush=True)


if __name__ == "__main__":
    main()
