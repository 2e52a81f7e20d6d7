"""A model behind /completions whose tokenizer is here thinks as a local one does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from evalkit.types import GenerateRequest, GenerationParams, Message
from tests.models.openai.conftest import Faulty, hosted

OPENS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]<think>\n{% endif %}"
    "{# </think> #}"
)
THINKS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]{# <think> </think> #}"
REQUEST = GenerateRequest("t", "d", (Message("user", "Who wrote it?"),), GenerationParams(20, ("\n", ".")))


def text(said: str, finish: str = "stop") -> Callable[[Faulty], None]:
    body = {"choices": [{"index": 0, "finish_reason": finish, "text": said}], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}
    return lambda h: h.send(200, body)


def test_thought_and_answer_are_told_apart_by_the_templates_marks(tiny: Callable[..., Path], faulty: Any) -> None:
    for template, said in ((OPENS, "It was.\nSo </think>\n\nAda\nand more"), (THINKS, "<think>It was.\nSo</think>\n\nAda\nand more")):
        server = faulty(text(said))
        model = hosted(server.url, api="completions", tokenizer=str(tiny(template=template)))
        ((response,),) = model.answer(model.encode([REQUEST]), set())
        assert (response.status, response.text, response.thinking, response.raw) == ("ok", "Ada", "It was.\nSo", said)
        (sent,) = server.seen
        assert "stop" not in sent and sent["max_tokens"] == 20 + model.encode([REQUEST])[0].thinking.tokens  # type: ignore[union-attr]
        assert model.describe()["thinks"] is True


def test_an_opened_thought_without_end_is_no_answer(tiny: Callable[..., Path], faulty: Any) -> None:
    server = faulty(text("It was Ada", "length"))
    model = hosted(server.url, api="completions", tokenizer=str(tiny(template=OPENS)), thinking_tokens=7)
    ((response,),) = model.answer(model.encode([REQUEST]), set())
    assert (response.status, response.text, response.thinking) == ("thinking", "", "It was Ada")
    assert server.seen[0]["max_tokens"] == 27


def test_off_and_models_that_do_not_think_are_as_before(tiny: Callable[..., Path], faulty: Any) -> None:
    for settings in (
        {"tokenizer": str(tiny(template=THINKS)), "thinking": "off"},
        {"tokenizer": str(tiny(template="{{ messages[0].content }}"))},
    ):
        server = faulty(text("Ada."))
        model = hosted(server.url, api="completions", **settings)
        ((response,),) = model.answer(model.encode([REQUEST]), set())
        assert response.text == "Ada" and server.seen[0]["max_tokens"] == 20 and server.seen[0]["stop"] == ["\n", "."]
        assert "skip_special_tokens" not in server.seen[0]


def test_marks_that_are_special_tokens_are_asked_for(tiny: Callable[..., Path], faulty: Any, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny(template=THINKS))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    tokenizer.save_pretrained(tmp_path)
    server = faulty(text("<think>hm</think>Ada"))
    model = hosted(server.url, api="completions", tokenizer=str(tmp_path), max_length=512)
    ((response,),) = model.answer(model.encode([REQUEST]), set())
    assert response.text == "Ada" and server.seen[0]["skip_special_tokens"] is False
