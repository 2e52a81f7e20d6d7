from __future__ import annotations

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.prompts import Completion, MultipleChoice, PartialEvaluation
from evalkit.types import Doc, GenerationParams, Message

DOC = Doc(id="t/0", fields={"question": "Is {it} so?", "subject": "logic"}, choices=("yes", "no"), target=0)
SHOT = Doc(id="t/1", fields={"question": "And this?", "subject": "music"}, choices=("yes", "no"), target=1)


def test_cloze_text_with_a_shot_and_a_description_of_the_asked_document() -> None:
    prompt = MultipleChoice("Q: {question}", description="About {subject}. ")
    request = prompt.render("t", DOC, [SHOT], chat=False)
    context = "About logic. Q: And this? no\n\nQ: Is {it} so?"
    assert request.pairs == ((context, " yes"), (context, " no"))
    assert (request.task, request.doc_id) == ("t", "t/0")


def test_letters() -> None:
    request = MultipleChoice("{question}\nA. {choices[0]}", style="letter").render("t", with_choices(DOC), [with_choices(SHOT)], chat=False)
    assert request.pairs[0] == ("And this?\nA. yes B\n\nIs {it} so?\nA. yes", " A")
    assert [c for _, c in request.pairs] == [" A", " B"]


def with_choices(doc: Doc) -> Doc:
    return Doc(doc.id, {**doc.fields, "choices": list(doc.choices)}, doc.choices, doc.target)


def test_chat_puts_the_description_in_the_system_message_and_drops_the_delimiter() -> None:
    request = MultipleChoice("{question}", description="Be brief.").render("t", DOC, [SHOT], chat=True)
    messages = (Message("system", "Be brief."), Message("user", "And this? no\n\nIs {it} so?"))
    assert request.pairs == ((messages, "yes"), (messages, "no"))


def test_what_stands_before_an_answer_in_a_conversation_can_be_set() -> None:
    request = MultipleChoice("{question}", chat_delimiter=" ").render("t", DOC, [], chat=True)
    assert [continuation for _, continuation in request.pairs] == [" yes", " no"]
    assert MultipleChoice("{question}", chat_delimiter="\t").render("t", DOC, [], chat=False).pairs[0][1] == " yes"


def test_chat_with_a_turn_a_shot_and_no_description() -> None:
    request = Completion("{question}", target="{subject}", multi_turn_shots=True).render("t", DOC, [SHOT], chat=True)
    assert request.prompt == (Message("user", "And this?"), Message("assistant", "music"), Message("user", "Is {it} so?"))


def test_partial_evaluation_scores_the_rest_after_each_choice() -> None:
    doc = Doc("w/0", {"prefix": "Ann thanked Bo, for ", "rest": "had helped."}, ("Ann", "Bo"), 1)
    request = PartialEvaluation("{prefix}{choice}").render("w", doc, [doc], chat=False)
    shot = "Ann thanked Bo, for Bo had helped.\n\n"
    assert request.pairs == ((shot + "Ann thanked Bo, for Ann", " had helped."), (shot + "Ann thanked Bo, for Bo", " had helped."))


def test_completion_shows_the_first_of_several_golds() -> None:
    shot = Doc("n/1", {"q": "who"}, target=("Ada", "A. Brown"))
    asked = Doc("n/0", {"q": "where"}, target=("there",))
    request = Completion("Q: {q}?\nA:", fewshot_delimiter="\n").render("n", asked, [shot], chat=False)
    assert request.prompt == "Q: who?\nA: Ada\nQ: where?\nA:"


def test_completion_of_a_choice_document_shows_the_text_of_the_right_choice() -> None:
    assert Completion("{question}").answer(SHOT) == "no"


def test_params_come_from_a_mapping() -> None:
    prompt = Completion("{question}", params={"max_new_tokens": 9, "stop": ["\n", "."], "temperature": 0.8}, num_samples=3)
    request = prompt.render("t", DOC, [], chat=False)
    assert request.params == GenerationParams(max_new_tokens=9, stop=("\n", "."), temperature=0.8)
    assert request.num_samples == 3


@pytest.mark.parametrize("text", ["{question", "question}", "{}", "{0}", "{question!x}"])
def test_a_broken_template_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        MultipleChoice(text).render("t", DOC, [], chat=False)


def test_an_unknown_field_is_named_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'questoin'.*document t/0.*question, subject; did you mean question\?"):
        Completion("{questoin}").render("t", DOC, [], chat=False)


@pytest.mark.parametrize("text", ["{choices[7]}", "{question.nothing}", "{question:>z}"])
def test_a_template_that_cannot_be_filled_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigError, match="document t/0"):
        Completion(text).render("t", with_choices(DOC), [], chat=False)


@pytest.mark.parametrize(
    ("params", "word"),
    [({"max_tokens": 3}, "max_new_tokens"), ({"stop": [""]}, "stop"), ({"max_new_tokens": 0}, "max_new_tokens"), ({"top_p": 0.0}, "top_p")],
)
def test_impossible_params_are_refused(params: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        Completion("{question}", params=params)


def test_a_shot_without_an_answer_and_a_target_that_is_no_choice_are_refused() -> None:
    with pytest.raises(DataError, match="t/9"):
        Completion("{question}").render("t", DOC, [Doc("t/9", DOC.fields, target="")], chat=False)
    with pytest.raises(DataError, match="t/9"):
        MultipleChoice("{question}").render("t", DOC, [Doc("t/9", DOC.fields, ("a", "b"), target=2)], chat=False)
    with pytest.raises(DataError, match="1 choices"):
        MultipleChoice("{question}").render("t", Doc("t/9", DOC.fields, ("a",), target=0), [], chat=False)
    with pytest.raises(ConfigError, match="num_samples"):
        Completion("{question}", num_samples=0)
    with pytest.raises(ConfigError, match="style"):
        MultipleChoice("{question}", style="words")
