r"""Numbers by value: the cases people report, then the same numbers written in every way we know."""

from __future__ import annotations

from fractions import Fraction

import math_verify
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.metrics import NumberMatch
from evalkit.metrics.extraction.numbers import Number, number
from evalkit.types import Doc, Response

# The digit 0 of each script; the others follow it.
SCRIPTS = {"hi": "०", "bn": "০", "ta": "௦", "ur": "۰", "ar": "٠", "or": "୦", "ml": "൦", "wide": "０"}
ZEROS = {name: ord(zero) for name, zero in SCRIPTS.items()}


def native(text: str, script: str) -> str:
    return text.translate({ord(str(d)): ZEROS[script] + d for d in range(10)})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"So \boxed{18}.", "18"),
        ("The answer is –18", "-18"),
        ("= –१८", "-18"),
        ("pages 5–18", "18"),
        ("18 cm^2", "18"),
        ("1'250", "1250"),
        ("1_250 bytes", "1250"),
        ("#### 3 + 15 = 18", "18"),
        ("#### 18 = eighteen", "18"),
        (r"\boxed{\text{18 apples}}", "18"),
        ("₹१,२५,०००/-", "125000"),
        ("௧,௨௫௦", "1250"),
        ("ரூ.1,250", "1250"),
        ("-रु. ५००", "-500"),
        (r"\boxed{18,\!000}", "18000"),
        ("$18.00", "18"),
        ("18.0", "18"),
        (r"$1{,}250$", "1250"),
        (r"1\,250", "1250"),
        ("1,250", "1250"),
        ("१८", "18"),
        ("₹१,२५,०००", "125000"),
        ("It is 25%.", "25%"),
        ("५०٪", "50%"),
        ("18 dollars", "18"),
        ("18km", "18"),
        ("the 18th", "18"),
        ("The answer is 18.", "18"),
        ("-5", "-5"),
        ("\u22125 degrees", "-5"),  # a minus sign of its own
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("3/4 of a cup", "0.75"),
        (r"-\frac{3}{4}", "-0.75"),
        (r"\dfrac{1}{3}", "1/3"),
        (r"\frac12", "0.5"),
        ("½", "0.5"),
        ("2½ cups", "2.5"),
        ("2 1/2 cups", "2.5"),
        ("Rs.18", "18"),  # the point belongs to the word
        ("Rs. 1,00,000/-", "100000"),
        ("10-3", "3"),
        ("10 - 3", "3"),
        ("5 - 3 = 2", "2"),
        ("pages 3\u20135", "5"),
        ("**18**", "18"),
        ("**Answer:** $\\boxed{\\$18}$", "18"),
        (r"\boxed{18\text{ dollars}} in 3 steps", "18"),
        (r"\boxed{\frac{1}{2}}", "0.5"),
        (r"\boxed{x} and 5", "5"),  # a box without a number says nothing
        (r"\boxed{7}, no: \boxed{8} after 2 tries", "8"),
        ("#### 18 (3 steps)", "18"),
        ("3 + 4\n#### 7", "7"),
        ("1.5e3", "1500"),
        (r"3 \times 10^5", "300000"),
        ("3 × 10^{-2}", "0.03"),
        ("2^{10}", "1024"),
        ("12,50 €", "12.5"),  # a comma as the decimal mark
        ("1,2,3", "3"),
        ("(1,2)", "2"),
        ("1\u202f250 m", "1250"),
        ("۱٬۲۵۰٫۵", "1250.5"),
        ("on 12/05/2024", "2024"),
        ("CO2", "2"),
        ("1 250 000 people", "1250000"),
        ("in 2020 100 people", "100"),
        ("1.250,50 €", "1250.5"),
        ("1.250.000", "1250000"),
        ("1.250", "1.25"),
        ("10⁴", "10000"),
        ("5 × 10⁻² m²", "0.05"),
        ("The answer is minus 5.", "-5"),
        ("10 minus 5", "5"),
        ("18 g of CO2", "18"),
        ("₹1.25 lakh", "125000"),
        ("1.25 लाख रुपये", "125000"),
        ("२ करोड़", "20000000"),
        ("৩ লক্ষ টাকা", "300000"),
        ("3 லட்சம்", "300000"),
        ("1 लाख 25 हज़ार रुपये", "125000"),
        ("1 crore, 2 lakh and 500", "10200500"),
        ("5 thousand, 18 thousand", "18000"),
        ("12 lakhs 50 thousand rupees", "1250000"),
        ("3 हज़ारों", "3000"),
        ("5 millionaires", "5"),
        ("The answer is 5! = 120", "120"),
        ("2 lakh people in 2024 cities", "2024"),
        ("$1.5 million", "1500000"),
        ("$70k", "70000"),
        ("5 km", "5"),
        ("Answer: 18.\n\nLet me know if you have 2 other questions!", "18"),
        ("Final answer: 18\nConfidence: 95%", "18"),
        ("The answer is 18, not 20.", "18"),
        ("So the answer is 18 (16 - 3 - 4 = 9 eggs at $2 each).", "18"),
        ("The answer is 9 × 2 = 18.", "18"),
        ("The answer is 5 more than 13, so 18.", "18"),
        ("Answer: 9 eggs are left. She makes 9 * 2 = $18.", "18"),
        ("Answer: 20\nWait, that is wrong. It is 18.", "18"),
        ("One option is 5 dollars, the other 18.", "18"),
        ('{"answer": 18, "confidence": 0.95}', "18"),
        ("<answer>18</answer> <confidence>90</confidence>", "18"),
        ("উত্তরঃ ১৮ টাকা। (৯টি ডিম, ২ টাকা করে)", "18"),
        ("#### Step 1\n16 - 7 = 9\n#### Step 2\n9 * 2 = 18\nShe makes $18.", "18"),
        ("#### 2. Multiply\n9 * 2 = 18", "18"),
        ("The train leaves at 5:00 PM.", "5"),
        ("at 5:30 p.m.", "5.5"),
        ("a ratio of 3:15", "15"),
        ("18 dollars and 50 cents", "18.5"),
        ("$18 and 5 cents", "18.05"),
        ("1 and 1/2", "1.5"),
        ("1-1/2 cups", "1.5"),
        ("−½", "-0.5"),
        (r"\boxed{- 5}", "-5"),
        (r"\boxed{\sqrt{16}}", "4"),
        ("10**6", "1000000"),
        ("7 · 10⁴", "70000"),
        ("١،٢٥٠", "1250"),
        ("18 m s^{-2}", "18"),
        ("18 ~~20~~", "18"),
        ("18&#8377; only", "18"),
        ("1\ufe0f\u20e38\ufe0f\u20e3", "18"),
        ("18<|im_end|>\n<|im_start|>user\nand 7?", "18"),
        ("eighteen", None),
        ("$.", None),
        ("$$", None),
        ("...", None),
        ("-", None),
        ("", None),
        ("7 / 0", None),
    ],
)
def test_the_number_an_answer_means(text: str, shown: str | None) -> None:
    found = number(text)
    assert (None if found is None else str(found)) == shown


