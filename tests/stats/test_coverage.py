"""Do 95% intervals hold the truth 95 times in 100?

Where the distribution is known the answer is computed, not sampled. A binomial interval's coverage jumps with p, because
counts are whole: Wilson's is between 92% and 98% at single points of n = 50. Nobody knows p to four digits, so coverage at
p is stated as its mean over p -/+ one standard error of the score, which is what a series of benchmarks would see.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from evalkit import stats
from evalkit.metrics.base import uncertainty
from evalkit.stats.paired import bootstrap_scores

SIZES = (50, 100, 200, 500, 1000, 2000)
SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)


def binomial(n: int, p: np.ndarray) -> np.ndarray:
    """P(k successes of n): shape (len(p), n + 1)."""
    k = np.arange(n + 1)
    log_choose = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k])
    return np.exp(log_choose + k * np.log(p)[:, None] + (n - k) * np.log1p(-p)[:, None])


def wilson_coverage(n: int, p: np.ndarray) -> np.ndarray:
    ends = np.array([stats.wilson(k, n) for k in range(n + 1)])
    inside = (ends[:, 0] <= p[:, None]) & (p[:, None] <= ends[:, 1])
    return np.asarray((binomial(n, p) * inside).sum(axis=1))


@pytest.mark.parametrize("n", SIZES)
def test_accuracy(n: int) -> None:
    for share in SHARES:
        spread = math.sqrt(share * (1 - share) / n)
        near = np.linspace(max(share - spread, 0.002), min(share + spread, 0.998), 61)
        assert 0.94 < wilson_coverage(n, near).mean() < 0.96, (n, share)
    everywhere = wilson_coverage(n, np.linspace(0.02, 0.98, 193))
    assert 0.945 < everywhere.mean() < 0.955 and everywhere.min() > 0.915


def test_clustered_accuracy() -> None:
    """60 passages of 2 to 8 questions; questions of a passage share its difficulty. 4,000 experiments (error 0.34 points)."""
    rng = np.random.default_rng(31)
    sizes = rng.integers(2, 9, 60)
    labels = np.repeat(np.arange(60), sizes).tolist()
    hits = naive = 0
    for _ in range(4000):
        values = (rng.random(len(labels)) < np.repeat(rng.beta(1.4, 0.6, 60), sizes)).astype(float).tolist()
        _, ci, method = uncertainty(values, labels, (0.0, 1.0))
        assert ci is not None and method == "cluster-t"
        hits += ci[0] <= 0.7 <= ci[1]
        low, high = stats.wilson(sum(values), len(values)) or (0, 0)
        naive += low <= 0.7 <= high
    assert 0.94 < hits / 4000 < 0.96, hits / 4000
    assert naive / 4000 < 0.85  # what ignoring the passages would cost


def segments(rng: np.random.Generator, n: int) -> np.ndarray:
    """Invented n-gram counts as chrF++ has them: segments of very different lengths and qualities, orders that agree."""
    length = np.maximum(8, rng.gamma(4.0, 20.0, n))
    quality = rng.beta(4.0, 3.0, n)
    columns = []
    for order in range(8):
        size = np.maximum(1, (length - order if order < 6 else length / 6 - order + 6).round())
        written = np.maximum(1, (size * rng.normal(1.0, 0.1, n)).round())
        columns += [written, size, rng.binomial(np.minimum(written, size).astype(int), quality ** (1 + order / 3))]
    return np.stack(columns, axis=1).astype(float)


def test_corpus_chrf() -> None:
    """Bootstrap intervals of 200 segments, 1,500 experiments (error 0.6 points), around the score of a million segments."""
    rng = np.random.default_rng(11)
    truth = np.mean([stats.Corpora.of(segments(rng, 200_000), "chrf").value for _ in range(5)])
    hits = 0
    for _ in range(1500):
        sample = stats.Corpora.of(segments(rng, 200), "chrf")
        _, (low, high) = stats.bootstrap_interval(bootstrap_scores([sample], 1000, 1)[0])
        hits += bool(low <= truth <= high)
    assert 0.94 < hits / 1500 < 0.96, hits / 1500


def test_paired_difference_of_accuracies() -> None:
    """Computed exactly over the trinomial of (lost, won), averaged over a grid of discordant shares."""
    n, z = 200, 1.959964
    covered = []
    for lost, won in ((0.05, 0.05), (0.05, 0.1), (0.1, 0.2), (0.15, 0.15), (0.02, 0.06)):
        total = 0.0
        discordant = binomial(n, np.array([lost + won]))[0]
        for d in range(n + 1):
            if discordant[d] < 1e-10:
                continue
            wins = binomial(d, np.array([won / (lost + won)]))[0]
            for w in range(d + 1):
                _, (low, high) = stats.matched_difference(d - w, w, n, z)
                total += discordant[d] * wins[w] * (low <= won - lost <= high)
        covered.append(total)
    assert all(0.94 < share < 0.965 for share in covered) and 0.945 < np.mean(covered) < 0.96, covered


def test_false_alarms_are_rare() -> None:
    """Two equal models: McNemar's exact p-value is below 0.05 at most 5 times in 100, by exact computation."""
    for discordant in (10, 40, 200):
        chance = binomial(discordant, np.array([0.5]))[0]
        alarms = sum(chance[k] for k in range(discordant + 1) if stats.mcnemar_exact(k, discordant - k) <= 0.05)
        assert 0.01 < alarms <= 0.05
