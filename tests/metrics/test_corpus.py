"""What corpus metrics share: one class says how statistics are made, the base owns strata, intervals and the signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from evalkit import stats
from evalkit.errors import ConfigError
from evalkit.metrics import Accuracy, ChrF, CorpusMetric, EntityMatch, EvaluateMetric, LanguageConsistency, PassAtK, macro_average
from evalkit.metrics.corpus import Segment
from evalkit.sandbox import Limits
from evalkit.types import Doc, Response, SampleScore, Signature, Summary


@dataclass(frozen=True)
class Letters(CorpusMetric):
    """A metric of somebody else's: share of the target's letters that the answer has, over all documents."""

    @property
    def corpus(self) -> str:
        return "entity_recall"

    def segment(self, doc: Doc, text: str) -> Segment:
        right = float(sum(letter in text for letter in doc.target))
        return Segment((right, float(len(text)), float(len(doc.target)), 0.0, 1.0), prediction=text.upper(), invalid=not text)

    def settings(self) -> Sequence[str]:
        return ["case:mixed"]


def scored(
    metric: CorpusMetric, answers: Sequence[tuple[str, str, str | None]], clusters: Sequence[str] | None = None
) -> list[SampleScore]:
    """Of (target, answer, language)."""
    return [
        metric.score(
            Doc(str(i), {}, target=target, language=language, cluster=clusters[i] if clusters else None), [Response("k", "ok", text=text)]
        )
        for i, (target, text, language) in enumerate(answers)
    ]


def test_a_class_of_three_methods_is_a_corpus_metric() -> None:
    metric = Letters(name="letters")
    scores = scored(metric, [("abcd", "ab", None), ("ab", "xyab", None), ("xy", "", None), ("xyz", "zyx", None)])
    assert [s.value for s in scores] == [0.5, 1, 0, 1] and scores[0].prediction == "AB" and scores[2].flags == ("invalid",)
    summary = metric.summarize(scores)
    assert (summary.metric, summary.value, summary.n, summary.n_invalid, summary.corpus) == ("letters", 7 / 11, 4, 1, "entity_recall")
    assert summary.signature == "letters|case:mixed|ci:bootstrap-1000|seed:12345|evalkit:1"
    assert summary.ci is not None and 0 <= summary.ci[0] < 7 / 11 < summary.ci[1] <= 1 and summary.stderr
    with pytest.raises(ConfigError, match="metric letters: resamples=1 is too few; use 1000"):
        Letters(name="letters", resamples=1)
    with pytest.raises(ConfigError, match="metric Letters has no name; set name:"):
        Letters()


def test_languages_are_strata_and_clusters_are_drawn_whole() -> None:
    metric = Letters(name="letters")
    answers = [("abcd", "abcd"[:k], language) for language in ("hi", "ta") for k in (1, 2, 3, 4, 2, 0)]
    loose = metric.summarize(scored(metric, answers))
    tied = metric.summarize(scored(metric, answers, clusters=[f"s{i % 6}" for i in range(12)]))
    assert loose.value == tied.value and loose.macro == tied.macro
    assert loose.stderr and tied.stderr and tied.stderr > 1.2 * loose.stderr  # the same six sentences twice
    assert "|ci:bootstrap-clusters-1000|seed:12345|" in tied.signature
    assert tied.groups["hi"] == loose.groups["hi"]


def entities(values: Sequence[tuple[float, float]], languages: Sequence[str]) -> list[SampleScore]:
    """Of (matched, gold)."""
    return [
        SampleScore(str(i), m / g, stats=(m, g, g, float(m == g), 1.0), language=language)
        for i, ((m, g), language) in enumerate(zip(values, languages, strict=True))
    ]


def test_a_language_with_one_document_takes_the_interval_from_the_whole() -> None:
    enough = EntityMatch().summarize(entities([(1, 2), (2, 2), (0, 3), (1, 1)], ["hi", "hi", "ta", "ta"]))
    assert enough.ci is not None and enough.no_interval == ""
    one = EntityMatch().summarize(entities([(1, 2), (2, 2), (0, 3)], ["hi", "hi", "ta"]))
    assert (one.stderr, one.ci, one.value) == (None, None, pytest.approx((2 * 3 / 4 + 0) / 3))
    assert one.no_interval == "too few documents for an interval (fewer than two in 1 of 2 languages)"
    assert one.groups["hi"].ci is not None and one.groups["ta"].no_interval == "too few documents for an interval"
    assert "|ci:none|" in one.signature
    # Two documents of one passage are one observation.
    tied = [SampleScore(f"{p}{i}", 0.5, stats=(1, 2, 2, 0, 1), language="ta", cluster=p) for p in "aab" for i in range(2)]
    both = EntityMatch().summarize([*entities([(1, 2), (2, 2)], ["hi", "hi"]), *(s for s in tied if s.cluster == "a")])
    assert both.ci is None and both.no_interval.endswith("(fewer than two in 1 of 2 languages)")


def test_chrf_of_a_document_per_language_claims_no_certainty() -> None:
    metric = ChrF()
    scores = scored(metric, [("नमस्ते दुनिया", "नमस्ते", "hi"), ("வணக்கம் உலகம்", "வணக்கம்", "ta")])
    for summary in (metric.summarize(scores), macro_average(metric.summarize(scores))):
        assert summary.value and (summary.stderr, summary.ci) == (None, None)
        assert (
            summary.no_interval
            == f"too few documents for an interval (fewer than two in 2 of 2 {'languages' if not summary.weighted else 'groups'})"
        )


def assert_too_few(summary: Summary) -> None:
    assert summary.value is not None and (summary.n, summary.stderr, summary.ci) == (1, None, None)
    assert summary.no_interval == "too few documents for an interval"


def test_every_kind_of_metric_says_that_one_document_is_too_few() -> None:
    one = SampleScore("a", 1.0, stats=(1.0, 1.0, 1.0, 1.0, 1.0), language="hi")
    assert_too_few(Accuracy().summarize([one]))
    assert_too_few(EntityMatch().summarize([one]))
    assert_too_few(LanguageConsistency().summarize([one]))

    class Nothing:
        name, limits = "none", Limits()

    assert_too_few(PassAtK(1, Nothing()).summarize([one]))  # type: ignore[arg-type]


def test_nothing_measured_and_no_interval_asked_for_are_not_too_few() -> None:
    assert EntityMatch().summarize([]).no_interval == "" == Accuracy().summarize([SampleScore("a", None)]).no_interval
    assert ChrF().summarize([SampleScore("a", None, language="hi")]).no_interval == ""
    assert EvaluateMetric("f1", name="f1").summarize([]).no_interval == ""


def test_a_macro_average_has_an_interval_only_where_every_group_has_one() -> None:
    labels = ["hi", "hi", "ta"]
    mean = Accuracy().summarize(
        [SampleScore(str(i), v, language=lang) for i, (v, lang) in enumerate(zip((1.0, 0.0, 1.0), labels, strict=True))]
    )
    assert mean.ci is not None
    macro = macro_average(mean)
    assert (macro.value, macro.weighted, macro.stderr, macro.ci) == (0.75, pytest.approx(2 / 3), None, None)
    assert macro.no_interval == "too few documents for an interval (fewer than two in 1 of 2 groups)"
    assert macro_average(Accuracy().summarize([SampleScore("a", 1.0, group="x"), SampleScore("b", 1.0, group="x")])).no_interval == ""


def test_the_interval_of_a_macro_average_holds_it_where_no_group_varies() -> None:
    scores = [SampleScore(f"{lang}{i}", v, language=lang) for lang, v, n in (("hi", 1.0, 90), ("ta", 0.0, 2)) for i in range(n)]
    macro = macro_average(Accuracy().summarize(scores))
    assert (macro.value, macro.stderr) == (0.5, 0.0)
    sides = [stats.wilson(90, 90), stats.wilson(0, 2)]
    assert macro.ci == pytest.approx(tuple(sum(side[k] for side in sides if side) / 2 for k in (0, 1)))
    assert macro.ci is not None and macro.ci[0] < 0.5 < macro.ci[1]


def test_an_interval_holds_its_score() -> None:
    # A resample of nothing but the last sentence is all right, the other 996 of 1,000 find nothing: their mean alone is above 0.
    scores = entities([(0, 1), (0, 1), (0, 1)], ["hi"] * 3)
    summary = EntityMatch().summarize([*scores, SampleScore("none", 1.0, stats=(0.0, 0.0, 0.0, 1.0, 1.0), language="hi")])
    assert summary.value == 0 and summary.ci is not None and summary.ci[0] == 0 < summary.ci[1] < 0.01
    # Documents that are all alike: the bootstrap's single precision rounds the score away from itself.
    alike = ChrF().summarize(scored(ChrF(), [("नमस्ते दुनिया", "नमस्ते", "hi")] * 2))
    assert alike.value and alike.ci is not None and alike.ci[0] <= alike.value <= alike.ci[1] < alike.ci[0] + 1e-6


def test_holding() -> None:
    assert stats.holding((0.2, 0.4), 0.4) == (0.2, 0.4)
    assert stats.holding((0.2, 0.4), 0.5) == pytest.approx((0.2, 0.6))
    assert stats.holding((0.2, 0.4), 0.1) == pytest.approx((0.0, 0.4))
    assert stats.holding((0.2, 0.2), 0.1) == (0.1, 0.2)


def test_too_few() -> None:
    every: list[list[Sequence[Any]]] = [[], [range(2)], [range(1)], [[]], [["s", "s"], ["s", "t"]]]
    assert [stats.too_few(strata) for strata in every] == [0, 0, 1, 1, 1]


def test_signature_is_its_text_in_parts() -> None:
    text = "chrF++|nrefs:1|seed:0|ci:bootstrap-1000|seed:12345|average:macro"
    assert str(Signature.read(text)) == text and Signature.of("acc", "", "ci:none").parts == ("acc", "ci:none")
    assert str(Signature.read(text).of_score) == "chrF++|nrefs:1|seed:0|average:macro"  # the bootstrap's seed alone goes
    assert str(Signature.read("").plus("x").of_score) == "|x" and str(Signature.read("").of_score) == ""
    without = Signature.read("chrF++|nrefs:1|seed:0|ci:none|average:macro")
    assert without.of_score == Signature.read(text).of_score
