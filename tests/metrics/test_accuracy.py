from itertools import product
from typing import Any

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.metrics import Accuracy, Metric
from evalkit.types import Doc, Response


def answer(*lls: float, **more: Any) -> list[Response]:
    return [Response("k", "ok", loglikelihoods=lls, **more)]


# Worked by hand. हाँ is 3 characters and 9 bytes, yes is 3 and 3, नहीं 4 and 12, "no way" 6 and 6.
TABLE = [
    # choices, log-likelihoods, chosen by sum, by characters, by bytes
    (("yes", "हाँ"), (-6.0, -9.0), 0, 0, 1),  # -2, -3 a character; -2, -1 a byte
    (("हाँ", "no way"), (-6.0, -7.0), 0, 1, 0),  # -2, -1.17; -0.67, -1.17
    (("no way", "नहीं"), (-9.0, -8.0), 1, 0, 1),  # -1.5, -2; -1.5, -0.67
    (("yes", "yes"), (-3.0, -3.0), 0, 0, 0),  # a tie: the first
    (("e\u0301", "\u00e9"), (-2.0, -1.5), 1, 0, 0),  # 2 characters, 3 bytes; 1 and 2: no hidden NFC
    (("", "yes"), (-0.1, -9.0), 0, 1, 1),  # an empty choice cannot win per character
    (("a", "b"), (float("-inf"), float("-inf")), 0, 0, 0),
]


@pytest.mark.parametrize(("row", "which"), list(product(TABLE, (0, 1, 2))))
def test_hand_made_table(row: Any, which: int) -> None:
    choices, lls, *chosen = row
    metric = Accuracy(normalize=(None, "chars", "bytes")[which])
    got = metric.score(Doc("d", {}, choices, target=0), answer(*lls))
    assert got.prediction == chosen[which]
    assert got.value == float(chosen[which] == 0)


def test_several_right_answers() -> None:
    doc = Doc("d", {}, ("a", "b", "c"), target=(0, 2))
    assert [Accuracy().score(doc, answer(*lls)).value for lls in ((0, -1, -1), (-1, 0, -1), (-1, -1, 0))] == [1.0, 0.0, 1.0]


def test_what_was_not_measured_is_none_and_counted_apart() -> None:
    metric, doc = Accuracy(), Doc("d", {}, ("a", "b"), target=0)
    scores = [
        metric.score(doc, answer(-1, -2)),
        metric.score(doc, [Response("k", "error", error="boom")]),
        metric.score(doc, []),
        metric.score(doc, answer(float("nan"), -2)),
    ]
    assert [s.value for s in scores] == [1.0, None, None, None]
    assert all(s.flags == ("error",) for s in scores[1:])
    summary = metric.summarize(scores)
    assert (summary.value, summary.n, summary.n_not_measured, summary.stderr, summary.ci) == (1.0, 1, 3, None, None)
    nothing = metric.summarize(scores[1:])
    assert (nothing.value, nothing.n, nothing.n_not_measured) == (None, 0, 3)


def test_truncation_and_labels_are_carried() -> None:
    doc = Doc("d", {}, ("a", "b"), target=0, cluster="c", language="hi", group="g")
    got = Accuracy().score(doc, answer(-1, -2, truncated_tokens=5))
    assert (got.flags, got.cluster, got.language, got.group, got.doc_id) == (("truncated",), "c", "hi", "g", "d")


@pytest.mark.parametrize("target", [2, -1, None, "a", (), (0, 5), True, 1.0])
def test_a_target_that_is_no_choice(target: object) -> None:
    with pytest.raises(DataError, match="document d: target"):
        Accuracy().score(Doc("d", {}, ("a", "b"), target=target), answer(-1, -2))


def test_errors_name_the_thing() -> None:
    with pytest.raises(ConfigError, match="normalize='tokens'"):
        Accuracy(normalize="tokens")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="2 log-likelihoods for 1 choices"):
        Accuracy(normalize="chars").score(Doc("d", {}, ("a",), target=0), answer(-1, -2))
    with pytest.raises(DataError, match="no log-likelihoods"):
        Accuracy().score(Doc("d", {}, ("a",), target=0), [Response("k", "ok", text="a")])


def test_signature() -> None:
    metric, doc = Accuracy("acc_norm", "chars"), Doc("d", {}, ("a", "b"), target=0)
    summary = metric.summarize([metric.score(doc, answer(-1, -2))] * 3)
    assert summary.signature == "acc_norm|norm:chars|ci:wilson|evalkit:1"
    assert summary.metric == "acc_norm"
    assert isinstance(metric, Metric)
