"""Documents translated paragraph by paragraph."""

from __future__ import annotations

import pytest

from evalkit.metrics import ChrF, SegmentChrF
from evalkit.metrics.by_length import by_length
from evalkit.metrics.segment_chrf import paragraphs
from evalkit.types import Doc, Response

DOC = Doc("hi/900/0", {"length": 900, "depths": [25, 75]}, target=("नदी शांत है।", "पहाड़ ऊँचा है।"), language="hi")


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ("1. one\n2. two", ["one", "two"]),
        ("१. one\nmore\n\n२) two", ["one more", "two"]),
        ("one\n2. two\n3. three", ["one", "two"]),
        ("2. two", ["", "two"]),
        ("one\n\ntwo", ["one", "two"]),
        ("one", ["one", ""]),
        ("", ["", ""]),
    ],
)
def test_paragraphs_are_known_by_their_numbers(said: str, parts: list[str]) -> None:
    assert list(paragraphs(said, 2)) == parts


def test_a_document_s_score_is_the_corpus_score_of_its_paragraphs() -> None:
    metric, plain = SegmentChrF(name="chrf_pp"), ChrF(name="chrf_pp")
    answer = Response("k", "ok", text="१. नदी शांत है।\n२. पहाड़ नीचा था।")
    said = ("नदी शांत है।", "पहाड़ नीचा था।")
    texts = [Response("k", "ok", text=text) for text in said]
    each = [plain.score(Doc("x", {}, target=gold), [text]) for gold, text in zip(DOC.target, texts, strict=True)]
    scored = metric.score(DOC, [answer])
    assert scored.value == plain.total([sum(column) for column in zip(*(one.stats for one in each), strict=True)])
    assert metric.found(DOC, answer) == tuple(one.value for one in each)
    assert each[0].value == 1.0 and 0 < (each[1].value or 0) < 1


def test_scores_by_place_in_the_document() -> None:
    metric, answer = SegmentChrF(name="chrf_pp"), Response("k", "ok", text="1. नदी शांत है।")
    cells = by_length(metric, [DOC], [metric.score(DOC, [answer])], {DOC.id: [answer]})
    assert [(cell.depth, cell.value) for cell in cells if cell.depth is not None] == [(20, 1.0), (70, 0.0)]
