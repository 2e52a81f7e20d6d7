"""Metrics over part of the documents: what is set aside is neither right nor wrong, and is counted."""

from __future__ import annotations

import pytest

from evalkit.errors import ConfigError
from evalkit.metrics import ChrF, ExactMatch, InvalidRate, RegexExtract, Subset, macro_average
from evalkit.types import Doc, Response

NUMBER = ExactMatch("acc", extract=RegexExtract(r"Answer\s*:\s*([0-1])"))
TEXTS = ["Answer: 1", "Answer :0", "I cannot say", None]


def doc(i: int, **fields: object) -> Doc:
    return Doc(f"d{i}", fields, target="1", language="hi" if i % 2 else "ta")


def answered(text: str | None) -> list[Response]:
    return [] if text is None else [Response("k", "ok", text=text)]


def test_valid_only_leaves_invalid_answers_out_of_the_denominator() -> None:
    metric = Subset(NUMBER, "acc_valid", valid_only=True)
    scores = [metric.score(doc(i), answered(text)) for i, text in enumerate(TEXTS)]
    summary = metric.summarize(scores)
    assert (summary.value, summary.n, summary.n_apart, summary.n_not_measured) == (1 / 2, 2, 1, 1)
    assert summary.metric == "acc_valid" and summary.signature.endswith("|only:valid")
    assert {name: (g.n, g.n_apart) for name, g in summary.groups.items()} == {"ta": (1, 1), "hi": (1, 0)}
    whole = NUMBER.summarize([NUMBER.score(doc(i), answered(text)) for i, text in enumerate(TEXTS)])
    assert (whole.value, whole.n, whole.n_invalid) == (1 / 3, 3, 1)


def test_the_share_of_invalid_answers() -> None:
    metric = InvalidRate(NUMBER)
    summary = metric.summarize([metric.score(doc(i), answered(text)) for i, text in enumerate(TEXTS)])
    assert (summary.value, summary.n, summary.n_not_measured, summary.higher_is_better) == (1 / 3, 3, 1, False)


def test_where_looks_at_the_document() -> None:
    metric = Subset(ExactMatch(), "em", where={"answerable": True})
    docs = [doc(i, answerable=i < 2) for i in range(4)]
    summary = metric.summarize([metric.score(d, answered("1")) for d in docs])
    assert (summary.value, summary.n, summary.n_apart) == (1, 2, 2)
    assert summary.signature.endswith("|only:answerable=true")
    with pytest.raises(ConfigError, match="no field 'answerable'; it has other"):
        metric.score(doc(0, other=1), answered("1"))


def test_a_corpus_metric_counts_only_its_documents() -> None:
    metric = Subset(ChrF(resamples=2), "chrf_answerable", where={"answerable": True})
    docs = [doc(1, answerable=True), doc(3, answerable=False)]
    summary = metric.summarize([metric.score(d, answered("1")) for d in docs])
    assert (summary.value, summary.n, summary.n_apart) == (1, 1, 1)


def test_all_apart_is_no_score() -> None:
    metric = Subset(NUMBER, "acc_valid", valid_only=True)
    summary = metric.summarize([metric.score(doc(1), answered("no"))])
    assert (summary.value, summary.n, summary.n_apart) == (None, 0, 1)


def test_a_subset_needs_to_say_of_what() -> None:
    with pytest.raises(ConfigError, match="valid_only"):
        Subset(NUMBER, "acc")


def test_macro_average_swaps_the_two_means() -> None:
    texts = {"hi": ["Answer: 1"] * 6 + ["Answer: 0"] * 2, "ta": ["Answer: 1", "Answer: 0"]}
    docs = [(Doc(f"{code}{i}", {}, target="1", language=code), text) for code, of in texts.items() for i, text in enumerate(of)]
    summary = NUMBER.summarize([NUMBER.score(d, answered(text)) for d, text in docs])
    assert summary.value == pytest.approx(0.7) and summary.macro == pytest.approx((0.75 + 0.5) / 2)
    macro = macro_average(summary)
    assert macro.value == macro.macro == pytest.approx(0.625) and macro.weighted == pytest.approx(0.7)
    hi, ta = summary.groups["hi"].stderr, summary.groups["ta"].stderr
    assert hi and ta and macro.stderr == pytest.approx((hi**2 + ta**2) ** 0.5 / 2)
    assert macro.ci is not None and macro.ci[0] >= 0 and macro.ci[1] <= 1
    assert macro.signature.endswith("|average:macro")
    one = NUMBER.summarize([NUMBER.score(d, answered(text)) for d, text in docs if d.language == "hi"])
    assert macro_average(one) == one