@pytest.mark.parametrize(
    ("answer", "gold", "equal"),
    [
        ("25%", "25", True),
        ("25%", "0.25", True),
        ("0.25", "25", False),
        ("25", "25%", True),
        ("2500%", "25%", False),
        ("1/3", "0.33", False),
        ("3 million", "3", True),  # asked for in millions
        ("3 million", "3000000", True),
        ("3 million", "3 lakh", False),
    ],
)
def test_percentages_and_fractions_are_compared_exactly(answer: str, gold: str, equal: bool) -> None:
    left, right = number(answer), number(gold)
    assert left and right and left.equals(right) is equal is right.equals(left)


VALUES = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=1).map(int)
DECIMALS = st.tuples(VALUES, st.integers(0, 3), st.integers(0, 999))
AROUND = st.sampled_from(
    [
        "{}",
        "{}.",
        " {} \n",
        "**{}**",
        "The answer is {}.",
        "3 + 4 cats, so {} dogs.",
        "= {}",
        "उत्तर {} है।",
        "({})",
        r"\boxed{{{}}}",
        r"\boxed{{{}}}, in 3 steps.",
        "$\\boxed{{\\text{{{} km}}}}$",
        "#### {}",
        "1, 2 and 3\n#### {}\n\nThat took 5 lines.",
        "${}$",
        "{} rupees",
        "{}kg",
        "“{}”",
    ]
)


