"""chrF and chrF++ and their interval against sacrebleu's own, which is the requirement: equal to the last bit."""

import random
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from evalkit.errors import ConfigError, DataError
from evalkit.metrics import ChrF
from evalkit.types import Doc, Response, SampleScore

ALPHABET = "abcdeABकखगघअआाि।.,!  "


def corpus(n: int, seed: int) -> tuple[list[str], list[str]]:
    rng = random.Random(seed)
    references = ["".join(rng.choices(ALPHABET, k=rng.randint(1, 60))) for _ in range(n)]
    return [
        "".join(c if rng.random() < 0.8 else rng.choice(ALPHABET) for c in r) if rng.random() < 0.95 else "" for r in references
    ], references


def scored(
    metric: ChrF, hypotheses: list[str], references: list[str], language: str | None = None, cluster: str | None = None
) -> list[SampleScore]:
    return [
        metric.score(
            Doc(f"{language}/{i}", {}, target=reference, language=language, cluster=f"{cluster}{i}" if cluster else None),
            [Response("k", "ok" if hypothesis.strip() else "empty", text=hypothesis)],
        )
        for i, (hypothesis, reference) in enumerate(zip(hypotheses, references, strict=True))
    ]


@pytest.mark.parametrize("word_order", [0, 2])
@pytest.mark.parametrize("n", [2, 7, 45, 300])
def test_score_and_interval_are_sacrebleus(word_order: int, n: int) -> None:
    hypotheses, references = corpus(n, seed=n)
    theirs_metric = CHRF(word_order=word_order)
    theirs = theirs_metric.corpus_score(hypotheses, [references], n_bootstrap=1000)
    metric = ChrF(word_order=word_order)
    ours = metric.summarize(scored(metric, hypotheses, references))
    assert ours.value is not None and ours.ci is not None
    assert ours.value * 100 == pytest.approx(theirs.score, rel=1e-14)
    centre, half = sum(ours.ci) / 2 * 100, (ours.ci[1] - ours.ci[0]) / 2 * 100
    assert f"{ours.value * 100:.9f} ({centre:.9f} {half:.9f})" == f"{theirs.score:.9f} ({theirs._mean:.9f} {theirs._ci:.9f})"
    printed = str(theirs_metric.get_signature()).replace("version", "sacrebleu").replace("bs:1000|seed:12345|", "")
    assert ours.signature == f"{metric.name}|{printed}|ci:bootstrap-1000|seed:12345"


def test_a_segment_has_sacrebleus_sentence_score_and_statistics() -> None:
    metric, theirs = ChrF(), CHRF(word_order=2)
    hypotheses, references = corpus(20, seed=3)
    for score, hypothesis, reference in zip(scored(metric, hypotheses, references), hypotheses, references, strict=True):
        assert score.value == theirs.sentence_score(hypothesis, [reference]).score / 100
        assert list(score.stats) == theirs._extract_corpus_statistics([hypothesis], [[reference]])[0]
        assert len(score.stats) == 24


def test_languages_are_corpora_of_their_own_weighted_by_size() -> None:
    metric = ChrF()
    hindi, tamil = scored(metric, *corpus(30, 1), "hi"), scored(metric, *corpus(10, 2), "ta")
    both = metric.summarize([*hindi, *tamil])
    a, b = metric.summarize(hindi), metric.summarize(tamil)
    assert both.groups == {"hi": a, "ta": b}
    assert both.value == pytest.approx((30 * a.value + 10 * b.value) / 40)  # type: ignore[operator]
    assert both.macro == pytest.approx((a.value + b.value) / 2)  # type: ignore[operator]
    # Independent languages: variances add.
    assert both.stderr == pytest.approx(((0.75 * a.stderr) ** 2 + (0.25 * b.stderr) ** 2) ** 0.5, rel=0.1)  # type: ignore[operator]
    assert a.groups == {} and a.macro is None


def test_sentences_shared_by_languages_are_drawn_together() -> None:
    metric = ChrF()
    hypotheses, references = corpus(60, 5)
    apart = [*scored(metric, hypotheses, references, "hi"), *scored(metric, hypotheses, references, "mr")]
    together = [*scored(metric, hypotheses, references, "hi", "s"), *scored(metric, hypotheses, references, "mr", "s")]
    loose, tied = metric.summarize(apart), metric.summarize(together)
    assert loose.value == tied.value
    # The same sentences twice are no more evidence than once.
    assert tied.stderr == pytest.approx(tied.groups["hi"].stderr, rel=1e-5)
    assert loose.stderr == pytest.approx(tied.stderr / 2**0.5, rel=0.15)  # type: ignore[operator]
    assert tied.groups["hi"] == loose.groups["hi"]
    assert "ci:bootstrap-clusters-1000" in tied.signature


def test_not_measured_empty_and_single() -> None:
    metric = ChrF()
    doc = Doc("d", {}, target="नमस्ते दुनिया")
    error = metric.score(doc, [Response("k", "error")])
    empty = metric.score(doc, [Response("k", "empty", text="")])
    assert error.value is None and empty.value == 0.0 and empty.flags == ("empty",)
    summary = metric.summarize([error, empty])
    assert (summary.n, summary.n_not_measured, summary.value, summary.ci) == (1, 1, 0.0, None)
    assert metric.summarize([error]).value is None


