"""Pass, regression, not enough evidence, cannot compare: each only when it is so, and misuse is refused in one line."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from benchmarks.gate import rates
from benchmarks.invented import Made, answers, changed, run_of
from evalkit import stats
from evalkit.gate import MEAN, Decision, Policy, decide, policy_of, read_policy, schema
from evalkit.store import SavedRun, load_run
from tests.conftest import Evalkit

DOCS = Path(__file__).resolve().parents[2] / "docs"


def decided(base: dict[str, Any], candidate: dict[str, Any], **policy: Any) -> Decision:
    def saved(name: str, tasks: dict[str, Any]) -> SavedRun:
        return run_of(name, {k: Made(np.array(v, dtype=float)) for k, v in tasks.items()})

    return decide(saved("base", base), saved("candidate", candidate), policy_of(policy))


def lost(values: list[float], n: int) -> list[float]:
    """The first n right answers are lost."""
    left = n
    made = []
    for value in values:
        made.append(0.0 if value and left > 0 else value)
        left -= bool(value)
    return made


GOOD = [1.0, 0.0, 1.0] * 400


def test_the_four_answers() -> None:
    same = decided({"a": GOOD, "b": GOOD}, {"a": GOOD, "b": GOOD})
    assert (same.outcome, same.exit_code) == ("pass", 0) and same.mean is not None and same.mean.outcome == "pass"
    worse = decided({"a": GOOD, "b": GOOD}, {"a": lost(GOOD, 100), "b": GOOD})
    assert (worse.outcome, worse.exit_code) == ("regression", 10)
    assert [row.outcome for row in worse.rows] == ["regression", "pass", "regression"]
    few = decided({"a": GOOD[:30]}, {"a": GOOD[:30]})
    assert (few.outcome, few.exit_code) == ("not enough evidence", 12)
    gone = decided({"a": GOOD, "b": GOOD}, {"a": GOOD})
    assert (gone.outcome, gone.exit_code) == ("cannot compare", 11)


def test_thirty_equal_documents_are_not_called_a_pass_and_it_says_what_is_missing() -> None:
    """The comparison of thirty documents that could not have shown a loss of 25 points."""
    row = decided({"a": GOOD[:30]}, {"a": GOOD[:30]}).tasks[0]
    assert row.power == 0 and row.needed == 202 and stats.fewest(0.03, 0.05) == 99
    assert "would pass 0% of the time" in row.reason and "about 202 documents are needed for 80%" in row.reason
    assert row.interval is not None and row.interval[0] < 0 < 0.03 < row.interval[1]


def test_tiers() -> None:
    """Required: must be shown to be within. Supporting: must not be shown to be beyond. Advisory: told only."""
    base, few = {"a": GOOD, "b": GOOD[:30]}, {"a": GOOD, "b": GOOD[:30]}
    bad = {"a": GOOD, "b": lost(GOOD[:30], 15)}
    tiers = ("required", "supporting", "advisory")
    outcomes = [decided(base, few, tasks={"b": {"tier": tier}}).outcome for tier in tiers]
    assert outcomes == ["not enough evidence", "pass", "pass"]
    assert [decided(base, bad, tasks={"b": {"tier": tier}}).outcome for tier in tiers] == ["regression", "regression", "pass"]
    assert decided(base, few, others="advisory").outcome == "cannot compare"  # nothing is required, so nothing can pass
    left = decided(base, bad, others="ignore", tasks={"a": {}})
    assert left.outcome == "pass" and [row.task for row in left.tasks] == ["a"] and "left out by the policy: b" in left.warnings[0]


def test_a_missing_task_is_what_the_policy_says() -> None:
    both, one = {"a": GOOD, "b": GOOD}, {"a": GOOD}
    outcomes = [decided(both, one, missing=rule).outcome for rule in ("refuse", "fail", "ignore")]
    assert outcomes == ["cannot compare", "regression", "pass"]
    assert decided(one, both, tasks={"b": {}}).outcome == "cannot compare"
    assert decided(one, both).outcome == "pass" and "measured by the candidate alone" in decided(one, both).warnings[0]


def test_nothing_tolerated_lets_only_the_better_pass() -> None:
    noise = changed(np.random.default_rng(1), np.array(GOOD), 0.02, 0.04).tolist()
    for candidate in (GOOD, noise):
        row = decided({"a": GOOD}, {"a": candidate}, tolerance=0).tasks[0]
        assert row.outcome != "pass" and row.needed is None
    better = [1.0] * 200 + GOOD[200:]
    assert decided({"a": GOOD}, {"a": better}, tolerance=0).outcome == "pass"


def test_a_relative_tolerance_is_a_share_of_the_base() -> None:
    rare = [1.0] * 60 + [0.0] * 1140  # a score of 5 points: 3 points of it are most of it
    half = lost(rare, 20)
    assert decided({"a": rare}, {"a": half}).outcome == "pass"
    row = decided({"a": rare}, {"a": half}, tasks={"a": {"tolerance": "10%", "relative": True}}).tasks[0]
    assert row.outcome == "regression" and row.loss == pytest.approx(20 / 1200)
    assert decided({"a": GOOD}, {"a": lost(GOOD, 20)}, tasks={"a": {"tolerance": "10%", "relative": True}}).outcome == "pass"
    few = decided({"a": GOOD[:20]}, {"a": GOOD[:20]}, tasks={"a": {"tolerance": "5%", "relative": True}})
    assert few.outcome == "not enough evidence"  # equal answers of twenty documents are no proof


def test_less_is_better_is_understood(saved_runs: Any) -> None:
    values = (np.random.default_rng(3).random(400) * 0.5).tolist()
    more = {"summary": {"higher_is_better": False}}
    base = load_run(saved_runs("base", {"t": values}, **more))
    up = load_run(saved_runs("up", {"t": [v + 0.1 for v in values]}, **more))
    down = load_run(saved_runs("down", {"t": [v - 0.1 for v in values]}, **more))
    assert (decide(base, up).outcome, decide(base, down).outcome) == ("regression", "pass")
    assert decide(base, up).tasks[0].loss == pytest.approx(0.1)


def test_graded_scores_that_never_change_are_not_certain() -> None:
    values = (np.random.default_rng(4).random(1000)).tolist()
    assert decided({"a": values[:50]}, {"a": values[:50]}).outcome == "not enough evidence"
    assert decided({"a": values}, {"a": values}).outcome == "pass"


def test_corpus_scores_and_passages() -> None:
    rng = np.random.default_rng(5)
    wanted = rng.integers(5, 30, 600)

    def made(share: float) -> Made:
        right = rng.binomial(wanted, share)
        table = np.stack([right, right, wanted, 0 * wanted, 0 * wanted + 1], axis=1).astype(float)
        return Made(right / wanted, stats=table, corpus="entity_recall", languages=["hi", "ta"] * 300)

    base, same, worse = made(0.6), made(0.6), made(0.5)
    policy = Policy(tolerance=0.04)
    assert decide(run_of("a", {"t": base}), run_of("b", {"t": same}), policy).outcome == "pass"
    assert decide(run_of("a", {"t": base}), run_of("b", {"t": worse}), policy).outcome == "regression"
    clusters = [f"p{i // 60}" for i in range(1200)]
    first, second = (run_of(n, {"t": Made(np.array(v), clusters=clusters)}) for n, v in (("a", GOOD), ("b", lost(GOOD, 40))))
    assert decide(first, second).outcome == "not enough evidence"  # one passage of twenty went wrong altogether
    assert decided({"t": GOOD}, {"t": lost(GOOD, 40)}, tolerance=0.05).outcome == "pass"


def test_wrong_decisions_are_rare() -> None:
    """What `python -m benchmarks.gate` shows at length: 300 suites of ten tasks whose documents go together."""
    rng = np.random.default_rng(6)
    wide = Policy(mean=0.9)
    one = rates(rng, 300, 1000, [0.03] + [0.0] * 3, wide).outcomes
    assert one["pass"] <= 24 and one["regression"] <= 24  # 5% of 300 and two and a half standard errors
    every = rates(rng, 300, 300, [0.03] * 4, wide).outcomes
    assert every["pass"] <= 24 and every["regression"] <= 24
    alone = rates(rng, 300, 1000, [0.03], wide).outcomes
    assert alone["pass"] <= 24 and alone["regression"] <= 24


def test_power_is_what_it_says() -> None:
    seen = rates(np.random.default_rng(7), 600, 600, [0.0], Policy(mean=0.9))
    assert abs(np.mean(seen.passed["task"]) - np.mean(seen.said["task"])) < 0.05


def trinomial(n: int, lose: float, win: float) -> list[tuple[int, int, float]]:
    """(lost, won, probability), without what is next to impossible."""

    def binomial(k: int, m: int, p: float) -> float:
        from math import exp, lgamma, log, log1p

        if p in (0.0, 1.0):
            return float(k == m * p)
        return exp(lgamma(m + 1) - lgamma(k + 1) - lgamma(m - k + 1) + k * log(p) + (m - k) * log1p(-p))

    found = []
    for a in range(n + 1):
        first = binomial(a, n, lose)
        if first > 1e-9:
            found += [(a, b, first * second) for b in range(n - a + 1) if (second := binomial(b, n - a, win / (1 - lose))) > 1e-9]
    return found


@pytest.mark.parametrize("n", [50, 100, 200])
@pytest.mark.parametrize("tolerance", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("win", [0.0, 0.02, 0.05])
def test_matched_pairs_keep_their_error_rates_exactly(n: int, tolerance: float, win: float) -> None:
    """Computed, not sampled: the loss is exactly the tolerance."""
    outcomes = trinomial(n, tolerance + win, win)
    wrong_pass = sum(p for a, b, p in outcomes if stats.matched_at_least(a, b, n, tolerance) <= 0.05)
    wrong_regression = sum(p for a, b, p in outcomes if stats.matched_at_most(a, b, n, tolerance) <= 0.05)
    assert wrong_pass <= 0.06 and wrong_regression <= 0.055
    even = trinomial(n, win + 0.02, win + 0.02)
    assert sum(p for a, b, p in even if stats.matched_at_least(a, b, n, 0.0) <= 0.05) <= 0.05
    assert sum(p for a, b, p in even if stats.matched_at_most(a, b, n, 0.0) <= 0.05) <= 0.05


def test_the_interval_says_what_the_tests_say() -> None:
    for a, b, n in ((0, 0, 400), (10, 3, 400), (3, 10, 400), (60, 20, 400)):
        high = stats.highest(partial(stats.matched_at_least, a, b, n), 0.05)
        low = stats.lowest(partial(stats.matched_at_most, a, b, n), 0.05)
        assert low < (a - b) / n < high
        assert stats.matched_at_least(a, b, n, high + 1e-6) <= 0.05 < stats.matched_at_least(a, b, n, high - 1e-6)


def test_the_published_schema_is_the_policy_s() -> None:
    assert (DOCS / "gate.schema.json").read_text(encoding="utf-8") == schema()
    checked = json.loads(schema())
    jsonschema.validate({"tolerance": "2%", "tasks": {"a": {"tier": "required", "relative": True}}}, checked)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"treshold": 0.1}, checked)


BAD = [
    ("tolerance: 5", "tolerance=5 is 500 points; write 0.05 or 5% for 5 of them"),
    ("treshold: 0.01", "unknown setting 'treshold'; did you mean tolerance?"),
    ("tolerence: 0.01", "unknown setting 'tolerence'; did you mean tolerance?"),
    ("tolerance: 500", "tolerance=500 is 50,000 points; a scale has 100, and 0.01 or 1% is one"),
    ("tolerance: wide", "tolerance=wide is no size"),
    ("tolerance: -1%", "a tolerance is 0 or more"),
    ("tasks: {a: {tolerance: 150%}}", "tasks.a.tolerance=150% is 150 points; write 0.015 or 1.5%"),
    ("tasks: {a: {tier: requird}}", "tasks.a: tier=requird is none of required, supporting, advisory; did you mean required?"),
    ("tasks: {a: {teir: required}}", "tasks.a: unknown setting 'teir'; did you mean tier?"),
    ("tasks: [a]", "tasks is a list"),
    ("alpha: 5", "alpha=5: Expected `float` < 0.5"),
    ("missing: skip", "missing=skip is none of refuse, fail, ignore"),
    ("[1, 2]", "is no policy; it holds a list"),
    ("a: [", "is no YAML"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[text for text, _ in BAD])
def test_a_policy_that_does_not_fit_is_one_line(text: str, said: str, saved_runs: Any, evalkit: Evalkit) -> None:
    folders = [str(saved_runs(name, {"a": GOOD[:60]})) for name in "xy"]
    Path("policy.yaml").write_text(text, encoding="utf-8")
    found = evalkit("gate", *folders, "policy=policy.yaml")
    assert found.code == 2 and said in found.error, found.error


def test_misuse_is_refused(saved_runs: Any, evalkit: Evalkit) -> None:
    values = {"t": GOOD[:60]}
    base, same = str(saved_runs("base", values)), str(saved_runs("same", values))
    for more, said in (
        ({"result": {"version": 2}}, "task version 2, not 1"),
        ({"result": {"rows_sha256": "f" * 64}}, "different rows"),
        ({"prompt": "!"}, "the prompts differ on 60 of 60"),
        ({"complete": False, "result": {"n_docs": 90}}, "is unfinished"),
    ):
        found = evalkit("gate", base, str(saved_runs(f"x{abs(hash(said))}", values, **more)))
        assert found.code == 11 and said in " ".join(found.out.split()), found.out
    limited = evalkit("gate", base, str(saved_runs("limited", {"t": GOOD[:30]})))
    assert limited.code == 11 and "30 documents were measured by one run alone" in " ".join(limited.out.split())
    assert "documents: shared" in limited.out
    for words, said in (
        ((base, base), "are both"),
        ((base,), "needs two runs"),
        ((base, same, "treshold=1%"), "did you mean tolerance?"),
        ((base, same, "tolerance=5"), "is 500 points"),
        ((base, same, "policy=nowhere.yaml"), "is no file"),
        ((base, same, "ci=gitlab"), "junit=FILE"),
        (("schema", "x"), "no further words"),
        (("model=fake", base), "the base comes first; write evalkit gate BASE model=fake"),
        ((base, same, "task=t"), "task=t changes nothing: both runs are there"),
        ((base, same, "power=80"), "power=80 is no probability between 0 and 1"),
        (("paln", f"base={base}"), "paln is no run; did you mean plan?"),
        (("plan", f"base={base}", "treshold=1%"), "did you mean tolerance?"),
        (("plan", f"base={base}", "flips=5"), "is 500 points"),
    ):
        found = evalkit("gate", *words)
        assert found.code == 2 and said in found.error, found.err
    Path("p.yaml").write_text("tasks: {tt: {}}", encoding="utf-8")
    assert "names task 'tt', which neither run has; did you mean t?" in evalkit("gate", base, same, "policy=p.yaml").error


def test_settings_of_the_command_line_stand_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(yaml.safe_dump({"mean": "2%", "tolerance": 0.04, "tasks": {"a": None}}), encoding="utf-8")
    policy = read_policy(tmp_path / "p.yaml")
    assert policy.of_mean == 0.02 and policy.of("a") == (0.04, False) and policy.tier("a") == "required"
    from evalkit.commands.gate import policy_from

    both = policy_from({"policy": str(tmp_path / "p.yaml"), "tolerance": "5%", "alpha": "0.01"})
    assert both.of("a") == (0.05, False) and both.of_mean == 0.02 and both.alpha == 0.01


def test_twins_do_not_pass_the_mean_ten_times(saved_runs: Any) -> None:
    """Ten forms of one task are one task's evidence."""
    rng = np.random.default_rng(8)
    base = answers(rng, 150, 0.6)
    new = changed(rng, base, 0.04, 0.06)

    def decided_on(**more: Any) -> Decision:
        a, b = (run_of(n, {f"t{i}": Made(v, **more) for i in range(10)}) for n, v in (("a", base), ("b", new)))
        return decide(a, b)

    apart, twins = decided_on(), decided_on(rows="same")
    assert apart.mean is not None and twins.mean is not None and twins.mean.task == MEAN
    assert twins.mean.power is not None and apart.mean.power is not None and twins.mean.power < apart.mean.power / 2
