"""Answers without a model, scored by the same metric on the same documents."""

from __future__ import annotations

import pytest

from evalkit.errors import ConfigError
from evalkit.metrics import ChrF, CopyInput, EmptyAnswer, ExactMatch, ShuffledReferences, score_baselines
from evalkit.types import Doc

DOCS = [
    Doc("hi/0", {"incorrect": "वह जाती हूँ।"}, target="वह जाती है।", language="hi"),
    Doc("hi/1", {"incorrect": "मैं गया था।"}, target=("मैं गया था।", "मैं गई थी।"), language="hi"),
    Doc("hi/2", {"incorrect": "वे आया।"}, target="वे आए।", language="hi"),
    Doc("ta/0", {"incorrect": "நான் வந்தான்."}, target="நான் வந்தேன்.", language="ta"),
]


def test_empty_scores_nothing_and_a_copy_what_it_happens_to_get_right() -> None:
    scores = score_baselines([EmptyAnswer(), CopyInput("incorrect")], [ExactMatch(), ChrF(resamples=2)], DOCS)
    assert scores["exact_match"]["empty"].value == 0
    assert scores["exact_match"]["copy of the input"].value == 1 / 4
    assert scores["chrF++"]["empty"].value == 0
    assert 0.4 < (scores["chrF++"]["copy of the input"].value or 0) < 1
    assert scores["chrF++"]["copy of the input"].signature.startswith("chrF++|")


def test_shuffled_references_are_another_documents_of_the_same_language() -> None:
    given = ShuffledReferences().answers(DOCS)
    assert given == ShuffledReferences().answers(DOCS)
    own = ["वह जाती है।", "मैं गया था।", "वे आए।"]
    assert sorted(map(str, given[:3])) == sorted(own) and all(a != b for a, b in zip(given, own, strict=False))
    # Tamil has one document: there is nobody to take a reference from, and that is not a score of 0.
    assert given[3] is None
    summary = score_baselines([ShuffledReferences()], [ExactMatch()], DOCS)["exact_match"]["shuffled references"]
    assert (summary.value, summary.n, summary.n_not_measured) == (0, 3, 1)


def test_a_field_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigError, match=r"hi/0 has no field 'wrong'; it has incorrect"):
        CopyInput("wrong").answers(DOCS)


def test_two_baselines_of_one_name() -> None:
    with pytest.raises(ConfigError, match="share a name: empty, empty"):
        score_baselines([EmptyAnswer(), EmptyAnswer()], [ExactMatch()], DOCS)
