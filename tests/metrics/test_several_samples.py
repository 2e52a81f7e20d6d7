"""Several samples of a document: the mean over them, whatever their order; documents stay what is counted and resampled."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.metrics import (
    BertScore,
    ChrF,
    EntityMatch,
    EvaluateMetric,
    ExactMatch,
    InvalidRate,
    LabelMatch,
    LanguageConsistency,
    Metric,
    RegexExtract,
    Squad,
    Subset,
)
from evalkit.metrics.chrf import CHAR_ORDER
from evalkit.run.prepare import check_samples
from evalkit.types import Doc, Response, SampleScore

SPORT = Doc("d", {"labels": ["sport", "news"], "label": "sport", "entities": []}, target="sport", language="en")
CITY = Doc(
    "d",
    {"types": ["LOC", "PER"], "entities": [{"text": "Delhi", "type": "LOC"}, {"text": "Asha", "type": "PER"}]},
    target="x",
    language="en",
)
PROSE = Doc("d", {}, target="the cat sat on the mat by the door", language="en")
LETTER = ExactMatch(name="acc", extract=RegexExtract("Answer: ([AB])"))
B = Doc("d", {}, target="B")

# metric, document, right answer, wrong answer, answer from which nothing can be extracted
MEANS: list[tuple[Metric, Doc, str, str, str]] = [
    (ExactMatch(), SPORT, "sport", "news", ""),
    (LabelMatch(), SPORT, "sport", "news", "weather"),
    (Squad("exact"), SPORT, "sport", "news", ""),
    (Squad("f1"), PROSE, "the cat sat on the mat by the door", "a cat sat there", ""),
    (LanguageConsistency(), PROSE, "the cat sat on the mat", "बिल्ली चटाई पर बैठी", "खेल"),
    (LETTER, B, "Answer: B", "Answer: A", "no idea"),
    (InvalidRate(LETTER), B, "Answer: B", "Answer: A", "no idea"),
]
CORPORA: list[tuple[Metric, Doc, str, str, str]] = [
    (ChrF(word_order=2), PROSE, "the cat sat on the mat by the door", "the dog sat on a mat", ""),
    (ChrF(word_order=0), PROSE, "the cat sat on the mat by the door", "the dog sat on a mat", ""),
    *(
        (EntityMatch(measure=m), CITY, "LOC: Delhi\nPER: Asha", "LOC: Delhi", "so to say")
        for m in ("recall", "precision", "f1", "sentence")
    ),
]


def answers(*texts: str) -> list[Response]:
    return [Response(f"k{i}", "ok" if text.strip() else "empty", text=text) for i, text in enumerate(texts)]


def value(metric: Metric, doc: Doc, *texts: str) -> float | None:
    return metric.score(doc, answers(*texts)).value


@pytest.mark.parametrize(("metric", "doc", "right", "wrong", "odd"), MEANS + CORPORA, ids=lambda v: getattr(v, "name", ""))
def test_a_document_has_the_mean_of_its_samples_in_any_order(metric: Metric, doc: Doc, right: str, wrong: str, odd: str) -> None:
    alone = {text: value(metric, doc, text) for text in (right, wrong, odd)}
    for texts in itertools.permutations((right, wrong, odd, right)):
        score = metric.score(doc, answers(*texts))
        assert score.value == pytest.approx(statistics.mean(v for text in texts if (v := alone[text]) is not None))
        assert isinstance(score.prediction, tuple) and len(score.prediction) == 4
    assert metric.score(doc, answers(right, wrong)).value != alone[right] or alone[right] == alone[wrong]


@pytest.mark.parametrize(("metric", "doc", "right", "wrong", "odd"), MEANS + CORPORA, ids=lambda v: getattr(v, "name", ""))
def test_equal_samples_are_one_sample(metric: Metric, doc: Doc, right: str, wrong: str, odd: str) -> None:
    for text in (right, wrong):
        once, thrice = metric.score(doc, answers(text)), metric.score(doc, answers(text, text, text))
        assert (once.value, once.stats, once.flags) == (thrice.value, thrice.stats, thrice.flags)


def corpus(n: int) -> list[Doc]:
    texts = ("rain falls on the old roof", "a boy reads two books", "mangoes ripen in the summer heat")
    return [Doc(f"d{i}", {}, target=f"{texts[i % 3]} {i}", language="en") for i in range(n)]


def test_a_corpus_score_is_that_of_every_document_with_each_of_its_samples() -> None:
    import sacrebleu

    docs, metric = corpus(6), ChrF(word_order=2)
    said = [[str(doc.target), str(doc.target)[::2], "the"] for doc in docs]
    scores = [metric.score(doc, answers(*texts)) for doc, texts in zip(docs, said, strict=True)]
    hypotheses = [text for texts in said for text in texts]
    references = [[str(doc.target) for doc in docs for _ in range(3)]]
    expected = sacrebleu.CHRF(char_order=CHAR_ORDER, word_order=2).corpus_score(hypotheses, references).score / 100
    found = metric.summarize(scores)
    assert found.value == pytest.approx(expected) and found.n == 6
    turned = [metric.score(doc, answers(*texts[::-1])) for doc, texts in zip(docs, said, strict=True)]
    assert metric.summarize(turned).value == pytest.approx(expected)


def test_samples_of_a_document_are_never_independent() -> None:
    """Twice the samples, all of them copies: not a narrower interval."""
    docs = corpus(8)
    for metric in (ChrF(word_order=2), Squad("f1"), ExactMatch()):
        texts = [str(doc.target) if i % 2 else "a boy sat" for i, doc in enumerate(docs)]
        once = metric.summarize([metric.score(doc, answers(text)) for doc, text in zip(docs, texts, strict=True)])
        many = metric.summarize([metric.score(doc, answers(*[text] * 20)) for doc, text in zip(docs, texts, strict=True)])
        assert (many.n, many.value, many.stderr) == pytest.approx((once.n, once.value, once.stderr))
        assert many.ci == pytest.approx(once.ci)


def test_documents_weigh_alike_whatever_number_of_samples_they_have() -> None:
    docs, metric = corpus(2), EntityMatch(measure="recall")
    docs = [Doc(doc.id, {"types": ["LOC"], "entities": [{"text": "Delhi", "type": "LOC"}]}, target="x") for doc in docs]
    many = metric.score(docs[0], answers(*["LOC: Delhi"] * 9))
    one = metric.score(docs[1], answers("NONE"))
    assert metric.summarize([many, one]).value == pytest.approx(0.5)


def test_the_valid_ones_of_several_samples() -> None:
    valid, rate = Subset(LETTER, "acc_valid", valid_only=True), InvalidRate(LETTER)
    mixed = answers("Answer: B", "no idea", "Answer: A", "Answer: B")
    assert valid.score(B, mixed).value == pytest.approx(2 / 3) and rate.score(B, mixed).value == 0.25
    assert LETTER.score(B, mixed).value == 0.5
    none = valid.score(B, answers("no idea", "none"))
    assert none.value is None and "apart" in none.flags and valid.summarize([none]).n_apart == 1


def test_a_metric_that_takes_one_answer_says_so_at_the_start() -> None:
    metric = EvaluateMetric(path="exact_match", name="em")
    for judge in (metric, Subset(metric, "part", where={"a": 1})):
        judge.check_samples(1)
        with pytest.raises(ConfigError, match="metric em: modules of evaluate take one answer per document, not 3; ask for one sample"):
            judge.check_samples(3)
    with pytest.raises(ConfigError, match="one answer per document"):
        metric.score(B, answers("a", "b"))


def test_every_metric_of_every_task_averages_or_refuses() -> None:
    """The generated tasks as they are configured: the order of two samples changes nothing."""
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.paths import conf_dir
    from evalkit.prompts.base import CutsAnswers
    from evalkit.run.prepare import prepare

    names = [file.stem for file in sorted((conf_dir() / "task").glob("*.yaml"))]
    setup = build(compose([f"task=[{','.join(names)}]", "data=samples"]))
    tried = set()
    for task in setup.tasks.values():
        if not isinstance(task.prompt, CutsAnswers):
            continue
        doc = prepare(task, setup.source, 1, False).evidence.docs[0]
        gold = doc.target[0] if isinstance(doc.target, tuple) else doc.target
        texts = (str(gold), "something else in other words, Answer: 1")
        check_samples(task, 2)
        for metric in task.metrics:
            if "PassAtK" in repr(metric) or isinstance(metric, BertScore):
                continue  # run programs, or an encoder; both have their own tests
            one, other = (metric.score(doc, answers(*turn)) for turn in (texts, texts[::-1]))
            same: Sequence[Any] = (one.value, *one.stats)
            assert same == pytest.approx((other.value, *other.stats), nan_ok=True), (task.name, metric.name)
            # A signature says so: once some metrics scored the first answer alone, and the two numbers must never meet in one row.
            alone = metric.score(doc, answers(texts[0]))
            said = [metric.summarize([score]).signature.split("|") for score in (one, alone) if score.value is not None]
            assert ["samples:mean" in parts for parts in said] == [True, False][: len(said)], (task.name, metric.name, said)
            tried.add(type(metric).__name__)
    assert {"ChrF", "Squad", "LabelMatch", "EntityMatch", "ExactMatch", "IFEval", "LanguageConsistency"} <= tried


def test_a_failed_sample_is_left_out_of_the_mean() -> None:
    given = [*answers("sport"), Response("k", "error", error="gone")]
    score: SampleScore = LabelMatch().score(SPORT, given)
    assert score.value == 1.0 and "error" in score.flags and not math.isnan(score.value)
    assert LabelMatch().score(SPORT, [given[1]]).value is None
