"""A begun answer is continued where a server continues it; where not, the prompt does without, and nothing of the answer is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import ConfigError
from evalkit.models.openai import OpenAIModel
from evalkit.models.openai.begun import behind, went_on
from evalkit.types import GenerateRequest, GenerationParams, Message, Response
from tests.chat_server import Habits, serving

SIGNATURE = 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """Return the sum."""\n'
BEGUN = f"Here is the completed function:\n```python\n{SIGNATURE}\n"
BODY = "    return sum(xs)\n"
WHOLE = "def total(xs):\n    return sum(xs)\n"
ASKED = (Message("user", "Write total."), Message("assistant", BEGUN))
PLAIN = (Message("user", "Who?"),)


def runs(answer: str) -> bool:
    """Whether prompt and answer together are a program that adds up, as the metric joins them."""
    names: dict[str, Any] = {}
    try:
        exec(SIGNATURE + answer.partition("```")[0], names)
    except SyntaxError:
        return False
    return bool(names["total"]([1, 2]) == 3)


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{WHOLE}```",
        f"Sure! Here it is:\n\n```python\n{SIGNATURE}{BODY}```\n\nIt adds them up.",
        f"{BEGUN}{BODY}```",
        f"```\n{WHOLE}```",
        f"```python\nimport math\n```\nand then\n```python\n{WHOLE}```",
        f"```python\n{WHOLE}```\nUse it:\n```python\nprint(total([1]))\n```",
        f"~~~python\n{WHOLE}~~~",
        f"```python\n{WHOLE}",
        f"   ```python\n{WHOLE}   ```",
        f"```python\n{BODY}```",
        WHOLE,
        BODY,
        f"\n\n{BEGUN.strip()}\n{BODY}```\nDone.",
    ],
)
def test_what_follows_the_begun_text_is_found_in_every_form(answer: str) -> None:
    assert runs(behind(BEGUN, answer))


@given(st.text(max_size=30), st.text(max_size=30))
def test_text_that_repeats_what_was_begun_loses_it_and_no_other_does(begun: str, rest: str) -> None:
    head = begun.strip()
    if "```" in begun + rest or "~~~" in begun + rest:
        return
    if head:
        assert behind(begun, head + rest) == rest
    if not head or not rest.lstrip().startswith(head):
        assert behind(begun, rest) == rest


def test_other_begun_answers() -> None:
    assert behind("Answer:", "Answer: B") == " B"
    assert behind("Answer:", "B") == "B"
    assert behind("```json\n{", '```json\n{"a": 1}\n```') == '"a": 1}\n```'  # where a server goes on, it closes the block too
    assert behind("Here:\n```json\n{", '```json\n{"a": 1}\n```') == '"a": 1}\n'
    assert behind("So:\n```python", "```python\nx = 1\n```") == "\nx = 1\n"
    assert behind("Closed:\n```\nx\n```\nso", "```\ny\n```") == "```\ny\n```"


def test_the_probe_knows_going_on_from_starting_over() -> None:
    assert all(went_on(text) for text in (" second\n```", "second", " second\n\n# done"))
    over = ["```python\ndef add", "Here is", "return first + second", "first + second", "", "a second", "second: it adds", "secondly"]
    assert not any(went_on(text) for text in over)


def ask(habits: Habits, *requests: GenerateRequest, **settings: Any) -> tuple[list[Response], OpenAIModel]:
    with serving(habits) as url:
        model = OpenAIModel("m", url, **settings)
        given = requests or (GenerateRequest("t", "d", ASKED, GenerationParams(60, ("```",))),)
        return [response for batch in model.answer(model.encode(given), set()) for response in batch], model


def program(turns: list[dict[str, str]]) -> str:
    return BODY if turns[-1]["role"] == "assistant" else WHOLE


@pytest.mark.parametrize("continues", [True, False, "flags"])
@pytest.mark.parametrize("where", [None, "marks", "field"])
def test_right_programs_are_right_whatever_the_server_does(continues: Any, where: Any) -> None:
    thought = {"thought": "Is it ```sum```?", "where": where} if where else {}
    answer = program if continues else lambda _: WHOLE
    habits = Habits(answer, continues=continues, fence=not continues, runs_on="\n```\nThat is all.", **thought)
    ((response,), model) = ask(habits, thinking_tokens=50)
    assert response.text is not None and runs(response.text) and response.status == "ok"
    told = str(model.describe()["begun_answers"])
    last = habits.seen[-1]
    if continues:
        assert last["messages"][-1]["role"] == "assistant" and "goes on" in told
        assert last.get("continue_final_message", False) == (continues == "flags")
    else:
        assert [turn["role"] for turn in last["messages"]] == ["user"] and "stop" not in last and "left out" in told
        assert response.raw is not None and response.raw.endswith("That is all.")


@pytest.mark.parametrize("refuses", ["continue_final_message", "space"])
def test_a_server_that_refuses_begun_turns_is_asked_without(refuses: str) -> None:
    habits = Habits(lambda _: WHOLE, continues=False, fence=True, refuses=(refuses,))
    ((response,), model) = ask(habits)
    assert runs(response.text or "") and "was refused" in str(model.describe()["begun_answers"])


def test_the_dialect_may_say_it_and_nothing_is_probed() -> None:
    for continues, roles in (("as_it_is", ["user", "assistant"]), ("flags", ["user", "assistant"]), ("never", ["user"])):
        habits = Habits(program, fence=continues == "never")
        ((response,), _) = ask(habits, dialect={"continues": continues})
        assert runs(response.text or "") and len(habits.seen) == 1
        assert [turn["role"] for turn in habits.seen[0]["messages"]] == roles
        assert ("continue_final_message" in habits.seen[0]) == (continues == "flags")
    with pytest.raises(ConfigError, match=r"model\.dialect\.continues='maybe' is unknown; use auto, as_it_is, flags, never"):
        OpenAIModel("m", "http://127.0.0.1:1/v1", dialect={"continues": "maybe"})


def test_only_begun_answers_are_probed_for_and_keyed_by_the_way() -> None:
    habits = Habits(lambda _: "Ada")
    (_, model) = ask(habits, GenerateRequest("t", "d", PLAIN, GenerationParams(9)))
    assert len(habits.seen) == 1 and model.describe()["begun_answers"] is None

    def key(prompt: tuple[Message, ...], **dialect: Any) -> str:
        made = OpenAIModel("m", "http://127.0.0.1:1/v1", dialect=dialect)
        return made.encode([GenerateRequest("t", "d", prompt, GenerationParams(9))])[0].key

    ways = ("auto", "as_it_is", "flags", "never")
    assert len({key(PLAIN), *(key(PLAIN, continues=way) for way in ways)}) == 1
    assert len({key(ASKED, continues=way) for way in ways}) == 4 and key(ASKED) == key(ASKED, continues="auto")
    assert "continues" not in str(OpenAIModel("m", "http://127.0.0.1:1/v1").identity())
