"""A thought is told from the answer, whatever its marks, and is never scored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.models.base import WorkItem
from evalkit.models.hf.sequence import GeneratedSequence
from evalkit.models.openai import OpenAIModel
from evalkit.models.openai.said import Thought, answers
from evalkit.models.thinking import KNOWN, Said, Thinking, after_thought, checked_thinking, marks_of, split
from evalkit.run.recut import recut
from evalkit.types import GenerateRequest, GenerationParams, Message, Response
from tests.chat_server import Habits, serving

plain = st.text(st.characters(exclude_characters="<>[]|◁▷", exclude_categories=["Cs"]), max_size=30)


@given(st.sampled_from(KNOWN), plain, plain, st.booleans())
def test_thought_and_answer_of_every_family(marks: tuple[str, str], thought: str, answer: str, opened: bool) -> None:
    start = "" if opened else marks[0]
    assert split(f"{start}{thought}{marks[1]}\n\n{answer}", KNOWN, opened) == Said(thought.strip(), after_thought(f"\n\n{answer}"))
    assert split(f"{start}{thought}", [marks], opened) == Said(thought.strip(), None)
    assert split(answer, KNOWN) == Said(None, answer)


@given(st.sampled_from(KNOWN), plain, plain)
def test_marks_in_a_code_span_are_spoken_of(marks: tuple[str, str], thought: str, answer: str) -> None:
    assume("`" not in thought + answer)
    about = f"`{marks[1]}` ends it {thought}"
    assert split(f"{marks[0]}{about}{marks[1]}{answer}", KNOWN) == Said(about.strip(), after_thought(answer))
    assert split(f"no `{marks[0]}`{answer}", KNOWN) == Said(None, f"no `{marks[0]}`{answer}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<think>If cause, Answer: A…</think>\nAnswer: B", Said("If cause, Answer: A…", "Answer: B")),
        ("so, 7.</think>B", Said("so, 7.", "B")),
        ("<think>a</think><think>b</think>c", Said("a\n\nb", "c")),
        ("<think>the tag </think> ends it</think>x", Said("the tag\n\nends it", "x")),
        ("<think></think>x", Said("", "x")),
        ("<think>a</think>Write <think> first.", Said("a", "Write <think> first.")),
        ("Well. <think>and", Said("and", None)),
        ("<think>x</think>B</think>", Said("x", "B")),  # one closing mark too many
        ("<think>x</think>B</think>C", Said("x\n\nB", "C")),
        ("x</think>", Said("x", "")),
        ("<think>\n<think>\nx\n</think>\nB", Said("<think>\nx", "B")),
        ("<think>[THINK]x[/THINK]", Said("[THINK]x[/THINK]", None)),
        ("<reasoning>x</reasoning><answer>B</answer>", Said("x", "<answer>B</answer>")),
        ("My <reasoning> is short.", Said(None, "My <reasoning> is short.")),
        ("<thought>\nx\n</thought>\nB", Said("x", "B")),
        ("18 (without `<think>` tags)", Said(None, "18 (without `<think>` tags)")),
        ("<think>I write `</think>` at the end. And", Said("I write `</think>` at the end. And", None)),
        ("<think>I write `</think>` now.</think>B", Said("I write `</think>` now.", "B")),
        ("<longcat_think>x</longcat_think>B", Said("x", "B")),
        ("Here is my thought process:\nx\nHere is my response:\nB", Said("x", "B")),
        ("Here is my response:\nB", Said(None, "Here is my response:\nB")),
        ("Here are my reasoning steps:\nx\n[BEGIN FINAL RESPONSE]\nB\n[END FINAL RESPONSE]", Said("x", "B\n")),
        ("<|think|>x<|end|><|begin|>assistant<|content|>B", Said("x", "B")),
        ("<scratch_pad>x</scratch_pad>B", Said("x", "B")),
        ("My <scratchpad> is empty.", Said(None, "My <scratchpad> is empty.")),
        ("<unused94>thought\nx<unused95>B", Said("x", "B")),
        ("<|START_THINKING|>x<|END_THINKING|><|START_RESPONSE|>B<|END_RESPONSE|>", Said("x", "B")),
        ("<|begin_of_thought|>x<|end_of_thought|>\n\n<|begin_of_solution|>\nB<|end_of_solution|>", Said("x", "B")),
        ("<|channel|>final<|message|>B<|return|>", Said("", "B")),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>4",
            Said("hm<|end|><|start|>assistant", "4"),
        ),
    ],
)
def test_odd_texts(text: str, said: Said) -> None:
    assert split(text, KNOWN) == said


@pytest.mark.parametrize(
    ("message", "thinking", "text"),
    [
        ({"content": "<think>x</think>B", "reasoning_content": "y"}, "y\n\nx", "B"),
        ({"content": "B", "reasoning": "y"}, "y", "B"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "y"}]}, {"type": "text", "text": "B"}]}, "y", "B"),
        ({"content": [{"type": "thinking", "thinking": "y"}, {"type": "text", "text": "[THINK]x[/THINK]B"}]}, "y\n\nx", "B"),
        ({"content": [{"type": "thinking", "thinking": "y"}]}, "y", ""),
        ({"content": "\n\nB", "reasoning_content": "y"}, "y", "B"),
        ({"content": "\n    return x", "reasoning": "y"}, "y", "    return x"),
        ({"content": "    return x", "reasoning": "y"}, "y", "    return x"),  # a body that goes on from a begun answer
        ({"content": "B", "thinking": "y"}, "y", "B"),
        ({"content": "B", "reasoning_details": [{"type": "reasoning.text", "text": "y"}]}, "y", "B"),
        ({"content": [{"type": "reasoning", "text": "y"}, {"type": "text", "text": "B"}]}, "y", "B"),
    ],
)
def test_a_thought_by_itself_and_marks_in_the_content(message: dict[str, Any], thinking: str, text: str) -> None:
    item = WorkItem("k", "t", "d", 0, "generate", params=GenerationParams(9))
    (said,) = answers({"choices": [{"message": message, "finish_reason": "stop"}]}, "chat", [item], Thought(KNOWN))
    assert (said.thinking, said.text, said.status) == (thinking, text, "ok" if text else "thinking")


def test_a_stop_at_the_line_between_a_thought_and_its_answer_cuts_nothing() -> None:
    item = WorkItem("k", "t", "d", 0, "generate", params=GenerationParams(9, ("\n",)))
    message = {"content": "\n\nB\nC", "reasoning_content": "y"}
    (said,) = answers({"choices": [{"message": message, "finish_reason": "stop"}]}, "chat", [item], Thought(KNOWN))
    assert (said.text, said.status, said.raw) == ("B", "ok", "\n\nB\nC")
    lost = replace(said, text="", status="empty")  # as it was kept before
    assert (recut(lost, ("\n",)).text, recut(said, ("\n",)).text, recut(said, ("C",)).text) == ("B", "B", "B\n")


def test_a_programs_indentation_survives_the_thought() -> None:
    assert split("<think>sum</think>\n\n    return sum(xs)\n", KNOWN).answer == "    return sum(xs)\n"
    assert local("<think>sum</think>\n\n    return x#", stop=("```",)).text == "    return x"
    assert [after_thought(text) for text in (" B", "\n \n B", "\n\t", "", "B ")] == ["B", " B", "", "", "B "]


def test_marks_are_known_from_template_or_tokens() -> None:
    assert marks_of("auto", "", ["<think>", "</think>"]) == KNOWN[0]
    assert marks_of("auto", "{{ '[THINK]' }}{{ '[/THINK]' }}", []) == KNOWN[1]
    assert marks_of("auto", "", ["<|channel|>", "<|message|>", "<|end|>"]) == KNOWN[2]
    assert marks_of("auto", "{{ content.split('</think>') }}", []) is None
    assert marks_of("off", "", ["<think>", "</think>"]) is None
    assert marks_of(("<r>", "</r>"), "", []) == ("<r>", "</r>")


@pytest.mark.parametrize("value", [True, "on", None, ["<a>"], ["<a>", "<a>"], ["", "</a>"], 3])
def test_other_settings_are_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"model\.thinking="):
        checked_thinking(value)


class Letters:
    """Each id is one character; `#` ends a text."""

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        return "".join(chr(i) for i in ids if not (skip_special_tokens and chr(i) == "#"))


def local(text: str, thought: int = 60, answer: int = 20, opened: bool = False, stop: tuple[str, ...] = ("\n",)) -> Response:
    item = WorkItem("k", "t", "d", 0, "generate", params=GenerationParams(answer, stop), thinking=Thinking(KNOWN[0], thought, opened))
    row = GeneratedSequence.of(item)
    for letter in text:
        if (response := row.add(ord(letter), Letters(), frozenset({ord("#")}))) is not None:
            return response
    raise AssertionError(f"not finished after {text!r}")


def test_local_stops_and_limits_are_the_answers_own() -> None:
    response = local("<think>one\ntwo</think>\n\nB\nC#", stop=("\nC",))
    assert (response.status, response.text, response.thinking) == ("ok", "B", "one\ntwo")
    assert response.raw == "<think>one\ntwo</think>\n\nB\nC" and response.finish == "stop"
    assert local("one\ntwo</think>B#", opened=True).text == "B"
    assert local("no thought\nmore").text == "no thought"
    cut = local("<think>" + "x" * 99)
    assert (cut.status, cut.text, cut.output_tokens, cut.thinking) == ("thinking", "", 60, "x" * 53)
    assert local("<think>only this#").status == "thinking"
    long = local("<think>" + "x" * 40 + "</think>" + "y" * 99)
    assert (long.status, long.text) == ("length", "y" * 20)
    assert local("z" * 99).text == "z" * 20
    assert local("B#", thought=0).text == "B" and local("<thin air>#", thought=0).text == "<thin air>"


def asked(habits: Habits, stop: tuple[str, ...] = ("\n", "."), **settings: Any) -> Response:
    request = GenerateRequest("t", "d", (Message("user", "Who?"),), GenerationParams(30, stop))
    with serving(habits) as url:
        model = OpenAIModel("m", url, **settings)
        ((response,),) = model.answer(model.encode([request]), set())
    return response


@pytest.mark.parametrize("where", ["marks", "field", "half"])
def test_a_stop_never_fires_inside_a_thought(where: Any) -> None:
    habits = Habits(lambda _: "Ada Lovelace", thought="Let me see.\nIt was. So", where=where, runs_on="\nQuestion: another")
    response = asked(habits)
    if where != "half":  # a thought without its opening mark, cut before the closing one, looks like an answer
        assert (response.status, response.text) == ("ok", "Ada Lovelace")
        assert response.thinking == "Let me see.\nIt was. So" and response.raw is not None and "another" in response.raw
    told = asked(Habits(habits.answer, habits.thought, where, runs_on=habits.runs_on), thinking=["<think>", "</think>"])
    assert (told.text, told.thinking) == ("Ada Lovelace", response.thinking if where != "half" else habits.thought)


@pytest.mark.parametrize("where", ["marks", "field"])
def test_a_thought_without_end_is_no_answer(where: Any) -> None:
    response = asked(Habits(lambda _: "B", thought="Answer: A", where=where, ends=False), stop=())
    assert (response.status, response.text, response.thinking) == ("thinking", "", "Answer: A")


def test_budgets_are_added_and_off_takes_the_text_as_it_is() -> None:
    habits = Habits(lambda _: "B", thought="hm")
    assert asked(habits, thinking_tokens=100, stop=()).text == "B"
    assert habits.seen[0]["max_tokens"] == 130
    assert asked(habits, thinking=False, stop=()).text == "<think>hm</think>\n\nB"


def test_defaults_leave_keys_and_identity_alone() -> None:
    request = GenerateRequest("t", "d", "Who?", GenerationParams(30))

    def of(**settings: Any) -> tuple[str, dict[str, Any]]:
        model = OpenAIModel("m", "http://127.0.0.1:1/v1", **settings)
        return model.encode([request])[0].key, model.identity()

    assert of() == of(thinking="auto", thinking_tokens=None)
    assert "thinking" not in of()[1]
    assert len({of()[0], of(thinking=False)[0], of(thinking_tokens=9)[0], of(thinking=["<a>", "</a>"])[0]}) == 4
