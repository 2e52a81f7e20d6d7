"""SQuAD scores, labels and entities in scripts where they usually go wrong."""

from __future__ import annotations

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.metrics import EntityMatch, LabelMatch, Squad
from evalkit.metrics.extraction.entities import entities
from evalkit.text import normal_label
from evalkit.types import Doc, Response, SampleScore


def say(text: str) -> list[Response]:
    return [Response("k", "ok" if text.strip() else "empty", text=text)]


@pytest.mark.parametrize(
    ("answer", "golds", "exact", "f1"),
    [
        ("मंगलवार।", ("मंगलवार",), 1, 1),  # the danda is punctuation, not a letter of the word
        ("१२ मार्च", ("12 मार्च",), 1, 1),
        ("हर मंगलवार को", ("मंगलवार",), 0, 0.5),
        ("The Tarlo Bridge!", ("tarlo bridge", "x"), 1, 1),
        ("", ("मंगलवार",), 0, 0),
        ("क\u093c", ("\u0958",), 1, 1),  # two encodings of one letter
        ("x", ("y", "x z"), 0, 2 / 3),
    ],
)
def test_squad(answer: str, golds: tuple[str, ...], exact: float, f1: float) -> None:
    doc = Doc("d", {}, target=golds)
    assert Squad("exact").score(doc, say(answer)).value == exact
    assert Squad("f1").score(doc, say(answer)).value == pytest.approx(f1)
    assert Squad().score(doc, []).value is None
    unfinished = Response("k", "thinking", text="", thinking="so")
    assert Squad("exact").score(Doc("d", {}, target=""), [unfinished]).value == 0.0  # no abstention


def test_squad_names_itself_and_refuses_unknown_measures() -> None:
    assert (Squad().name, Squad("exact").name) == ("squad_f1", "squad_exact")
    with pytest.raises(ConfigError, match="use exact or f1"):
        Squad("rouge")  # type: ignore[arg-type]


LABELS = ["खेल", "राजनीति", "Sports"]


@pytest.mark.parametrize(
    ("answer", "value", "invalid"),
    [("खेल", 1, False), (" खेल।\n", 1, False), ("राजनीति", 0, False), ("SPORTS.", 0, False), ("खेलकूद", 0, True), ("", 0, True)],
)
def test_labels(answer: str, value: float, invalid: bool) -> None:
    score = LabelMatch().score(Doc("d", {"labels": LABELS, "label": "खेल"}), say(answer))
    assert (score.value, "invalid" in score.flags) == (value, invalid)


def test_labels_that_cannot_be_told_apart() -> None:
    with pytest.raises(DataError, match="not one of 1 distinct labels"):
        LabelMatch().score(Doc("d", {"labels": ["A", "a."], "label": "A"}), say("a"))
    assert normal_label(normal_label(" ΑΣ. ॥ ")) == normal_label(" ΑΣ. ॥ ")


TYPES = ["PER", "LOC"]
GOLD = [{"text": "रवि", "type": "PER"}, {"text": "पुणे", "type": "LOC"}]


@pytest.mark.parametrize(
    ("answer", "recall", "precision", "sentence"),
    [
        ("PER: रवि\nLOC: पुणे", 1, 1, 1),
        ("1. loc :  पुणे \n- PER: रवि", 1, 1, 1),  # order, list marks and case are not what is asked
        ("PER: रवि", 0.5, 1, 0),
        ("PER: रवि\nPER: पुणे\nLOC: पुणे", 1, 2 / 3, 0),
        ("PER: रवि कुमार\nLOC: पुणे", 0.5, 0.5, 0),  # the exact text
        ("NONE", 0, 0, 0),
    ],
)
def test_entities(answer: str, recall: float, precision: float, sentence: float) -> None:
    doc = Doc("d", {"entities": GOLD, "types": TYPES})
    values = {m: EntityMatch(m).score(doc, say(answer)).value for m in ("recall", "precision", "sentence")}
    assert values == pytest.approx({"recall": recall, "precision": precision, "sentence": sentence})


def test_entities_are_counted_over_the_corpus_not_averaged_over_sentences() -> None:
    golds = {"a": GOLD, "b": [], "c": [{"text": "दिल्ली", "type": "LOC"}]}
    docs = [Doc(name, {"entities": gold, "types": TYPES}) for name, gold in golds.items()]
    texts = ["PER: रवि\nLOC: पुणे", "NONE", "PER: दिल्ली"]

    def scored(measure: str) -> list[SampleScore]:
        return [EntityMatch(measure).score(d, say(t)) for d, t in zip(docs, texts, strict=True)]  # type: ignore[arg-type]

    values = {m: EntityMatch(m).summarize(scored(m)).value for m in ("recall", "precision", "f1", "sentence")}
    # Two of three gold entities; the sentence without any changes nothing but the share of sentences.
    assert values == pytest.approx({"recall": 2 / 3, "precision": 2 / 3, "f1": 2 / 3, "sentence": 2 / 3})
    summary = EntityMatch("f1").summarize(scored("f1"))
    assert summary.ci is not None and summary.value and 0 <= summary.ci[0] <= summary.value <= summary.ci[1] <= 1


def test_an_answer_that_names_nothing_and_does_not_say_none_is_invalid() -> None:
    assert entities("NONE.", TYPES) == ([], True) and entities("none", TYPES) == ([], True)
    assert entities("मुझे नहीं पता", TYPES) == ([], False) and entities("", TYPES) == ([], False)
    score = EntityMatch("sentence").score(Doc("b", {"entities": [], "types": TYPES}), say("nothing here"))
    assert (score.value, score.flags) == (0, ("invalid",))
