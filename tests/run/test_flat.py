"""Log-likelihoods that tell no choice from another are no answer: their own status, on every way an answer takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.api import evaluate
from evalkit.metrics import Accuracy, TrueMass
from evalkit.metrics.base import flags_of, usable
from evalkit.models.base import WorkItem
from evalkit.models.fake import FakeModel
from evalkit.run.score import judged
from evalkit.store.journal import Journal
from evalkit.types import Doc, Response

INF = math.inf


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ((-1.0, -2.0), "ok"),
        ((-1.0, -1.0, -2.0), "ok"),  # two of three: the first of equals is chosen, as the reference does
        ((-1.0, -INF), "ok"),
        ((-3.5, -3.5), "flat"),
        ((0.0, 0.0, 0.0, 0.0), "flat"),
        ((-INF, -INF), "flat"),
        ((-INF,), "flat"),
        ((-2.0,), "ok"),
        ((math.nan, -1.0), "error"),
        ((INF, -1.0), "error"),
        ((math.nan, math.nan), "error"),
        ((INF, INF), "error"),
    ],
)
def test_what_is_an_answer(values: tuple[float, ...], status: str) -> None:
    found = judged(Response("k", "ok", loglikelihoods=values, greedy=(False,) * len(values)))
    assert found.status == status
    assert bool(usable([found])) == (status == "ok") and ("flat" in flags_of([found])) == (status == "flat")
    assert judged(found) == found


def test_a_text_is_not_judged() -> None:
    for response in (Response("k", "ok", text="a"), Response("k", "error", error="gone"), Response("k", "ok", loglikelihoods=())):
        assert judged(response) == response


def test_no_metric_scores_it() -> None:
    doc = Doc("d", {"mc2": [[0, 1], [1, 0]]}, choices=("a", "b"), target=0)
    flat = judged(Response("k", "ok", loglikelihoods=(-1.0, -1.0)))
    for metric in (Accuracy(), Accuracy(normalize="bytes"), TrueMass()):
        score = metric.score(doc, [flat])
        assert score.value is None and score.flags == ("flat",)
        assert (metric.summarize([score]).n, metric.summarize([score]).n_not_measured) == (0, 1)


class Flat(FakeModel):
    """Likes every choice alike for some documents."""

    everything = False

    def answer(self, items: Sequence[WorkItem], done: object) -> Iterator[list[Response]]:
        odd = {item.key for item in items if self.everything or item.doc_id.endswith(("/2", "/5", "/7"))}
        for batch in super().answer(items, done):  # type: ignore[arg-type]
            yield [
                replace(r, loglikelihoods=(-INF if self.seed else -4.0,) * len(r.loglikelihoods or ())) if r.key in odd else r
                for r in batch
            ]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("task", ["hellaswag", "mmlu", "winogrande", "truthfulqa"])
def test_a_run_counts_it_apart(tmp_path: Path, task: str, seed: int) -> None:
    run = evaluate(Flat(seed=seed), task, data="samples", run_dir=tmp_path, progress=False)
    result = run.tasks[task]
    assert result.counts["flat"] == result.score.n_not_measured > 0 and result.score.n == result.n_docs - result.counts["flat"]
    assert run.complete and "unanswered" not in result.counts and "error" not in result.counts
    lines = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    flat = [line for line in lines if line["responses"][0]["status"] == "flat"]
    assert len(flat) == result.counts["flat"]
    assert all(score["value"] is None and score["flags"] == ["flat"] for line in flat for score in line["scores"].values())
    asked = Flat(seed=seed)
    evaluate(asked, task, data="samples", run_dir=tmp_path, progress=False)
    assert asked.batches_run == 0  # it was an answer to the request, so it is not asked again


def test_a_model_that_likes_everything_alike_has_no_score(evalkit: Callable[..., Any], tmp_path: Path) -> None:
    model = Flat()
    model.everything = True
    run = evaluate(model, "hellaswag", data="samples", run_dir=tmp_path / "run", progress=False)
    assert run.tasks["hellaswag"].score.value is None
    said = " ".join(evalkit("report", str(tmp_path / "run"), "detail=all").out.split())
    assert (
        "not measured" in said
        and "12 not measured (log-likelihoods all equal or -inf, so nothing was chosen, left out of the score)" in said
    )


def test_answers_of_an_older_journal_are_judged_when_they_are_scored_again(evalkit: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert evalkit("run", "task=hellaswag", "model=fake", "data=samples", f"run_dir={folder}").code == 0
    with Journal(folder) as journal:
        old = [replace(r, loglikelihoods=(-1.0,) * 4) for r in list(journal.answers.values())[:3]]
        kept = {**journal.answers, **{r.key: r for r in old}}
    (folder / "journal.jsonl").unlink()
    with Journal(folder) as journal:
        journal.append(kept.values())
    assert evalkit("score", str(folder)).code == 0
    result = json.loads((folder / "scores.json").read_text())["tasks"]["hellaswag"]
    assert result["counts"]["flat"] == 3 and result["summaries"]["acc_norm"]["n"] == 9
    assert evalkit("report", str(folder)).code == 0
