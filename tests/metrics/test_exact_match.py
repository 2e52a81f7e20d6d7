from typing import Any

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.metrics import ExactMatch, RegexExtract
from evalkit.types import Doc, Response, SampleScore

STRICT = RegexExtract(r"#### (\-?[0-9\.\,]+)")
FLEXIBLE = RegexExtract(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", pick="last")
GSM8K = [",", r"\$", r"(?s).*#### ", r"\.$"]
GOLD = Doc("d", {}, target="2*9 = <<2*9=18>>18 apples.\n#### 1,018")


def said(metric: ExactMatch, *texts: str, doc: Doc = GOLD, status: str = "ok") -> SampleScore:
    return metric.score(doc, [Response("k", status, text=text) for text in texts])  # type: ignore[arg-type]


def test_gsm8k_strict_and_flexible() -> None:
    strict = ExactMatch("strict", extract=STRICT, ignore_patterns=GSM8K, ignore_case=True)
    flexible = ExactMatch("flexible", extract=FLEXIBLE, ignore_patterns=GSM8K, ignore_case=True)
    assert said(strict, "so #### 1018 and more").value == 1.0
    assert said(flexible, "it is 7, no, $1,018.").value == 1.0
    assert said(flexible, "it is 1018.0").value == 0.0  # text, not numbers
    lost = said(strict, "it is 1018")
    assert (lost.value, lost.prediction, lost.flags) == (0.0, None, ("invalid",))


def test_invalid_is_wrong_and_counted_but_never_unmeasured() -> None:
    metric = ExactMatch(extract=STRICT)
    doc = Doc("d", {}, target="[invalid]")
    scores = [said(metric, "nothing", doc=doc), said(metric, "#### 5", doc=doc), metric.score(doc, [Response("k", "error")])]
    summary = metric.summarize(scores)
    assert [s.value for s in scores] == [0.0, 0.0, None]
    assert (summary.value, summary.n, summary.n_invalid, summary.n_not_measured) == (0.0, 2, 1, 1)


def test_several_golds_and_normalisation() -> None:
    metric = ExactMatch(strip=True, ignore_case=True, ignore_punctuation=True, ignore_patterns=[r"\b(?:The |the |a )"])
    doc = Doc("d", {}, target=("Ada Brown", "A. Brown"))
    assert said(metric, " the a brown\n", doc=doc).value == 0.0  # "the " goes, then "a " goes too: patterns before case
    assert said(metric, "A-brown!", doc=doc).value == 0.0
    assert said(metric, " The A BROWN", doc=doc).value == 1.0
    assert said(metric, "ADA, BROWN.", doc=doc).value == 1.0


def test_flags_and_numbers_as_targets() -> None:
    metric = ExactMatch()
    empty = said(metric, "", status="empty")
    assert (empty.value, empty.flags, empty.prediction) == (0.0, ("empty",), "")
    assert said(metric, "x", status="length").flags == ("length",)
    assert said(metric, "18", doc=Doc("d", {}, target=18)).value == 1.0
    for target in (None, (), ("a", None)):
        with pytest.raises(DataError, match="holds no gold answer"):
            said(metric, "x", doc=Doc("d", {}, target=target))


def test_samples_average_over_those_measured() -> None:
    doc = Doc("d", {}, target="1")
    metric = ExactMatch(extract=RegexExtract(r"\d"))
    responses = [Response("a", "ok", text="1"), Response("b", "ok", text="2"), Response("c", "ok", text="?"), Response("d", "error")]
    got = metric.score(doc, responses)
    assert got.value == pytest.approx(1 / 3)
    assert got.prediction == ("1", "2", None)
    assert got.flags == ("invalid", "error")
    assert "ci:t|" in metric.summarize([got, got]).signature


def test_indic_answers() -> None:
    doc = Doc("d", {}, target="१२")
    assert said(ExactMatch(indic=True), "12।", doc=doc).value == 1.0
    assert said(ExactMatch(), "12", doc=doc).value == 0.0


def test_signature_tells_extractions_apart() -> None:
    one, other = (ExactMatch(extract=e, ignore_patterns=GSM8K, ignore_case=True) for e in (STRICT, FLEXIBLE))
    texts = [m.summarize([said(m, "#### 1"), said(m, "#### 2")]).signature for m in (one, other)]
    assert texts[0].startswith("exact_match|case:lower|punct:kept|patterns:4|strip:no|extract:first|regex:")
    assert "extract:last" in texts[1]
    assert texts[0].split("regex:")[1] != texts[1].split("regex:")[1]
    assert texts[0].endswith("|ci:wilson|evalkit:1")


def test_bad_configuration() -> None:
    with pytest.raises(ConfigError, match="not a regular expression"):
        RegexExtract("(")
    with pytest.raises(ConfigError, match="pick='middle'"):
        RegexExtract("x", pick="middle")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"ignore_patterns has '\['"):
        ExactMatch(ignore_patterns=["["])
    with pytest.raises(ConfigError, match="give a list"):
        ExactMatch(ignore_patterns=",")


TRIVIA = Doc("d", {"normalized_aliases": ["sunset boulevard", "us navy"]}, target=("Sunset Blvd", "The Sunset Blvd."))


def test_a_benchmarks_own_normaliser_with_golds_of_its_own() -> None:
    harness = ExactMatch(strip=True, ignore_case=True, ignore_punctuation=True)
    official = ExactMatch("official_em", normalizer="triviaqa", gold_field="normalized_aliases")
    assert [said(m, " The sunset_boulevard!\n", doc=TRIVIA).value for m in (harness, official)] == [0.0, 1.0]
    assert [said(m, "sunset blvd", doc=TRIVIA).value for m in (harness, official)] == [1.0, 0.0]
    assert said(official, "U.S. Navy", doc=TRIVIA).value == 0.0  # TriviaQA blanks the stops: "u s navy"
    assert said(official, "", doc=TRIVIA, status="empty").value == 0.0
    assert "normalizer:triviaqa|golds:normalized_aliases" in official.summarize([said(official, "x", doc=TRIVIA)]).signature
    nq = ExactMatch("official_em", normalizer="nq_open")
    assert said(nq, " the U.S. Navy", doc=Doc("d", {}, target=("US Navy",))).value == 1.0


def test_an_unknown_normaliser_and_a_missing_gold_field_are_refused() -> None:
    with pytest.raises(ConfigError, match="normalizer='triviqa' is unknown; did you mean triviaqa"):
        ExactMatch(normalizer="triviqa")
    every: list[dict[str, Any]] = [{}, {"golds": []}, {"golds": [None]}]
    for golds in every:
        with pytest.raises(DataError, match="document d: field golds"):
            said(ExactMatch(gold_field="golds"), "x", doc=Doc("d", golds, target="x"))