def written(value: Fraction, places: int) -> str:
    scaled = value * 10**places
    assert scaled.denominator == 1
    whole, part = divmod(abs(scaled.numerator), 10**places)
    return f"{'-' if value < 0 else ''}{whole}" + (f".{part:0{places}d}" if places else "")


def grouped(text: str, sizes: tuple[int, ...], mark: str) -> str:
    """The whole part in groups from the right: the last of `sizes` first, then the first of them again and again."""
    sign, body = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, point, rest = body.partition(".")
    parts: list[str] = []
    size = sizes[-1]
    while len(whole) > size:
        whole, last = whole[:-size], whole[-size:]
        parts.insert(0, last)
        size = sizes[0]
    return sign + mark.join([whole, *parts]) + point + rest


@given(DECIMALS, AROUND, st.sampled_from(["plain", "west", "india", "latex", "thin", "blank", *ZEROS]))
def test_every_way_to_write_a_number_has_its_value(parts: tuple[int, int, int], around: str, style: str) -> None:
    whole, places, digits = parts
    value = whole + Fraction(digits % 10**places, 10**places) * (-1 if whole < 0 else 1)
    plain = written(value, places)
    text = {
        "plain": lambda: plain,
        "west": lambda: grouped(plain, (3, 3), ","),
        "india": lambda: grouped(plain, (2, 3), ","),
        "latex": lambda: grouped(plain, (3, 3), "{,}"),
        "blank": lambda: grouped(plain, (3, 3), " "),
        "thin": lambda: grouped(plain, (3, 3), "\u202f"),
    }.get(style, lambda: native(plain, style))()
    found = number(around.format(text))
    assert found == Number(value), (around.format(text), found)


@given(st.integers(-999, 999), st.integers(1, 999), st.sampled_from(["{}/{}", r"\frac{{{}}}{{{}}}", r"\dfrac{{ {} }}{{ {} }}"]), AROUND)
def test_every_way_to_write_a_fraction_has_its_value(top: int, bottom: int, form: str, around: str) -> None:
    found = number(around.format(form.format(top, bottom)))
    assert found == Number(Fraction(top, bottom))


@given(st.integers(0, 10**6), st.sampled_from(["$", "₹", "€", "£", "Rs. ", "Rs", "USD ", "INR"]), st.booleans(), AROUND)
def test_currency_is_passed_over(amount: int, sign: str, negative: bool, around: str) -> None:
    assume(not (negative and sign.startswith(("U", "I"))))
    found = number(around.format(f"{'-' if negative else ''}{sign}{amount:,}.00"))
    assert found == Number(Fraction(-amount if negative else amount))


@given(st.integers(0, 1000), st.sampled_from(["%", " %", "٪", "\\%", " percent", " per cent"]), AROUND)
def test_percentages_say_that_they_are(amount: int, sign: str, around: str) -> None:
    assume(not (sign.endswith("cent") and around == "{}kg"))
    assert number(around.format(f"{amount}{sign}")) == Number(Fraction(amount), percent=True)


SCALES = {
    "thousand": 3,
    "हज़ार": 3,
    "lakh": 5,
    "lakhs": 5,
    "लाख": 5,
    "লাখ": 5,
    "லட்சம்": 5,
    "ലക്ഷം": 5,
    "million": 6,
    "crore": 7,
    "કરોડ": 7,
    "bn": 9,
}


@given(st.integers(1, 999), st.integers(0, 9), st.sampled_from([*SCALES]), st.sampled_from(["ascii", *ZEROS]), AROUND)
def test_a_word_behind_a_number_multiplies_it(whole: int, tenth: int, word: str, script: str, around: str) -> None:
    assume("kg" not in around and "km" not in around)
    written_ = f"{whole}.{tenth}"
    value = Fraction(written_)
    found = number(around.format(f"{written_ if script == 'ascii' else native(written_, script)} {word}"))
    assert found == Number(value * 10 ** SCALES[word]) and found is not None and found.equals(Number(value))


