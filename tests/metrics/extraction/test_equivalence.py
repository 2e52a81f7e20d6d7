"""One equivalence for exact match, labels, entities and SQuAD: spellings that look and mean the same are the same."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics import EntityMatch, ExactMatch, LabelMatch, Squad
from evalkit.text import equivalent, nukta_first
from evalkit.types import Doc, Response

PAIRS = [
    ("അവൻ", "അവന്\u200d"),  # chillu n
    ("മലയാളം കാർ", "മലയാളം കാര്\u200d"),
    ("അവൾ", "അവള്\u200d"),
    ("പാൽ", "പാല്\u200d"),
    ("എന്റെ", "എൻ\u0d4dറെ"),  # nta
    ("উৎসব", "উত্\u200dসব"),  # khanda ta
    ("کتاب", "\u0643\u062a\u0627\u0628"),  # Arabic kaf
    ("میں", "م\u064aں"),  # Arabic yeh
    ("میں", "م\u0649ں"),
    ("کتاب", "\ufb8eتاب"),  # a presentation form
    ("क्ष", "क्\u200dष"),
    ("क्ष", "क्\u200cष"),
    ("क़िला", "\u0958िला"),  # nukta letter in one code point
    ("क\u093cिला", "कि\u093cला"),  # nukta behind the vowel sign
    ("ড\u09bcা", "ডা\u09bc"),
    ("ਸ\u0a3cਾਮ", "ਸਾ\u0a3cਮ"),
    ("दऱ्या", "दर्\u200dया"),  # eyelash ra
    ("12", "१२"),
    ("12", "۱۲"),
    ("नदी", "न\u200bदी\ufeff"),
    ("نہر", "\u200fنہر\u200e"),
    ("नई दिल्ली", "नई\u00a0दिल्ली"),
]


def scores(gold: str, answer: str) -> list[float | None]:
    said = [Response("k", "ok", text=answer)]
    entity = Doc("d", {"entities": [{"type": "PER", "text": gold}], "types": ["PER"], "text": gold})
    return [
        ExactMatch(indic=True).score(Doc("d", {}, target=gold), said).value,
        LabelMatch().score(Doc("d", {"labels": [gold, "other"], "label": gold}), said).value,
        Squad("exact").score(Doc("d", {}, target=gold), said).value,
        EntityMatch("f1").score(entity, [Response("k", "ok", text=f"PER: {answer}")]).value,
    ]


@pytest.mark.parametrize(("gold", "answer"), [*PAIRS, *((answer, gold) for gold, answer in PAIRS)])
def test_every_metric_takes_them_for_one(gold: str, answer: str) -> None:
    assert equivalent(gold) == equivalent(answer)
    assert scores(gold, answer) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [("അവന്", "അവൻ"), ("क", "क़"), ("দ", "ড"), ("र", "ऱ"), ("ی", "ے"), ("ہ", "ھ"), ("कि", "की"), ("12", "21"), ("त", "ৎ"), ("A", "a")],
)
def test_words_that_differ_stay_different(one: str, other: str) -> None:
    assert equivalent(one) != equivalent(other)
    assert scores(one, other)[0] == 0


CONSONANTS = {"\u093c": "कखगजडढफ", "\u09bc": "ডঢয", "\u0a3c": "ਸਖਗਜਫਲ", "\u0b3c": "ଡଢ"}
SIGNS = {"\u093c": "ािीुूेैोौंःँ", "\u09bc": "ািীুূেংঃ", "\u0a3c": "ਾਿੀੁੂੇੈੋੌਂ", "\u0b3c": "ାିୀୁୂେଂ"}


@given(st.data())
def test_a_nukta_may_stand_anywhere_behind_its_letter(data: st.DataObject) -> None:
    nukta = data.draw(st.sampled_from(sorted(CONSONANTS)))
    letter = data.draw(st.sampled_from(CONSONANTS[nukta]))
    signs = data.draw(st.lists(st.sampled_from(SIGNS[nukta]), max_size=2).map("".join))
    places = [equivalent(letter + signs[:i] + nukta + signs[i:] + letter) for i in range(len(signs) + 1)]
    assert len(set(places)) == 1
    assert places[0] != equivalent(letter + signs + letter)


ACTED_ON = (
    "कखड\u093c\u0958िीाे\u094d\u200d\u200cর\u09cd\u09bcতড়াে\u09ceന\u0d4dറ\u0d7b\u0d7cर\u0931"
    "\u0643\u064aک\u06cc\u0647\ufb8e\ufeffa १۱1\u00a0।\u0654\u0653"
)
ANY = st.text(st.sampled_from(ACTED_ON))


@given(ANY | st.text())
def test_one_spelling_is_reached_at_once_and_from_every_form(text: str) -> None:
    once = equivalent(text)
    assert equivalent(once) == once
    assert equivalent(unicodedata.normalize("NFD", text)) == once
    assert nukta_first(unicodedata.normalize("NFC", once)) == once


@given(ANY, ANY)
def test_joiners_and_unseen_signs_between_words_change_nothing(left: str, right: str) -> None:
    plain = equivalent(f"{left} {right}")
    assert equivalent(f"{left} \u200b\ufeff{right}") == plain
    assert equivalent(f"{left} \u200e\u2060{right}") == plain
