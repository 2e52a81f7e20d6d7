"""The comparison notices another prompt, another decision and another log-likelihood."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "parity_indic.py"
OURS = [{"pairs": [["", " a"], ["", " b"]], "responses": [{"loglikelihoods": [-1.0, -2.0]}], "scores": {"acc": {"value": 1.0}}}]
THEIRS = [{"pairs": [["", " a"], ["", " b"]], "lls": [-1.0, -2.0], "acc": 1.0}]


@pytest.fixture(scope="module")
def compare() -> Any:
    spec = importlib.util.spec_from_file_location("parity_indic", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compare


def test_equal_dumps_are_equal(compare: Any) -> None:
    assert compare(OURS, THEIRS) == {"documents": 1, "prompts": 1, "decisions": 1, "largest": 0.0, "ours": 1.0, "theirs": 1.0}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"pairs": [["", "a"], ["", " b"]]}, {"prompts": 0}),
        ({"lls": [-3.0, -2.0]}, {"decisions": 0, "largest": 2.0}),
        ({"lls": [-1.5, -2.0]}, {"decisions": 1, "largest": 0.5}),
        ({"acc": 0.0}, {"ours": 1.0, "theirs": 0.0}),
    ],
)
def test_every_difference_is_noticed(compare: Any, change: dict[str, Any], found: dict[str, Any]) -> None:
    theirs = copy.deepcopy(THEIRS)
    theirs[0].update(change)
    got = compare(OURS, theirs)
    assert {name: got[name] for name in found} == found


def test_a_missing_document_is_an_error(compare: Any) -> None:
    with pytest.raises(ValueError, match="shorter"):
        compare(OURS, [])