SAID = st.sampled_from(
    ["Answer: {}", "**Answer:** {}", "The final answer is {}", "उत्तर: {}", "সঠিক উত্তর হল {}", '{{"answer": {}', "<answer>{}</answer>"]
)
MORE = st.sampled_from(["", "\nConfidence: 95%", "\n\nLet me know if you have 2 other questions!", " (9 eggs at $2)", ', "steps": 3}'])


@given(st.integers(0, 10**6), SAID, MORE)
def test_what_a_mark_gives_goes_before_what_is_said_behind_it(value: int, mark: str, more: str) -> None:
    assert number(f"There are 16 eggs, 7 of them eaten.\n{mark.format(value)}{more}") == Number(Fraction(value))


@given(st.text(st.characters(exclude_categories=["Nd", "No"])))
def test_a_text_without_a_digit_has_no_number(text: str) -> None:
    assert number(text) is None


@given(st.text(st.sampled_from("0123456789.,-−/%^×x*\\{}$₹()eE \n#abfrcoxd१२½")) | st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    found = number(text)
    assert found is None or number(str(found)) == found  # what is shown to people is the number that was scored


LOOPS = {
    "1": None,
    "1,111": 111,
    "12 ": 12,
    "\\boxed{": None,
    "- $": None,
    "1/2/": 2,
    "1^": 1,
    "#### ": None,
    "\\frac{1}{": 1,
    "9.": Fraction(99, 10),
}


@pytest.mark.parametrize("piece", LOOPS)
def test_a_model_in_a_loop_ends_at_the_last_number_or_at_none(piece: str) -> None:
    found = number(piece * 20_000)  # patterns that step back without end would take minutes
    assert (found and found.value) == LOOPS[piece]


LATEX = [r"\boxed{{{}}}", "${}$", r"\boxed{{\frac{{{}}}{{7}}}}", r"\boxed{{{}\text{{ km}}}}"]


@settings(max_examples=25, deadline=None)  # a grammar reads each text
@given(st.integers(-(10**6), 10**6), st.sampled_from(LATEX))
def test_math_verify_agrees_on_latex(value: int, form: str) -> None:
    text = form.format(value)
    ours = number(text)
    assert ours is not None
    shown = f"\\frac{{{ours.value.numerator}}}{{{ours.value.denominator}}}"
    assert math_verify.verify(math_verify.parse(f"${shown}$"), math_verify.parse(text)), text


def say(*texts: str) -> list[Response]:
    return [Response("k", "ok", text=text) for text in texts]


def test_scores_against_a_worked_solution() -> None:
    doc = Doc("d", {}, target="3*6 = <<3*6=18>>18 dollars.\n#### 18")
    right, wrong, silent = (NumberMatch().score(doc, say(t)) for t in ("It is $18.00.", "19", "eighteen $."))
    assert (right.value, right.prediction, right.flags) == (1, "18", ())
    assert (wrong.value, wrong.flags) == (0, ())
    assert (silent.value, silent.prediction, silent.flags) == (0, None, ("invalid",))
    assert NumberMatch().score(doc, []).value is None
    summary = NumberMatch().summarize([right, wrong, silent])
    assert (summary.metric, summary.n, summary.n_invalid, summary.value) == ("value", 3, 1, pytest.approx(1 / 3))


def test_several_samples_and_several_golds() -> None:
    score = NumberMatch(gold_field="answers").score(Doc("d", {"answers": ["4", "0.5"]}), say("1/2", "3", "4"))
    assert (score.value, score.prediction) == (pytest.approx(2 / 3), ("0.5", "3", "4"))


def test_a_gold_without_a_number_is_refused() -> None:
    with pytest.raises(DataError, match="document d: gold answer 'many' holds no number"):
        NumberMatch().check(Doc("d", {}, target="many"))
