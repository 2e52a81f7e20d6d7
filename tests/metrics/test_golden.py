"""Extraction and exact match against recorded answers of lm-evaluation-harness 0.4.13 (tests/golden/metrics/record.py)."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.metrics import ExactMatch, RegexExtract
from evalkit.types import Doc, Response

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "metrics" / "lm_eval.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN["extracted"], ids=lambda c: f"{c['pattern']}[{c['select']}]")
def test_extraction_is_lm_evals(case: dict[str, Any]) -> None:
    extract = RegexExtract(case["pattern"], pick="first" if case["select"] == 0 else "last")
    for text, found in zip(case["texts"], case["found"], strict=True):
        got = extract(text)
        assert got == found or (got is None and found == "[invalid]"), text


@pytest.mark.parametrize("rule", GOLDEN["rules"])
def test_exact_match_is_lm_evals(rule: str) -> None:
    options = GOLDEN["rules"][rule]
    metric = ExactMatch(
        ignore_patterns=options["regexes_to_ignore"] or (),
        ignore_case=options["ignore_case"],
        ignore_punctuation=options["ignore_punctuation"],
    )
    cases = [case for case in GOLDEN["equal"] if case["rule"] == rule]
    assert {case["value"] for case in cases} == {0.0, 1.0}
    for case in cases:
        doc = Doc("0", {}, target=tuple(case["golds"]))
        assert metric.score(doc, [Response("k", "ok", text=case["prediction"])]).value == case["value"], case


def test_strip_is_lm_evals_remove_whitespace() -> None:
    metric = ExactMatch(strip=True)
    assert [metric.answer(text) for text in GOLDEN["strip"][0]] == GOLDEN["strip"][1]
