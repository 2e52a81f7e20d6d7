"""Looking often finds nothing that is not there, asks less, and goes on where it was interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import evalkit as package
from benchmarks.gate_sequential import many
from evalkit.gate import Policy
from evalkit.gate.measuring import shuffled
from evalkit.gate.sequential import LOOKS, Watch, first, fractions
from evalkit.stats.spending import nominal_levels, spent
from evalkit.types import Doc
from tests.conftest import Evalkit


def test_the_levels_spend_alpha_and_no_more() -> None:
    levels = nominal_levels(fractions(), 0.05)
    assert levels == sorted(levels) and levels[-1] < 0.05 and spent(1, 0.05) == pytest.approx(0.05)
    walks = np.random.default_rng(1).standard_normal((200_000, LOOKS)).cumsum(axis=1) / np.sqrt(np.arange(1, LOOKS + 1))
    bounds = np.array([NormalDist().inv_cdf(1 - level) for level in levels])
    crossed = (walks > bounds).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.002)
    assert (walks > 1.645).any(axis=1).mean() > 0.15  # what peeking at a fixed test would do
    assert nominal_levels([1.0], 0.05) == [pytest.approx(0.05, rel=1e-6)]


def test_it_is_right_and_asks_less() -> None:
    """200 candidates a line; `python -m benchmarks.gate_sequential` has more."""
    rng = np.random.default_rng(2)
    policy = Policy(tolerance=0.03)
    same = many(rng, 100, 2000, [0.0], policy)
    assert same.outcomes["pass"] >= 95 and np.mean(same.asked) < 0.5
    worse = many(rng, 100, 2000, [0.08], policy)
    assert worse.outcomes["regression"] >= 95 and np.mean(worse.asked) < 0.5
    edge = many(rng, 200, 1000, [0.03], policy)
    assert edge.outcomes["pass"] <= 18 and edge.outcomes["regression"] <= 18  # 5% and two and a half standard errors


def test_the_order_is_random_the_same_and_keeps_passages_together() -> None:
    docs = [Doc(f"test/{i}", {}, cluster=f"p{i % 7}") for i in range(70)]
    order = shuffled(docs)
    assert order == shuffled(docs[::-1]) and order != docs
    labels = [doc.cluster for doc in order]
    assert [a for a, b in zip(labels, [None, *labels], strict=False) if a != b] == list(dict.fromkeys(labels))
    alone = shuffled([Doc(f"test/{i}", {}) for i in range(100)])
    early = {int(doc.id.partition("/")[2]) for doc in alone[: first(alone, 0)]}
    assert min(early) < 50 < max(early)  # from everywhere, not from the front of the file
    assert [first(alone, look) for look in (0, 4, 9)] == [10, 50, 100]


def base_run(folder: Path) -> None:
    package.evaluate("fake", ["hellaswag", "gsm8k"], data="samples", run_dir=folder, progress=False)


def test_a_candidate_is_measured_until_it_is_known(evalkit: Evalkit) -> None:
    """On the command line: the candidate of another seed answers otherwise; the same words again ask nothing."""
    base_run(Path("base"))
    words = ("gate", "base", "model=fake", "data=samples", "run_dir=candidate", "tolerance=60%", "mean=50%", "out=told")
    said = evalkit(*words)
    assert said.code == 0, said.err + said.out
    assert "look 1 of 10:" in said.err and "documents were asked" in " ".join(said.out.split())
    kept = len(Path("candidate/journal.jsonl").read_text(encoding="utf-8").splitlines())
    told = json.loads(Path("told/gate.json").read_text(encoding="utf-8"))
    assert told["decision"] == "pass" and any("at look" in row["reason"] for row in told["tasks"])
    again = evalkit(*words)
    assert (again.code, len(Path("candidate/journal.jsonl").read_text(encoding="utf-8").splitlines())) == (0, kept)
    scores = json.loads(Path("candidate/scores.json").read_text(encoding="utf-8"))
    if any(task["summaries"][task["headline"]]["n"] < task["n_docs"] for task in scores["tasks"].values()):
        assert scores["complete"] is False
        late = evalkit("gate", "base", "candidate")
        assert late.code == 11 and "unfinished" in " ".join(late.out.split())


def test_words_that_make_no_candidate(evalkit: Evalkit) -> None:
    base_run(Path("base"))
    assert "task= out" in evalkit("gate", "base", "model=fake", "data=samples", "task=mmlu").error
    assert evalkit("gate", "base", "model=nothing", "data=samples").code == 2
    assert "unknown word 'data=samples'" in evalkit("gate", "base", "data=samples").error


def test_the_mean_is_looked_at_while_all_tasks_are_equally_far() -> None:
    from benchmarks.invented import Made, run_of

    values = {f"t{i}": np.array([1.0, 0.0, 1.0] * 300) for i in range(3)}
    watch = Watch(run_of("base", {name: Made(v) for name, v in values.items()}), Policy(mean=0.0))
    docs = [f"test/{i}" for i in range(900)]
    seen: list[set[str]] = []
    for look in range(LOOKS):
        seen.append(set(watch.active))
        part: dict[str, Any] = {name: Made(v[: first(docs, look)], docs[: first(docs, look)]) for name, v in values.items()}
        if watch.look(look, run_of("candidate", part)):
            break
    assert all(active == {"t0", "t1", "t2"} for active in seen) and len(seen) == LOOKS  # nothing is tolerated in the mean
    assert watch.decision is not None and watch.decision.outcome == "not enough evidence"
