"""Scores by length: effective lengths, a card's claim, tables and pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalkit.cards import find_card
from evalkit.metrics import StringMatch
from evalkit.metrics.by_length import by_length
from evalkit.report import build
from evalkit.report.lengths import curves, effective_length
from evalkit.report.plots.lengths import length_charts
from evalkit.results import RunResult, TaskResult
from evalkit.store.scores import from_json, to_json
from evalkit.types import Doc, LengthScore, Response, Summary

SURE, FAIR, BAD = (1.0, (0.9, 1.0)), (0.9, (0.8, 0.95)), (0.3, (0.1, 0.5))


Told = dict[int, tuple[float, tuple[float, float]]]


def scores(language: str | None, told: Told) -> tuple[LengthScore, ...]:
    found = [LengthScore(language, length, None, 20, value, ci) for length, (value, ci) in told.items()]
    return (*found, *(LengthScore(language, length, 40, 20, value) for length, (value, _) in told.items()))


def run(*cells: LengthScore, model: str = "krutrim2_12b") -> RunResult:
    summary = Summary("string_match", 0.5, 0.1, (0.3, 0.7), 20)
    task = TaskResult("ruler_niah_depths", "string_match", 0, 1, {"string_match": summary}, 20, 20, by_length=cells)
    return RunResult(model, {"ruler_niah_depths": task})


@pytest.mark.parametrize(
    ("told", "whole", "alone"),
    [
        ({4096: SURE, 8192: SURE}, 8192, 8192),
        ({4096: SURE, 8192: FAIR, 16384: SURE}, 4096, 16384),  # a gap ends it
        ({8192: SURE, 4096: BAD}, None, None),  # the shorter one counts first
        ({4096: FAIR}, None, 4096),
    ],
)
def test_effective_length_needs_every_shorter_one(told: Told, whole: int | None, alone: int | None) -> None:
    (found,) = curves(run(*scores("hi", told)))
    assert effective_length(found.mean) == whole
    assert effective_length(found.mean, interval=False) == alone


def test_the_claim_of_a_card_is_judged_language_by_language() -> None:
    cells = [*scores("en", {4096: SURE, 131072: SURE}), *scores("hi", {4096: SURE, 131072: BAD}), *scores("ta", {4096: SURE})]
    report = build([run(*cells)], [find_card("krutrim2")])
    (claim,) = [line for line in report.legend if "131,072 tokens" in line and "claims" in line]
    assert claim.endswith(
        "reached in English; not reached in Hindi (effective length 4,096); "
        "not measured in Tamil (above the bar up to 4,096, the longest measured)."
    )
    assert not any("claims" in line for line in build([run(*cells, model="smollm2_135m")], [find_card("krutrim2")]).legend)


def test_tables_have_lengths_and_depths() -> None:
    lengths, depths = build([run(*scores("hi", {4096: SURE, 8192: BAD}))]).lengths
    assert [cell.text for cell in lengths.rows[0]][2:] == ["1.000 [0.900, 1.000]", "0.300 [0.100, 0.500]", "4,096", "4,096"]
    assert [cell.text for cell in depths.rows[1]] == ["Hindi", "8,192", *[""] * 4, "0.30", *[""] * 5]


def test_a_mean_over_tasks_joins_their_intervals() -> None:
    one = run(*scores("hi", {4096: SURE}))
    both = replace(one, tasks={**one.tasks, "ruler_vt_in": replace(one.tasks["ruler_niah_depths"], by_length=scores("hi", {4096: BAD}))})
    (found,) = curves(both)
    score = found.mean[4096]
    assert score.value == pytest.approx(0.65) and score.ci == pytest.approx((0.65 - 0.1118, 0.65 + 0.1), abs=1e-4)


def test_a_score_that_is_no_mean_has_no_effective_length() -> None:
    one = run(*scores("hi", {4096: SURE}))
    task = one.tasks["ruler_niah_depths"]
    corpus = {"string_match": replace(task.score, corpus="chrf")}
    lengths, _ = build([replace(one, tasks={"flores_doc_en_xx": replace(task, summaries=corpus)})]).lengths
    assert lengths.columns[-1].title == "4,096" and "flores_doc_en_xx" in lengths.title


def test_scores_are_read_back() -> None:
    one = run(*scores(None, {4096: SURE}))
    assert from_json(to_json(one)).tasks == one.tasks


def test_pictures_are_drawn_for_both() -> None:
    plots = length_charts(run(*scores("hi", {4096: SURE}), *scores("ta", {4096: BAD})), "model", "1")
    assert [plot.name for plot in plots] == ["lengths-1", "depths-1"]
    assert all(plot.svg.startswith("<svg") and len(plot.png) > 5000 for plot in plots)


def test_values_of_a_document_count_where_they_stand() -> None:
    metric = StringMatch()
    doc = Doc("4096/0", {"length": 4096, "depths": [5, 95]}, target=("111", "222"))
    answer = Response("k", "ok", text="222")
    cells = by_length(metric, [doc], [metric.score(doc, [answer])], {doc.id: [answer]})
    assert [(cell.depth, cell.n, cell.value) for cell in cells] == [(None, 1, 0.5), (0, 1, 0.0), (90, 1, 1.0)]