def test_several_references() -> None:
    doc = Doc("d", {}, target=("abc def", "xyz uvw"))
    answer = [Response("k", "ok", text="xyz uvw")]
    assert ChrF().score(doc, answer).value == 0.0
    assert ChrF(references="all").score(doc, answer).value == 1.0


def test_names_and_settings() -> None:
    assert (ChrF().name, ChrF(word_order=0).name, ChrF(name="chrf").name) == ("chrF++", "chrF", "chrf")
    with pytest.raises(ConfigError, match="word_order=3"):
        ChrF(word_order=3)
    with pytest.raises(ConfigError, match="resamples=1"):
        ChrF(resamples=1)


def test_indicnlp_is_the_librarys_tokens_under_sacrebleu() -> None:
    from indicnlp.normalize.indic_normalize import IndicNormalizerFactory
    from indicnlp.tokenize.indic_tokenize import trivial_tokenize

    golds = {"hi": ["यह पुराना किला है।", "वह (कल) गया, फिर लौटा।"], "ur": ["یہ پرانا قلعہ ہے۔", "وہ كل گیا، پھر لوٹا۔"]}
    answers = {"hi": ["यह क़िला है ।", "वह कल गया।"], "ur": ["یہ قلعہ ہے ۔", "وہ کل گیا۔"]}
    metric = ChrF(pretokenize="indicnlp")
    for language, references in golds.items():

        def prepared(text: str, language: str = language) -> str:
            return " ".join(trivial_tokenize(IndicNormalizerFactory().get_normalizer(language).normalize(text), language))

        theirs = CHRF(word_order=2).corpus_score([prepared(a) for a in answers[language]], [[prepared(r) for r in references]])
        ours = metric.summarize(scored(metric, answers[language], references, language))
        assert ours.value == pytest.approx(theirs.score / 100, rel=1e-14)
        plain = ChrF().summarize(scored(ChrF(), answers[language], references, language))
        assert plain.value != ours.value
        assert "|pretok:indicnlp-" in ours.signature and "pretok" not in plain.signature


def test_indicnlp_leaves_english_alone_and_refuses_what_it_does_not_know() -> None:
    metric = ChrF(pretokenize="indicnlp", language_field="target_code")
    doc = Doc("d", {"target_code": "en"}, target="The river, wide.", language="hi")
    answer = [Response("k", "ok", text="The river,wide.")]
    assert metric.score(doc, answer).stats == ChrF().score(doc, answer).stats
    with pytest.raises(DataError, match="no normaliser for language 'fr'"):
        metric.check(Doc("d", {"target_code": "fr"}, target="x"))
    with pytest.raises(ConfigError, match="pretokenize='moses'"):
        ChrF(pretokenize="moses")  # type: ignore[arg-type]


def test_one_letter_written_two_ways_is_one_letter_in_nfc() -> None:
    docs = [Doc("a", {}, target="\u09af\u09bcেন ড\u09bcালা", language="bn"), Doc("b", {}, target="নদী", language="bn")]
    said = ["\u09dfেন \u09dcালা", "নদী"]  # each nukta letter in one code point: what a keyboard or tokenizer may give
    raw, composed = ChrF(), ChrF(form="nfc")
    assert (raw.name, composed.name) == ("chrF++", "chrF++_nfc")
    scores = {m.name: [m.score(d, [Response("k", "ok", text=t)]) for d, t in zip(docs, said, strict=True)] for m in (raw, composed)}
    assert [s.flags for s in scores["chrF++"]] == [(), ()] and [s.flags for s in scores["chrF++_nfc"]] == [("not_nfc",), ()]
    before, after = raw.summarize(scores["chrF++"]), composed.summarize(scores["chrF++_nfc"])
    assert before.value is not None and before.value < 0.9 and before.note == ""
    assert after.value == pytest.approx(1) and after.note == "1 of 2 segments have an answer or a reference that is not in NFC"
    assert "form:nfc" in after.signature and "form" not in before.signature


@given(st.lists(st.tuples(st.text(st.sampled_from("कख\u093c\u0958িো\u09c7\u09beé e\u0301।")), st.text()), min_size=1, max_size=4))
def test_the_nfc_line_sees_no_difference_of_form(pairs: list[tuple[str, str]]) -> None:
    def total(form: Callable[[str], str]) -> float | None:
        metric = ChrF(form="nfc")
        docs = [Doc(str(i), {}, target=form(gold)) for i, (_, gold) in enumerate(pairs)]
        scores = [metric.score(d, [Response("k", "ok", text=form(text))]) for d, (text, _) in zip(docs, pairs, strict=True)]
        return metric.summarize(scores).value

    as_given = total(str)
    assert total(lambda text: unicodedata.normalize("NFD", text)) == as_given
    assert total(lambda text: unicodedata.normalize("NFC", text)) == as_given


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ConfigError, match="use raw or nfc"):
        ChrF(form="nfkc")  # type: ignore[arg-type]
