"""The gate on scores that are no plain accuracies: passages, graded answers, corpus scores, chrF++, means over languages.

    python -m benchmarks.gate_kinds [runs]

The candidate loses exactly its tolerance, so a pass and a regression are both wrong; each may happen 5% of the time. The last lines
are suites of ten tasks of all these kinds together: once every task is at its tolerance, once a single one of them (the others may
lose 30 points more).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.gate import moved
from benchmarks.invented import Made, answers, run_of
from evalkit import stats
from evalkit.gate import Policy, decide
from evalkit.gate.policy import TaskPolicy

N = 400
Pair = tuple[Made, Made, float]  # base, candidate, the true loss


def passages(rng: np.random.Generator) -> Pair:
    """Eighty passages of five questions; a passage's questions share its difficulty, and how much they lose."""
    clusters = [f"p{i // 5}" for i in range(N)]
    right = np.repeat(rng.beta(3, 2, N // 5), 5)
    lost = np.repeat(rng.beta(1, 1 / 0.06 - 1, N // 5), 5)
    old = (rng.random(N) < right).astype(float)
    new = np.where(old == 1, rng.random(N) >= lost, rng.random(N) < 0.02).astype(float)
    return Made(old, clusters=clusters), Made(new, clusters=clusters), 0.6 * 0.06 - 0.4 * 0.02


def graded(rng: np.random.Generator) -> Pair:
    old = rng.beta(2, 2, N)
    return Made(old), Made(np.clip(old * 0.94 + 0.1 * (rng.random(N) - 0.5) * old, 0, 1)), 0.5 * 0.06


def entities(rng: np.random.Generator) -> Pair:
    """Recall over two languages, a corpus each."""
    wanted = rng.integers(3, 20, N)
    languages = ["hi", "ta"] * (N // 2)

    def made(found: np.ndarray) -> Made:
        table = np.stack([found, found, wanted, 0 * wanted, 0 * wanted + 1], axis=1).astype(float)
        return Made(found / wanted, stats=table, corpus="entity_recall", languages=languages)

    old = rng.binomial(wanted, 0.6)
    return made(old), made(rng.binomial(old, 0.95)), 0.6 * 0.05


def languages(rng: np.random.Generator) -> Pair:
    """The unweighted mean over three languages of unlike sizes, which lose unlike much."""
    sizes, rights, lost = (50, 100, N - 150), (0.7, 0.6, 0.5), (0.03, 0.05, 0.08)
    names = [name for name, size in zip(("bn", "hi", "ta"), sizes, strict=True) for _ in range(size)]
    old = (rng.random(N) < np.repeat(rights, sizes)).astype(float)
    new = np.where(rng.random(N) < np.repeat(lost, sizes), 0.0, np.where(rng.random(N) < 0.05, 1.0, old))
    gone = [p - (1 - q) * (p + (1 - p) * 0.05) for p, q in zip(rights, lost, strict=True)]
    return Made(old, languages=names, macro=True), Made(new, languages=names, macro=True), sum(gone) / len(gone)


def accuracy(rng: np.random.Generator) -> Pair:
    old = answers(rng, N, 0.6)
    return Made(old), Made(moved(rng, old, 0.03)), 0.03


def segments(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """n-gram counts of two systems for the same sentences; the second one matches a little less."""
    length = np.maximum(8, rng.gamma(4.0, 20.0, n)).round()
    quality = rng.beta(4.0, 3.0, n)
    tables: list[list[np.ndarray]] = [[], []]
    for order in range(8):
        size = np.maximum(1, (length - order if order < 6 else length / 6 - order + 6).round())
        match = rng.binomial(size.astype(int), quality ** (1 + order / 3))
        for table, kept in zip(tables, (match, rng.binomial(match, 0.94)), strict=True):
            table += [size, size, kept]
    return np.stack(tables[0], axis=1).astype(float), np.stack(tables[1], axis=1).astype(float)


def chrf(rng: np.random.Generator) -> Pair:
    old, new = (Made(t[:, 2] / t[:, 0], stats=t, corpus="chrf") for t in segments(rng, N))
    return old, new, TRUE_CHRF


def _true_chrf() -> float:
    tables = segments(np.random.default_rng(99), 300_000)
    old, new = (stats.Corpora.of(table, "chrf").value for table in tables)
    return old - new


TRUE_CHRF = _true_chrf()
KINDS: dict[str, Callable[[np.random.Generator], Pair]] = {
    "passages of five": passages,
    "graded": graded,
    "entity recall, two languages": entities,
    "mean over three languages": languages,
    "chrF++": chrf,
}


def wrong(rng: np.random.Generator, kind: str, runs: int) -> tuple[float, float]:
    """(share of wrong passes, of wrong regressions)."""
    passed = regressed = 0
    for _ in range(runs):
        base, candidate, loss = KINDS[kind](rng)
        outcome = decide(run_of("a", {"t": base}), run_of("b", {"t": candidate}), Policy(tolerance=loss)).outcome
        passed += outcome == "pass"
        regressed += outcome == "regression"
    return passed / runs, regressed / runs


SUITE = (passages, graded, entities, languages, chrf, accuracy, accuracy, passages, graded, accuracy)


def together(rng: np.random.Generator, at: int | None) -> str:
    """The decision about ten tasks of all kinds; `at`: the only one that is at its tolerance, None for all."""
    made = {f"t{i}": kind(rng) for i, kind in enumerate(SUITE)}
    rows = {name: f"rows {name}" for name in made}
    tasks = {
        name: TaskPolicy(tolerance=min(0.95, loss + (0.3 if at is not None and name != f"t{at}" else 0.0)))
        for name, (_, _, loss) in made.items()
    }
    runs = [run_of(who, {name: replace(pair[i], rows=rows[name]) for name, pair in made.items()}) for i, who in enumerate("ab")]
    return decide(*runs, Policy(mean=0.9, tasks=tasks)).outcome


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rng = np.random.default_rng(8)
    print("| score, 400 documents | wrong pass | wrong regression |\n| --- | ---: | ---: |")
    for kind in KINDS:
        passed, regressed = wrong(rng, kind, runs)
        print(f"| {kind} | {passed:.1%} | {regressed:.1%} |", flush=True)
    for title, at in (("ten tasks of all kinds, each at its tolerance", None), ("the same, the third at its tolerance", 2)):
        outcomes = Counter(together(rng, at) for _ in range(runs))
        print(f"| {title} | {outcomes['pass'] / runs:.1%} | {outcomes['regression'] / runs:.1%} |", flush=True)


if __name__ == "__main__":
    main()
