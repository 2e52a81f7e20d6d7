"""IFEval's checkers at their edges, the loose versions, and the accuracies made of them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.metrics import IFEval
from evalkit.metrics.ifeval.instructions import CHECKERS, instructions, loose_versions
from evalkit.metrics.ifeval.sentences import sentences
from evalkit.types import Doc, Response

HINDI = "यह एक सरल वाक्य है। मुझे चाय पसंद है और मैं घर जाता हूँ।"
TAMIL = "நான் தேநீர் குடிக்கிறேன். இது ஒரு எளிய வாக்கியம்."
EN = "this is a plain sentence about the weather in the morning"


def doc(*asked: tuple[str, dict[str, Any]]) -> Doc:
    return Doc("train/4", {}, target=tuple({"id": name, "kwargs": kwargs} for name, kwargs in asked))


def follows(name: str, text: str, *, loose: bool = False, **kwargs: Any) -> bool:
    return instructions(doc((name, kwargs)))[0].followed(text, loose=loose)


CASES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("keywords:existence", {"keywords": ["gull", "c.t"]}, ["Seagulls and CATS"], ["gull", "gull ct"]),
    ("keywords:frequency", {"relation": "at least", "keyword": " war ", "frequency": 2}, ["Warwar"], ["war"]),
    ("keywords:frequency", {"relation": "less than", "keyword": "war", "frequency": 2}, ["war", "peace"], ["war WAR"]),
    ("keywords:forbidden_words", {"forbidden_words": ["ant"]}, ["Antelope giant", "ant_"], ["An ANT.", "ant-hill"]),
    ("keywords:letter_frequency", {"let_relation": "at least", "letter": "#", "let_frequency": 2}, ["# #"], ["#"]),
    ("keywords:letter_frequency", {"let_relation": "less than", "letter": "Z", "let_frequency": 2}, ["z"], ["zZ"]),
    ("language:response_language", {"language": "hi"}, [HINDI, "12 + 30", "***"], [TAMIL, EN]),
    ("language:response_language", {"language": "ta"}, [TAMIL], [HINDI]),
    ("length_constraints:number_sentences", {"relation": "at least", "num_sentences": 2}, ["Dr. Roy left. He ran."], ["Dr. Roy left"]),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, ["a *** b", "***\na\n***\nb\n***"], ["a", "a ***   *** b", "a\n\nb"]),
    ("length_constraints:number_words", {"relation": "less than", "num_words": 3}, ["x_y z", "1"], ["don't go", "वाक्य है"]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "It"},
        ["a\n\n'\"It's b", "a\n\nIT, b", "a\n\nit"],
        ["a\n\nItem", "a\n\n*It", "a\n\n\n\nit", "it", "a\n\nit\n\nb", "1\n\n\"'it"],
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, ["[a] [b]", "[] [[c]]"], ["[a\nb] [c]", "[a]"]),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, ["Bye\nP. S. x", "end p.s. x"], ["PS: x", "P.S"]),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ["p. p. s", "P.P.S."], ["P.S.", "PPS"]),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* a\n- b", "  * a\n\n\t-b", "*\nfoo\n* b", "---\n* a"],
        ["* a", "** a\n* b", "+ a\n+ b", "• a\n• b", "* a\n- b\n- c"],
    ),
    ("detectable_format:constrained_response", {}, ["**My answer is no.**"], ["my answer is no.", "My answer is no"]),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, ["*a* *b*", "**a**, *c*"], ["*a*", "* * ** **", "*a\nb* *c*"]),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        ["Day 1 x Day2"],
        ["Day 1", "DAY 1 DAY 2", "Day  1 Day  2 x Da"],
    ),
    (
        "detectable_format:json_format",
        {},
        ['```json\n{"a": 1}\n```', "[1]", "NaN", '```JSON "x"'],
        ["Here: {}", "{a: 1}", "```json```", "[" * 9999],
    ),
    ("detectable_format:title", {}, ["x <<T>>", "<<<T>>>"], ["<< >>", "<<a\nb>>", "«T»"]),
    ("combination:two_responses", {}, ["a******b", "******a\n******\nb******"], ["a", "a******a", "a******b******c", "a************b"]),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Why? "}, [" WHY? Because"], ["Sure. Why?", '"Why?"']),
    ("startend:end_checker", {"end_phrase": "The End."}, ['x "the END." \n', "The End."], ["The End. x", "**The End.**"]),
    ("startend:quotation", {}, ['"a"', ' "a"\n', '""'], ['"', "“a”", '"a".']),
    ("change_case:capital_word_frequency", {"capital_relation": "at least", "capital_frequency": 2}, ["NASA's I", "É B"], ["Nasa A"]),
    ("change_case:english_capital", {}, [EN.upper()], [EN, TAMIL, "12", "DAS IST EIN SCHÖNER TAG UND ICH GEHE NACH HAUSE"]),
    ("change_case:english_lowercase", {}, [EN], [EN.upper(), "12", "das ist ein schöner tag und ich gehe nach hause"]),
    ("punctuation:no_comma", {}, ["a، b，c"], ["a, b"]),
]


@pytest.mark.parametrize(("name", "kwargs", "yes", "no"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_checker(name: str, kwargs: dict[str, Any], yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not follows(name, text, **kwargs)] == []
    assert [text for text in no if follows(name, text, **kwargs)] == []
    assert not any(follows(name, blank, loose=loose, **kwargs) for blank in ("", " \n\t", "\u00a0") for loose in (False, True))


def test_every_checker_has_cases() -> None:
    assert {case[0] for case in CASES} == set(CHECKERS) and len(CHECKERS) == 25


def test_the_eight_loose_versions() -> None:
    text = "Sure:\n *b* \n\n*c*\nBye*"
    assert set(loose_versions(text)) == {
        text,
        "*b* \n\n*c*\nBye*",
        "Sure:\n *b* \n\n*c*",
        "*b* \n\n*c*",
        "Sure:\n b \n\nc\nBye",
        "b \n\nc\nBye",
        "Sure:\n b \n\nc",
        "b \n\nc",
    }
    # Stripping comes before the asterisks go, so a space they guarded stays.
    assert "  x" in loose_versions("a\n*  x")
    assert loose_versions("one line") == ("one line", "")


def test_loose_forgives_first_and_last_line_and_asterisks() -> None:
    for text in ('Here:\n"a"', '"a"\nBye', 'Here:\n"a"\nBye', '*"a"*', 'Here:\n**"a"**\nBye'):
        assert follows("startend:quotation", text, loose=True) and not follows("startend:quotation", text)


def test_the_language_of_a_text_does_not_depend_on_what_came_before() -> None:
    from evalkit.metrics.ifeval import language

    texts = ["hello da", "no comma", "ok ok", "die rat", "pan tan"] * 2
    first = [language.detect.__wrapped__(text) for text in texts]
    random.seed(99)
    random.shuffle(texts_again := list(zip(texts, first, strict=True)))
    assert [language.detect.__wrapped__(text) for text, _ in texts_again] == [code for _, code in texts_again]


def test_most_seeds_decide_and_an_unlikely_draw_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.metrics.ifeval import language

    # Seen with langdetect 1.0.9: of 100 seeds 6 and 1 end at another language, and seed 0 may be one of them.
    for text, likely in (("no comma", "it"), ("I am fine", "it"), ("Hindi mein baat", "nl")):
        draws = [language.detect_once(text, seed) for seed in range(40)]
        assert max(set(draws), key=draws.count) == likely == language.detect.__wrapped__(text)
    for unlikely in range(11):  # whichever seed draws it
        monkeypatch.setattr(language, "detect_once", lambda text, seed, unlikely=unlikely: "pt" if seed == unlikely else "en")
        assert language.detect.__wrapped__("a text") == "en"
    halves = ["de", "nl", "en"] * 4
    monkeypatch.setattr(language, "detect_once", lambda text, seed: halves[seed])
    assert language.detect.__wrapped__("a text") == "de"
    monkeypatch.setattr(language, "detect_once", lambda text, seed: None)
    assert language.detect.__wrapped__("12 + 30") is None


def test_sentences_are_punkts_with_ascii_closers() -> None:
    assert sentences('Mr. Roy saw the U.S. team. "Really?" he asked... 3.5 km.') == (
        "Mr. Roy saw the U.S. team.",
        '"Really?"',
        "he asked... 3.5 km.",
    )
    assert len(sentences("It was “Happy Day.”\n\nThen we left.")) == 1


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("keywords:existense", {}, "unknown instruction 'keywords:existense'; did you mean keywords:existence"),
        ("keywords:existence", {}, "keywords:existence needs keywords, its kwargs have nothing"),
        ("keywords:existence", {"keywords": "gull"}, "keywords='gull' is not a list of words"),
        ("keywords:existence", {"keywords": ["("]}, "searched as a regular expression"),
        ("punctuation:no_comma", {"num_words": 3}, "takes no arguments, not num_words"),
        ("detectable_format:number_bullet_lists", {"num_bullets": 2.5}, "num_bullets=2.5 is not a whole number"),
        ("detectable_format:number_bullet_lists", {"num_bullets": True}, "num_bullets=True is not a whole number"),
        ("length_constraints:number_words", {"num_words": 3, "relation": "at most"}, "relation='at most' is not a relation"),
    ],
)
def test_what_a_row_may_not_say(name: str, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        IFEval().check(doc((name, kwargs)))
    said = str(caught.value)
    assert said.startswith("document train/4: ") and name in said and message in said and "\n" not in said


def test_whole_numbers_may_come_as_floats() -> None:
    assert follows("detectable_format:number_bullet_lists", "* a", num_bullets=1.0)


def test_accuracies_of_both_levels() -> None:
    one = doc(("punctuation:no_comma", {}))
    two = doc(("punctuation:no_comma", {}), ("startend:quotation", {}), ("startend:quotation", {}))
    answered = [(one, "fine"), (two, "no quotes"), (two, 'x\n"quoted"')]
    given = [(replace(d, id=str(i)), text) for i, (d, text) in enumerate(answered)]
    for loose, prompt, level in ((False, 1 / 3, 3 / 7), (True, 2 / 3, 5 / 7)):
        for name, expected in (("prompt", prompt), ("instruction", level), ("average", (prompt + level) / 2)):
            metric = IFEval(level=name, loose=loose)  # type: ignore[arg-type]
            scores = [metric.score(d, [Response("k", "ok", text=text)]) for d, text in given]
            summary = metric.summarize(scores)
            assert summary.value == pytest.approx(expected) and summary.stderr
            assert "langdetect:" in summary.signature and "punkt:" in summary.signature and "|majority-of-seeds:0-10|" in summary.signature
    scores = [IFEval(level="instruction").score(d, [Response("k", "ok", text=text)]) for d, text in given]
    summary = IFEval(level="instruction").summarize(scores)
    assert summary.n == 7 and {k: (g.n, g.value) for k, g in summary.groups.items()} == {"punctuation": (3, 1.0), "startend": (4, 0.0)}
    assert summary.groups["startend"].groups["startend:quotation"].n == 4
    assert scores[1].prediction == (("punctuation:no_comma", 1.0), ("startend:quotation", 0.0), ("startend:quotation", 0.0))


def test_instructions_of_one_prompt_are_one_observation() -> None:
    one = doc(("punctuation:no_comma", {}), ("startend:quotation", {}), ("startend:quotation", {}))
    metric = IFEval(level="instruction")
    summary = metric.summarize([metric.score(one, [Response("k", "ok", text="fine")])])
    assert (summary.n, summary.value, summary.stderr, summary.ci) == (3, pytest.approx(1 / 3), None, None)
    assert summary.no_interval == "too few documents for an interval" and summary.groups["startend"].ci is None


def test_failed_is_not_measured_and_empty_is_wrong() -> None:
    one = doc(("punctuation:no_comma", {}))
    for level in ("prompt", "instruction", "average"):
        metric = IFEval(level=level)
        failed, empty = metric.score(one, [Response("k", "error")]), metric.score(one, [Response("k", "empty", text="")])
        assert failed.value is None and "error" in failed.flags and empty.value == 0.0 and "empty" in empty.flags
        summary = metric.summarize([failed, empty])
        assert (summary.value, summary.n, summary.n_not_measured) == (0.0, 1, 1)
        assert metric.summarize([failed]).value is None
    with pytest.raises(ConfigError, match="level='word' is unknown"):
        IFEval(level="word")  # type: ignore[arg-type]


def test_a_row_that_cannot_be_checked_is_refused_before_the_model_is_asked() -> None:
    from evalkit.data import DataSpec
    from evalkit.data.spec import Rows
    from evalkit.prompts import Completion
    from evalkit.run.prepare import prepare
    from evalkit.task import Task

    class Source:
        def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
            asked = {"instruction_id_list": ["startend:quotation"], "kwargs": [{}]}
            return Rows(
                [{"key": 7, "prompt": "p", **asked}, {"key": 8, "prompt": "q", **asked, "instruction_id_list": ["startend:quote"]}], "x"
            )

    spec = DataSpec("x", "train", "evalkit.tasks.ifeval.to_doc")
    task = Task("ifeval", spec, Completion("{prompt}"), [IFEval()], "prompt_level_strict_acc")
    with pytest.raises(DataError, match=r"document train/1: unknown instruction 'startend:quote'; did you mean startend:quotation"):
        prepare(task, Source(), None, None)
    assert len(prepare(task, Source(), 1, None).requests) == 1
