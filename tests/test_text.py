import string
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.text import (
    ascii_digits,
    indic_answer,
    nfc,
    no_joiners,
    normalize_answer,
    nq_open_answer,
    strip_sentence_end,
    triviaqa_answer,
    urdu_letters,
)

DIGITS = st.sampled_from([c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) == "Nd"])


def test_digits_of_every_script() -> None:
    assert ascii_digits("१२३ ১২৩ ૧૨૩ ௧௨௩ ١٢٣ ۱۲۳ １２３ ᱑᱒᱓") == " ".join(["123"] * 8)
    assert ascii_digits("x² ½ Ⅻ 五 ௰") == "x² ½ Ⅻ 五 ௰"  # numbers, but not decimal digits


@given(st.text(DIGITS))
def test_digits_keep_their_value(text: str) -> None:
    assert ascii_digits(text) == "".join(str(unicodedata.decimal(c)) for c in text)
    assert ascii_digits(text).isascii()


@given(st.text())
def test_digits_touch_nothing_else(text: str) -> None:
    got = ascii_digits(text)
    assert len(got) == len(text)
    assert all(a == b or (unicodedata.category(b) == "Nd" and a in string.digits) for a, b in zip(got, text, strict=True))


def test_sentence_ends() -> None:
    assert strip_sentence_end("वह गया। \n") == "वह गया"
    assert strip_sentence_end("श्लोक ॥") == "श्लोक"
    assert strip_sentence_end("وہ گیا۔") == "وہ گیا"
    assert strip_sentence_end("वह। गया.") == "वह। गया."


def test_nfc_joins_what_looks_equal() -> None:
    assert nfc("e\u0301") == nfc("\u00e9")
    assert nfc("\u0915\u093c") == nfc("\u0958")  # क़ written two ways


@given(st.text(), st.booleans(), st.booleans())
def test_normalizing_is_idempotent_and_does_what_it_says(text: str, case: bool, punctuation: bool) -> None:
    got = normalize_answer(text, ignore_case=case, ignore_punctuation=punctuation)
    assert got == normalize_answer(got, ignore_case=case, ignore_punctuation=punctuation)
    assert not (punctuation and set(got) & set(string.punctuation))
    if not case and not punctuation:
        assert got == text


@given(st.text() | st.text(st.sampled_from("a1१।॥۔ \u0915\u093c\u0958e\u0301")))
def test_indic_answer_is_idempotent(text: str) -> None:
    assert indic_answer(indic_answer(text)) == indic_answer(text)


def test_patterns_go_first_and_in_order() -> None:
    assert normalize_answer("The Cat.", ignore_patterns=["the "], ignore_case=True, ignore_punctuation=True) == "the cat"
    assert normalize_answer("abc", ignore_patterns=["b", "ac"]) == ""
    assert normalize_answer("abc", ignore_patterns=["ac", "b"]) == "ac"
    assert normalize_answer("है।", ignore_punctuation=True) == "है।"  # a danda is not ASCII punctuation


@pytest.mark.parametrize(
    ("text", "trivia", "nq"),
    [
        ("The Café_Müller!", "café müller", "cafe\u0301mu\u0308ller"),  # an underscore is punctuation to one, a blank to the other
        ("U.S. Navy", "u s navy", "us navy"),
        ("Rock \u2018n\u2019 roll", "rock n roll", "rock \u2018n\u2019 roll"),
        (" An  apple a day ", "apple day", "apple day"),
        ("theatre an'd", "theatre d", "theatre and"),  # whole words only, once punctuation is gone
        ("1,000", "1 000", "1000"),
        ("the", "", ""),
        ("", "", ""),
    ],
)
def test_answers_as_the_benchmarks_own_scorers_compare_them(text: str, trivia: str, nq: str) -> None:
    assert (triviaqa_answer(text), nq_open_answer(text)) == (trivia, nq)


# Everything the Indic normalisers act on, so that chance finds what one step makes of another's work.
ACTED_ON = (
    "\u200c\u200d\u0d23\u0d28\u0d30\u0d7b\u0d4d\u09a4\u09cd\u09ce"  # joiners and what they make
    "\u064a\u0649\u0643\u0647\u06d5\u06c0\u06c1\u06c2\u0629\u0640\u0654\u0653"
    "\u0958\u093c\u0915।॥۔ १۱1\u09c7\u09be\u0bc6\u0bbe"
)
TRICKY = st.text(st.sampled_from(ACTED_ON), max_size=8)


@given(TRICKY | st.text())
def test_every_indic_step_is_idempotent_and_keeps_nfc(text: str) -> None:
    for step in (indic_answer, urdu_letters, lambda t: no_joiners(nfc(t))):
        once = step(text)
        assert step(once) == once == nfc(once)
    assert not set(indic_answer(text)) & set("\u200c\u200d\u064a\u0643\u0640")


@given(st.text())
def test_equal_looking_answers_become_equal(text: str) -> None:
    assert indic_answer(text) == indic_answer(unicodedata.normalize("NFD", text))


@given(st.text(st.sampled_from(string.printable)))
def test_english_only_loses_its_end(text: str) -> None:
    assert indic_answer(text) == strip_sentence_end(text)


def test_joiners() -> None:
    assert no_joiners("क्\u200dष") == no_joiners("क्\u200cष") == "क्ष"
    assert no_joiners("അവന്\u200d") == "അവൻ"  # the chillu of old text
    assert no_joiners("উত্\u200dসব") == "উৎসব"  # khanda ta
    assert no_joiners("नदी") == "नदी"


def test_nukta_letters_written_two_ways() -> None:
    assert indic_answer("क़िला") == indic_answer("क\u093cिला")
    assert indic_answer("ড়") == indic_answer("ড\u09bc")
    assert indic_answer("ਸ਼ਹਿਰ") == indic_answer("ਸ\u0a3cਹਿਰ")


def test_urdu_from_an_arabic_keyboard() -> None:
    assert urdu_letters("\u0643\u062a\u0627\u0628 \u0645\u064a\u06ba") == "کتاب میں"
    assert urdu_letters("ســــلام") == "سلام"
    assert indic_answer("۱۲ كتاب۔") == "12 کتاب"
