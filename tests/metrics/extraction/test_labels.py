"""Labels in every dress that models put on them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.metrics import LabelMatch
from evalkit.metrics.extraction.labels import label
from evalkit.metrics.extraction.marks import bare, bare_sentence, ended
from evalkit.types import Doc, Response

LABELS = ["खेल", "राजनीति", "Sports", "व्यापार जगत", "அரசியல்", "കായികം", "کھیل"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"खेल"', "खेल"),
        ("**खेल**", "खेल"),
        ("श्रेणी - खेल", "खेल"),
        ("उत्तर: खेल है", "खेल"),
        ("<label>खेल</label>", "खेल"),
        (r"\boxed{\text{खेल}}", "खेल"),
        ('Here it is: {"label": "खेल", "why": "राजनीति नहीं"}', "खेल"),
        ("~~~\nखेल\n~~~", "खेल"),
        ("The category is खेल because a match is played.", "खेल"),
        ("I would classify this as खेल.", "खेल"),
        ("Label: खेल (not राजनीति)", "खेल"),
        ("खेल 😀", "खेल"),
        ("खेल topic", "खेल"),
        ("खेल\nराजनीति", None),
        ("खेल\nखेल", "खेल"),
        ("- खेल", "खेल"),
        ("Label: खेल", "खेल"),
        ("खेल।", "खेल"),
        ("“खेल”।", "खेल"),
        ("लेबल: खेल", "खेल"),
        ("Label：खेल", "खेल"),  # full-width colon
        ("**Label:** “खेल”", "खेल"),
        ("1. खेल", "खेल"),
        ("### खेल", "खेल"),
        ("['खेल']", "खेल"),
        ('{"label": "खेल"}', "खेल"),
        ('```json\n{"label": "खेल", "confidence": "high"}\n```', "खेल"),
        ("```\nखेल\n```", "खेल"),
        ("The label is **खेल**.", "खेल"),
        ("खेल - क्योंकि मैच हुआ", "खेल"),
        ("खेल। क्योंकि मैच हुआ", "खेल"),
        ("खेल (cricket)", "खेल"),
        ("A match was played.\nLabel: खेल", "खेल"),
        ("व्यापार\u00a0जगत", "व्यापार जगत"),
        ("sports!", "Sports"),
        ("खेल, राजनीति", None),  # two labels are none
        ("खेल (Sports)", None),
        ('["खेल", "राजनीति"]', None),
        ("खेल या राजनीति", None),
        ("यह खेल नहीं है", None),  # a label in a sentence may be denied
        ("यह खेल है।", "खेल"),
        ("यह पाठ खेल श्रेणी का है।", "खेल"),
        ("राजनीति नहीं, खेल", "खेल"),
        ("यह राजनीति नहीं बल्कि खेल है", "खेल"),
        ("खेल instead of राजनीति", "खेल"),
        ("It is not राजनीति; it is खेल.", "खेल"),
        ("खेल? राजनीति?", None),
        ("न खेल न राजनीति", None),
        ("$\\text{खेल}$", "खेल"),
        ("खेल</s>", "खेल"),
        ("लेबलः खेल", "खेल"),
        ("खेलकूद", None),
        ("**", None),
        ("", None),
    ],
)
def test_the_label_an_answer_gives(text: str, found: str | None) -> None:
    assert label(text, LABELS) == found


DRESS = st.sampled_from(
    [
        '"{}"',
        "'{}'",
        "`{}`",
        "“{}”",
        "«{}»",
        "**{}**",
        "__{}__",
        "*{}*",
        "[{}]",
        "({})",
        "<{}>",
        "{}।",
        "{}.",
        "{}۔",
        "{}!",
        " {} \n",
        "\n{}",
    ]
)
MARK = st.sampled_from(
    ["{}", "- {}", "* {}", "• {}", "1. {}", "2) {}", "> {}", "## {}", "Label: {}", "label：{}", "Answer: {}", "Category - {}"]
)


@given(st.sampled_from(LABELS), DRESS, DRESS, MARK, st.booleans())
def test_any_two_dresses_and_a_mark_hide_no_label(name: str, inner: str, outer: str, mark: str, upper: bool) -> None:
    said = outer.format(mark.format(inner.format(name.upper() if upper else name)))
    assume(not (mark.startswith("Category") or (mark.startswith(">") and "<" in inner + outer)))  # a dash is no colon; `<> x>` is nothing
    assert label(said, LABELS) == name, said


@given(st.lists(st.sampled_from(LABELS), min_size=2, max_size=3, unique=True), st.sampled_from([", ", " / ", " और ", "; ", " or ", " - "]))
def test_several_labels_are_none(names: list[str], between: str) -> None:
    assert label(between.join(names), LABELS) is None


@given(st.text() | st.text(st.sampled_from("खेल\"'*-:।. []{}`\n,Sports")))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert label(text, LABELS) in {*LABELS, None}
    assert bare(bare(text)) == bare(text)
    assert bare_sentence(bare_sentence(text)) == bare_sentence(text)


@given(st.sampled_from(LABELS), st.sampled_from(["कूद", "x", "ness", "ों"]))
def test_a_longer_word_is_no_label(name: str, more: str) -> None:
    assert label(name + more, LABELS) is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("B<|im_end|>\n<|im_start|>user\nC", "B"),
        ("<|im_start|>assistant\nB<|im_end|>", "B"),
        ("<s>[/INST] B</s>", " B"),
        ("B<|eot_id|><|eot_id|>", "B"),
        ("a < b and <b>c</b>", "a < b and <b>c</b>"),
        ("<|im_end|>", ""),
        ("", ""),
    ],
)
def test_a_turn_ends_at_its_token(text: str, kept: str) -> None:
    assert ended(text) == kept == ended(ended(text))


def test_labels_that_are_themselves_marked_stay_apart() -> None:
    assert [label(text, ["-1", "1", "0"]) for text in ("-1", "1", "Label: -1", "**1**")] == ["-1", "1", "-1", "1"]
    assert label("खेल", ['"खेल"', "x"]) == '"खेल"'  # both sides
    assert [label(text, ["0", "1"]) for text in ("-1", "1.5", "10", "1.", "label 1")] == [None, None, None, "1", "1"]


SENTIMENT = ["positive", "negative", "neutral"]
AFFIRMS = st.sampled_from(
    [
        "The text is {}.",
        "It expresses a {} sentiment.",
        "very {}",
        "It's {}",
        "mostly {}",
        "The overall tone is {}, I think.",
        "I find it {}!",
    ]
)
DENIES = st.sampled_from(
    ["It is not {}", "It isn't {}", "hardly {}", "far from {}", "anything but {}", "It cannot be called {}", "I wouldn't say {}",
     "no {} words",
     "neither good nor {}", "never {}", "यह {} नहीं है", "এটি {} নয়", "இது {} அல்ல"]
)  # fmt: skip


@given(st.permutations(SENTIMENT), AFFIRMS, DENIES, st.sampled_from(["; ", ". ", ", but ", "\n"]))
def test_a_sentence_gives_what_it_affirms_and_not_what_it_denies(names: list[str], yes: str, no: str, between: str) -> None:
    said, denied = yes.format(names[0]), no.format(names[1])
    assert label(said, SENTIMENT) == names[0]
    assert label(denied, SENTIMENT) is None
    if between != "\n":
        assert label(f"{said.rstrip('.!')}{between}{denied}", SENTIMENT) == names[0], f"{said}{between}{denied}"
        assert label(f"{denied}{between}{said}", SENTIMENT) == names[0], f"{denied}{between}{said}"
    assert label(f"{said} {yes.format(names[1])}", SENTIMENT) is None


@pytest.mark.parametrize(("said", "value", "invalid"), [("- **खेल**।", 1, False), ("Label: राजनीति", 0, False), ("क्रिकेट", 0, True)])
def test_scores(said: str, value: float, invalid: bool) -> None:
    score = LabelMatch().score(Doc("d", {"labels": LABELS, "label": "खेल"}), [Response("k", "ok", text=said)])
    assert (score.value, "invalid" in score.flags) == (value, invalid)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Science and Technology", "Science & Technology"),
        ("science &amp; technology", "Science & Technology"),
        ("Ｓｐｏｒｔｓ", "Sports"),
        ("NOT_HATE", "Not Hate"),
        ("Not-Hate", "Not Hate"),
        ("Hate", "Hate"),
        ("The sentiment of the text is Sports.", "Sports"),
        ("Not Sports", None),
        ("The text is not hate speech", "Not Hate"),
        ("The text is hate speech", "Hate"),
        ("Sports or Hate", None),
    ],
)
def test_a_careless_spelling_of_one_label(text: str, found: str | None) -> None:
    assert label(text, ["Sports", "Science & Technology", "Hate", "Not Hate"]) == found
