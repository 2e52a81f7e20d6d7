"""Letters and numbers of options: the last one said, at its boundaries, in any dress; what is taken back is not chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError, DataError
from evalkit.metrics import ChoiceMatch, ExactMatch, RegexExtract
from evalkit.metrics.extraction.choices import Options
from evalkit.types import Doc, Response

AB = Options(("A", "B"), (("बारिश हुई", "the rain fell"), ("a dog barked", "सड़क सूखी थी")))
ABCD = Options(tuple("ABCD"))
KA = Options(("क", "ख", "ग"))
SIGN = Options(("0", "1"), (("positive", "सकारात्मक"), ("negative", "नकारात्मक")), "(?m)^Text:")
NLI = Options(("0", "1", "2"), (("entailment", "entails"), ("neutral",), ("contradiction", "contradicts")), "(?m)^Premise:")


@pytest.mark.parametrize(
    ("options", "text", "chosen"),
    [
        (AB, "Answer: B", "B"),
        (AB, "Answer: A\nWait. Answer: B", "B"),
        (AB, "Answer: Based on the text, A", "A"),
        (AB, "Answer: Based on the text", None),
        (AB, "**Answer:** B", "B"),
        (AB, "Answer: **B**", "B"),
        (AB, "Answer: (B)", "B"),
        (AB, "Answer： B", "B"),
        (AB, "answer: b", "B"),
        (AB, " B", "B"),
        (AB, "B.", "B"),
        (AB, "(b)", "B"),
        (AB, "B\n\nBecause A is wrong", "B"),
        (NLI, "Answer: २", "2"),
        (NLI, "२", "2"),
        (NLI, "Answer: 20", None),
        (NLI, "20", None),
        (NLI, "Answer: 2.", "2"),
        (NLI, "Answer: 2.5", None),
        (AB, "Answer: A is not likely.\nAnswer: B", "B"),
        (AB, "Answer: B\nAnswer: A is not likely.", "B"),
        (AB, "Answer: A is not likely.", None),
        (AB, "Answer: बारिश हुई।", "A"),
        (AB, "बारिश हुई", "A"),
        (AB, "Answer: A dog barked.", "B"),
        (AB, "a dog barked", "B"),
        (AB, "Answer: A cat meowed", None),
        (AB, "Answer: A because of rain", "A"),
        (AB, "Answer: A/B", None),
        (AB, "Answer: A or B", None),
        (AB, "Answer: A, not B", "A"),
        (AB, "Answer: A, B", None),
        (AB, "Answer: not A", None),
        (AB, "Answer: <Answer>", None),
        (AB, "Answer: Option B", "B"),
        (AB, "The correct answer is B.", "B"),
        (AB, "The correct option is (B) because", "B"),
        (AB, "उत्तर: B", "B"),
        (AB, "सही उत्तर B है।", "B"),
        (AB, "उत्तर है B", "B"),
        (AB, r"\boxed{B}", "B"),
        (AB, r"$\boxed{\text{B}}$", "B"),
        (AB, "Option B is correct", "B"),
        (AB, "I choose B.", "B"),
        (AB, "A is incorrect, so B is the correct answer", "B"),
        (AB, "A: बारिश\nB: सूखी", None),
        (AB, "A: बारिश\nB: सूखी\nAnswer: B", "B"),
        (AB, "A man walked", None),
        (AB, "Reasoning here.\n\nB", "B"),
        (AB, "Reasoning here.\n\n**B**", "B"),
        (AB, "Answer:\nB", "B"),
        (AB, "**Answer:**\n\n**B**", "B"),
        (AB, '{"answer": "B"}', "B"),
        (AB, "Final Answer: B", "B"),
        (AB, "The answer is: B", "B"),
        (AB, "Answer: B) सड़क सूखी थी", "B"),
        (AB, "Answer: B: सड़क", "B"),
        (AB, "Answer: B।", "B"),
        (SIGN, "Answer: 0\n\nText: another\nAnswer: 1", "0"),
        (SIGN, "0\n\nText: another\nAnswer: 1", "0"),
        (
            SIGN,
            "Output the final answer as Answer: <Answer> where <Answer> is the final answer which is 0/1.\n\nText: foo\nभाव\nAnswer: 1",
            "1",
        ),
        (SIGN, "Answer: positive", "0"),
        (SIGN, "सकारात्मक", "0"),
        (SIGN, "Positive.", "0"),
        (SIGN, "Answer: not positive", None),
        (SIGN, "Answer: The sentiment is positive.", "0"),
        (SIGN, "The sentiment is negative.", "1"),
        (SIGN, "Sentiment: Negative", "1"),
        (SIGN, "Answer: 0/1", None),
        (SIGN, "Answer: -1", None),
        (SIGN, "Answer: 10", None),
        (SIGN, "Answer: 1%", None),
        (SIGN, "1. First the review\n2. Then", None),
        (SIGN, "1. First the review\n2. Then\nAnswer: 0", "0"),
        (SIGN, "Answer: 0 (positive)", "0"),
        (SIGN, "Answer: 1, negative", "1"),
        (SIGN, "उत्तर: १", "1"),
        (NLI, "Answer: 2 because it contradicts", "2"),
        (NLI, "Answer: contradiction", "2"),
        (NLI, "Answer: The premise entails the hypothesis", "0"),
        (NLI, "Answer: entailment or neutral", None),
        (ABCD, "Answer: D", "D"),
        (ABCD, "The capital is far. So D.", "D"),
        (ABCD, "Answer: A\n\nWait, A is wrong.", None),
        (ABCD, "Answer: A\n\nA less likely cause would be the other.", "A"),
        (NLI, "Answer: 1.0", "1"),
        (NLI, "Answer: 1.05", None),
        (ABCD, "Answer: Dogs", None),
        (ABCD, "I think C. Answer: C", "C"),
        (ABCD, "Answer: C is wrong. Answer: A is wrong. Answer: D", "D"),
        (ABCD, "Answer - B", "B"),
        (ABCD, "Ans: c", "C"),
        (ABCD, "A and C", None),
        (ABCD, "Answer: A and C", None),
        (AB, "Answer: A? No.\nAnswer: B", "B"),
        (AB, "Answer: A नहीं है\nAnswer: B", "B"),
        (AB, "Answer: B\nAnswer: A सही नहीं है", "B"),
        (AB, "", None),
        (AB, "Answer: B's", None),
        (AB, "Answer: b because", "B"),
        (AB, "Answer: a", "A"),
        (AB, "Answer: Ａ", "A"),
        (AB, "A", "A"),
        (AB, "a", "A"),
        (AB, "Answer: B. A is incorrect.", "B"),
        (AB, "Answer: B. The answer is not A.", "B"),
        (AB, "Answer: B\n\nExplanation: Option A does not follow. The answer A is not plausible", "B"),
        (AB, "Answer: A isn't right\nAnswer: B", "B"),
        (AB, "Answer: AB", None),
        (AB, "Answer: B-tree", None),
        (AB, "B)", "B"),
        (AB, "[B]", "B"),
        (AB, "Answer: [B]", "B"),
        (AB, 'Answer: "B"', "B"),
        (AB, "Answer is B", "B"),
        (AB, "So the answer would be B", "B"),
        (AB, "Answer: A. No wait, Answer: B", "B"),
        (AB, "જવાબ: B", "B"),
        (AB, "பதில்: B", "B"),
        (AB, "جواب: B", "B"),
        (AB, "উত্তর: B", "B"),
        (AB, "Answer: _B_", "B"),
        (AB, "Answer: A is the wrong choice.", None),
        (AB, "Answer: A can be ruled out. Answer: B", "B"),
        (AB, "Answer: A doesn't fit", None),
        (AB, "B है।", "B"),
        (AB, "B क्योंकि", "B"),
        (SIGN, "1 है", "1"),
        (SIGN, "2 वाक्य", None),
        (AB, "Answer: A and B are both possible, but B is more likely", "B"),
        (AB, "Answer: A is correct, not B", "A"),
        (AB, "Answer: विकल्प B", "B"),
        (AB, "ANSWER: B", "B"),
        (AB, "Answer:B", "B"),
        (AB, "Answer: ‘B’", "B"),
        (AB, "Answer: B, because A is not likely", "B"),
        (SIGN, "Answer: Negative (1)", "1"),
        (AB, "The cause is A. Hence the answer is A", "A"),
        (AB, "<answer>B</answer>", "B"),
        (AB, "Answer: <B>", "B"),
        (AB, "Answer : B", "B"),
        (AB, "Answer :\n\nB", "B"),
        (AB, "Answer: \n", None),
        (AB, "Correct answer: B", "B"),
        (AB, "#### B", "B"),
        (AB, "I would go with B.", "B"),
        (AB, "Answer: I think it is B.", "B"),
        (AB, "Answer: I am a model", None),
        (AB, "उत्तर - B", "B"),
        (AB, "उत्तर B", "B"),
        (AB, "B उत्तर है", "B"),
        (AB, "Answer: B (a dog barked)", "B"),
        (SIGN, "Answer: [1]", "1"),
        (SIGN, "Answer: 1\nAnswer: 1", "1"),
        (SIGN, "Answer: 1 Answer: 0", "0"),
        (SIGN, "भाव: सकारात्मक", "0"),
        (AB, "**B**: because", "B"),
        (AB, "not A, but B", "B"),
        (AB, "It is not A, it is B.", "B"),
        (AB, "Answer: neither A nor C but B", "B"),
        (AB, "Answer: A, no wait, B", "B"),
        (AB, "Answer: A. Hmm, actually B.", "B"),
        (AB, "I think it's B", "B"),
        (AB, "I'd say B", "B"),
        (AB, "Ans. B", "B"),
        (AB, r"\boxed{B. a dog barked}", "B"),
        (AB, "A नहीं, B", "B"),
        (AB, "A गलत है। B सही है।", "B"),
        (AB, "A सही नहीं है।", None),
        (AB, "Answer: B or maybe A", None),
        (AB, "Answer: B (or A)", None),
        (ABCD, "A. It is a cat.", "A"),
        (AB, "সঠিক উত্তর হল B", "B"),
        (AB, "ਜਵਾਬ ਹੈ B", "B"),
        (AB, "જવાબ છે B", "B"),
        (AB, "ସଠିକ ଉତ୍ତର ହେଉଛି B", "B"),
        (AB, "B తప్పు, A సరైనది", "A"),
        (AB, "B தவறு. A சரி.", "A"),
        (AB, "B തെറ്റാണ്. A ശരിയാണ്.", "A"),
        (AB, "B غلط ہے، A درست ہے", "A"),
        (AB, "B ಸರಿಯಲ್ಲ", None),
        (AB, "B ശരിയല്ല, A", "A"),
        (AB, "Option A: incorrect. Option B: correct.", "B"),
        (AB, "A? No. B.", "B"),
        (AB, "~~A~~ B", "B"),
        (AB, "I choose option (b).", "B"),
        (AB, "A\nB", None),
        (NLI, "उत्तर हैं: २", "2"),
        (NLI, "neither entailment nor contradiction, so neutral", "1"),
        (NLI, "2 (contradiction)", "2"),
        (NLI, "contradiction (2).", "2"),
        (NLI, "2 (entailment)", None),
        (KA, "उत्तर: ख", "ख"),
        (KA, "सही उत्तर ख है।", "ख"),
        (KA, "उत्तर: खेल", None),
        (KA, "ख) दिल्ली", "ख"),
        (NLI, "No. 1", "1"),
        (NLI, "The relation is contradiction.", "2"),
        (NLI, "The relation is not neutral.", None),
        (AB, "### Answer\nB", "B"),
        (AB, "Answer: B \\(since", "B"),
        (AB, "Answer: A या B", None),
        (AB, "Answer: A অথবা B", None),
        (AB, "Answer: A and B", None),
        (AB, "উত্তর: A না, B", "B"),
        (AB, "Answer: A ভুল\nAnswer: B", "B"),
        (AB, "উত্তর: A নয়\nউত্তর: B", "B"),
        (AB, "Answer: A, B, C", None),
        (AB, "Answer: A, because B is wrong", "A"),
        (AB, "Correct: B", "B"),
        (AB, "The correct alternative is **B**.", "B"),
        (AB, "Verdict: B", "B"),
        (AB, "Result: A man fell", None),
        (AB, "The cause is B.", "B"),
        (AB, "It must be B.", "B"),
        (AB, "It cannot be B.", None),
        (AB, "If it is B.", None),
        (AB, "Definitely B.", "B"),
        (AB, "I prefer B over A", "B"),
        (AB, "A is less likely than B.", "B"),
        (AB, "B rather than A", "B"),
        (AB, "Rather than B, A.", "A"),
        (AB, "I initially chose A. On reflection, B.", "B"),
        (AB, "Eliminate A. Choose B.", "B"),
        (AB, "A or B? B.", "B"),
        (AB, "A? B?", None),
        (AB, "=> B", "B"),
        (AB, "→ B", "B"),
        (AB, "A ❌\nB ✅", "B"),
        (AB, "✅ B", "B"),
        (AB, "A - No\nB - Yes", "B"),
        (AB, "Ⓑ", "B"),
        (AB, "🅱️", "B"),
        (AB, "Answer: 𝗕", "B"),
        (AB, "| Answer |\n|---|\n| B |", "B"),
        (AB, "উত্তরঃ B", "B"),
        (AB, "সঠিক উত্তৰ হৈছে B।", "B"),
        (AB, "答案是 B。", "B"),
        (AB, "正确答案：B", "B"),
        (AB, "Respuesta: B", "B"),
        (AB, "Die Antwort ist B.", "B"),
        (AB, "उत्तर: (ख)", "B"),
        (AB, "विकल्प बी सही है।", "B"),
        (AB, "சரியான விடை: (ஆ)", "B"),
        (AB, "صحیح جواب (ب) ہے", "B"),
        (AB, "उत्तर: बीच में", None),
        (AB, "B<|eot_id|>", "B"),
        (AB, "Answer: It depends on A and B", None),
        (AB, "A: बारिश हुई\nB: सड़क सूखी थी", None),
        (AB, "I think बारिश हुई is the cause.", "A"),
        (AB, "बारिश हुई नहीं, सड़क सूखी थी", "B"),
        (SIGN, "The review is not positive; it is negative.", "1"),
        (SIGN, "It's positive, not negative.", "0"),
        (SIGN, "यह सकारात्मक नहीं, नकारात्मक है।", "1"),
        (SIGN, "यह सकारात्मक नहीं है", None),
        (SIGN, "It is anything but positive", None),
        (SIGN, "both positive and negative", None),
        (SIGN, "The text is negative, so I answer 1.", "1"),
        (SIGN, "0 for positive, 1 for negative: 1", "1"),
        (SIGN, "sentiment: negative\nconfidence: 0", "1"),
        (SIGN, '{"sentiment": "positive", "score": 1}', "0"),
        (SIGN, "Answer: one", "1"),
        (SIGN, "1\ufe0f\u20e3", "1"),
        (NLI, "The premise neither entails nor contradicts the hypothesis.", None),
        (NLI, "This is not entailment. It is a contradiction.", "2"),
    ],
)
def test_the_option_an_answer_chooses(options: Options, text: str, chosen: str | None) -> None:
    assert options.choice(text) == chosen


MARK = st.sampled_from(
    [
        "Answer: {}", "Answer : {}", "answer: {}", "Answer：{}", "**Answer:** {}", "**Answer: {}**", "Final answer: {}",
        "The answer is {}", "Ans: {}",
        "The correct option is {}", "Answer: Option {}", "Answer:\n{}", "### Answer\n\n{}",
        "<answer>{}</answer>", '{{"answer": "{}"}}', "\\boxed{{{}}}",
        "उत्तर: {}", "सही उत्तर {} है", "উত্তর: {}", "ఎంపిక: {}", "பதில்: {}", "ಉತ್ತರ: {}", "ഉത്തരം: {}", "જવાબ: {}",
        "ਉੱਤਰ: {}", "ଉତ୍ତର: {}", "جواب: {}",
    ]
)  # fmt: skip
DRESS = st.sampled_from(["{}", "({})", "[{}]", "**{}**", "*{}*", "`{}`", '"{}"', "({}", "{})", "**({})**"])
END = st.sampled_from(["", ".", "।", "\n", ".\n\nThis follows from the text.", "\n\nExplanation: the other one does not fit."])
LETTERS = {name: chr(0xFEE0 + ord(name)) for name in "ABCD"}
DIGITS = {"hi": 0x966, "bn": 0x9E6, "ta": 0xBE6, "te": 0xC66, "or": 0xB66, "ur": 0x6F0, "wide": 0xFF10}


@given(st.sampled_from("ABCD"), MARK, DRESS, END, st.sampled_from(["upper", "lower", "wide"]))
def test_a_letter_behind_any_mark(letter: str, mark: str, dress: str, end: str, form: str) -> None:
    written = {"upper": letter, "lower": letter.lower(), "wide": LETTERS[letter]}[form]
    if mark.startswith("\\boxed"):
        dress = "{}"
    said = mark.format(dress.format(written)) + end
    assert ABCD.choice(said) == letter, said


@given(st.integers(0, 2), MARK, DRESS, END, st.sampled_from(["ascii", *DIGITS]))
def test_a_number_behind_any_mark_in_any_script(number: int, mark: str, dress: str, end: str, script: str) -> None:
    written = str(number) if script == "ascii" else chr(DIGITS[script] + number)
    if mark.startswith("\\boxed"):
        dress = "{}"
    said = mark.format(dress.format(written)) + end
    assert NLI.choice(said) == str(number), said


@given(st.sampled_from("ABCD"), st.sampled_from("ABCD"), MARK, MARK, st.sampled_from(["\n", "\n\nWait, that is not right.\n", ". "]))
def test_the_last_mark_wins(first: str, last: str, before: str, behind: str, between: str) -> None:
    assert ABCD.choice(before.format(first) + between + behind.format(last)) == last


DENIAL = st.sampled_from(
    ["is not likely", "is wrong", "is incorrect.", "isn't right", "cannot be right", "seems unlikely", 
     "is not the answer", "would be wrong",
     "नहीं है", "सही नहीं है", "गलत है", "নয়", "ভুল", "இல்லை", "కాదు", "ಅಲ್ಲ", "അല്ല", "ਨਹੀਂ", "ନୁହେଁ", "નથી", "نہیں"]
)  # fmt: skip


@given(st.sampled_from("ABCD"), st.sampled_from("ABCD"), DENIAL, st.booleans())
def test_what_is_taken_back_is_not_chosen(denied: str, chosen: str, denial: str, first: bool) -> None:
    taken, kept = f"Answer: {denied} {denial}", f"Answer: {chosen}"
    if first:
        assert ABCD.choice(f"{taken}\n{kept}") == chosen
    else:  # what was chosen before may be taken back itself
        assert ABCD.choice(f"{kept}\n{taken}") == (None if chosen == denied else chosen)
    assert ABCD.choice(taken) is None


@given(st.sampled_from("ABCD"), st.sampled_from(["ased on this", "ll of them", "og", "eer", "'s", "-tree", "1", "_x", "।क"]))
def test_a_letter_ends_at_a_boundary(letter: str, more: str) -> None:
    if more == "।क":
        assert ABCD.choice(f"Answer: {letter}{more}") == letter  # a danda does end it
    else:
        assert ABCD.choice(f"Answer: {letter}{more}") is None


@given(st.integers(0, 2), st.sampled_from(["{}0", "1{}", "{}.5", "0.{}5", "-{}", "{}%", "{}/2", "{}th", "3,{}", "{}:30"]))
def test_a_number_ends_at_a_boundary(number: int, form: str) -> None:
    assert NLI.choice(f"Answer: {form.format(number)}") is None


@given(st.permutations("ABCD"), st.sampled_from(["/", " or ", " and ", ", ", " & ", " या ", " অথবা "]), MARK)
def test_two_options_are_none(letters: list[str], between: str, mark: str) -> None:
    if mark.startswith(("<", "\\", "{{")):
        mark = "Answer: {}"
    assert ABCD.choice(mark.format(f"{letters[0]}{between}{letters[1]}")) is None


@given(st.sampled_from(["0", "1"]), st.sampled_from(["Answer: {}", "{}", " {}.", "**{}**"]), st.sampled_from(["0", "1"]))
def test_a_prompt_said_again_and_a_next_question_change_nothing(label: str, form: str, next_label: str) -> None:
    asked = "Output the final answer as Answer: <Answer> where <Answer> is 0/1.\n\nText: अच्छा\nभाव\nAnswer:"
    more = f"\n\nText: बुरा\nभाव\nAnswer: {next_label}"
    said = form.format(label)
    assert SIGN.choice(said + more) == label
    assert SIGN.choice(f"{asked} {label}") == label
    assert SIGN.choice(f"{asked} {label}{more}") == label


NATIVE = {"hi": ("कखगघ", "उत्तर"), "bn": ("কখগঘ", "উত্তর"), "gu": ("કખગઘ", "જવાબ"), "or": ("କଖଗଘ", "ଉତ୍ତର"), "ta": ("அஆஇஈ", "விடை")}


@given(st.integers(0, 3), st.sampled_from([*NATIVE]), st.sampled_from(["{}: {}", "{}: ({})", "{} ({})", "{} = {}."]))
def test_the_letters_of_a_script_are_the_options_letters(place: int, code: str, form: str) -> None:
    letters, word = NATIVE[code]
    said = form.format(word, letters[place])
    assert ABCD.choice(said) == "ABCD"[place]
    if place > 1:
        assert AB.choice(said) is None  # no option of that letter
    assert ABCD.choice(f"{word}: {letters[place]}ल") is None  # a word that begins with it


@given(st.text() | st.text(st.sampled_from("AB01 :：.()[]*\n'\"notisAnswer\\{}boxed")))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert AB.choice(text) in ("A", "B", None) and NLI.choice(text) in ("0", "1", "2", None)


@pytest.mark.parametrize("piece", ["Answer: ", "A ", "answer is not ", "(", "\\boxed{", "- "])
def test_a_model_in_a_loop_chooses_nothing(piece: str) -> None:
    assert AB.choice(piece * 2_000) is None


@pytest.mark.parametrize(("piece", "label"), [("B\n", "B"), ("Answer: A or ", "A"), ("A is ", "A")])
def test_a_model_in_a_loop_that_names_one_option_chooses_it(piece: str, label: str) -> None:
    assert AB.choice(piece * 2_000) == label


def say(*texts: str) -> list[Response]:
    return [Response("k", "ok", text=text) for text in texts]


def test_it_stands_next_to_the_published_reading() -> None:
    doc = Doc("d", {}, choices=("बारिश हुई", "हवा चली"), target="B")
    published = ExactMatch("acc", extract=RegexExtract(r"Answer\s*:\s*([A-B])"))
    said = "Answer: A is not likely.\nAnswer: B"
    assert published.score(doc, say(said)).value == 0
    score = ChoiceMatch(["A", "B"]).score(doc, say(said))
    assert (score.value, score.prediction, score.flags) == (1, "B", ())
    assert ChoiceMatch(["A", "B"]).score(doc, say("हवा चली।")).value == 1  # the option's own text
    assert ChoiceMatch(["A", "B"]).score(doc, say("neither")).flags == ("invalid",)
    assert ChoiceMatch(["A", "B"]).score(doc, say("B", "A", "?")).value == pytest.approx(1 / 3)
    assert ChoiceMatch(["A", "B"]).score(doc, []).value is None


def test_numbered_options_come_from_the_document() -> None:
    doc = Doc("d", {"options": [["positive", "सकारात्मक"], ["negative", "नकारात्मक"]]}, target=1)
    metric = ChoiceMatch(texts_field="options")
    assert [metric.score(doc, say(text)).value for text in ("१", "Answer: नकारात्मक", "0")] == [1, 1, 0]
    with pytest.raises(DataError, match="target '2' is none of the labels 0, 1"):
        metric.check(Doc("d", doc.fields, target=2))
    with pytest.raises(DataError, match=r"field options .* has not one entry per label"):
        metric.check(Doc("d", {}, target=0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "without labels it has to know the options"),
        ({"labels": "AB"}, "is no list of two or more different labels"),
        ({"labels": ["A", "a"]}, "is no list of two or more different labels"),
        ({"labels": ["A", "B"], "again": "("}, "is no regular expression"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ChoiceMatch(**settings)  # type: ignore[arg-type]
