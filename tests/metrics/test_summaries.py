"""What all metrics share: denominators, groups, macro means, clusters, intervals, cheap imports."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from evalkit import stats
from evalkit.metrics import Accuracy
from evalkit.metrics.base import mean_summary
from evalkit.types import SampleScore


def samples(values: Sequence[float | None], **labels: str | None) -> list[SampleScore]:
    return [SampleScore(f"{labels}{i}", v, **labels) for i, v in enumerate(values)]  # type: ignore[arg-type]


def test_mean_stderr_and_wilson() -> None:
    got = Accuracy().summarize(samples([1, 0, 0, 1, 1, 0, 1, None]))
    assert got.value == pytest.approx(4 / 7)
    assert got.stderr == pytest.approx(0.20203050891044214)  # lm-eval's mean_stderr of the same values
    assert got.ci == stats.wilson(4, 7)
    assert (got.n, got.n_not_measured, got.groups, got.macro) == (7, 1, {}, None)


def test_nothing_and_one() -> None:
    nothing, one = Accuracy().summarize([]), Accuracy().summarize(samples([1.0]))
    assert (nothing.value, nothing.stderr, nothing.ci, nothing.n) == (None, None, None, 0)
    assert (one.value, one.stderr, one.ci, one.n) == (1.0, None, None, 1)
    assert "ci:none" in one.signature


def test_groups_weigh_by_size_and_macro_does_not() -> None:
    scores = [*samples([1, 1, 1, 0], group="algebra"), *samples([0, 0], group="law"), *samples([None], group="art"), *samples([1, 1])]
    got = Accuracy().summarize(scores)
    assert got.value == pytest.approx(5 / 8)
    assert {k: (g.value, g.n) for k, g in got.groups.items()} == {"algebra": (0.75, 4), "law": (0, 2), "art": (None, 0), "other": (1, 2)}
    assert got.macro == pytest.approx((0.75 + 0 + 1) / 3)
    assert (got.groups["art"].n_not_measured, got.n_not_measured) == (1, 1)


def test_languages_come_before_groups_only_when_there_are_several() -> None:
    hindi, tamil = samples([1, 0], language="hi", group="x"), samples([1, 1], language="ta", group="x")
    assert list(Accuracy().summarize([*hindi, *tamil]).groups) == ["hi", "ta"]
    assert list(Accuracy().summarize(hindi).groups) == ["x"]
    assert Accuracy().summarize(samples([1, 0], language="hi")).groups == {}


def test_clusters_widen_the_interval() -> None:
    scores = [s for c in "abcdef" for s in samples([float(c in "abc")] * 5, cluster=c)]
    got, loose = Accuracy().summarize(scores), Accuracy().summarize(samples([1.0] * 15 + [0.0] * 15))
    assert got.stderr == pytest.approx(stats.stderr_of_mean([1, 1, 1, 0, 0, 0]))
    assert got.ci is not None and loose.ci is not None
    assert got.ci[1] - got.ci[0] > loose.ci[1] - loose.ci[0]
    assert "ci:cluster-t" in got.signature and "ci:wilson" in loose.signature
    assert got.ci[0] >= 0 and got.ci[1] <= 1


def test_clusters_that_say_nothing() -> None:
    alone = [s for c in "abcd" for s in samples([1.0], cluster=c)] + samples([0.0])
    assert "ci:wilson|" in Accuracy().summarize(alone).signature
    subject = samples([1, 0, 1], cluster="law", group="law")
    assert "ci:wilson|" in Accuracy().summarize(subject).signature


def test_clusters_that_do_not_differ_are_not_certainty() -> None:
    got = Accuracy().summarize([s for c in "abc" for s in samples([1.0] * 4, cluster=c)])
    assert got.value == 1.0
    assert got.ci == stats.wilson(3, 3)
    assert "ci:wilson-clusters" in got.signature
    halves = Accuracy().summarize([s for c in "ab" for s in samples([1.0, 0.0], cluster=c)])
    assert (halves.stderr, halves.ci) == (0.0, stats.wilson(1, 2))


def test_values_between_nought_and_one_use_t() -> None:
    values = [0.25, 0.5, 0.75, 1.0]
    got = mean_summary("m", samples([*values]), [])
    assert got.ci == pytest.approx((max(0.0, 0.625 - 3.182446305 * got.stderr), 1.0))  # type: ignore[operator]
    free = mean_summary("m", samples([*values]), [], bounds=None)
    assert free.ci == pytest.approx(stats.t_interval(0.625, got.stderr or 0, 3))


def test_importing_metrics_is_cheap() -> None:
    heavy = ("torch", "transformers", "datasets", "pandas", "matplotlib", "evaluate", "sacrebleu", "numpy", "scipy", "hydra")
    code = f"import sys, evalkit.metrics, evalkit.stats, evalkit.text; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
