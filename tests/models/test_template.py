"""A chat template loses nothing in silence, sees the day it is given, and refuses in one line."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from evalkit.errors import ConfigError, ModelError
from evalkit.files import read_jsonl
from evalkit.models.encoding import Encoder
from evalkit.models.hf import HFModel
from evalkit.models.openai import OpenAIModel
from evalkit.models.template import DIRECTIVES, TemplateSettings
from evalkit.types import GenerateRequest, GenerationParams, Message
from tests.chat_server import Habits, serving

ASKED = (Message("user", "Who wrote it?"),)
TURN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
PARTS = (
    "{% for m in messages %}[{{ m.role }}]{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}{% endfor %}"
)
DATED = "{{ strftime_now('%d %b %Y') }}" + TURN
NAMED = "{% if date_string is not defined %}{% set date_string = '26 Jul 2024' %}{% endif %}{{ date_string }}" + TURN
STRICT = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + TURN


@pytest.fixture
def text(tiny: Callable[..., Path]) -> Callable[..., str]:
    def of(template: str, messages: tuple[Message, ...] = ASKED, **settings: Any) -> str:
        tokenizer = AutoTokenizer.from_pretrained(tiny(template=template))
        return Encoder(tokenizer, 512, "f", None, TemplateSettings(**settings)).text_of(messages, "task t, document d/1")

    return of


def test_the_day_is_fixed_and_the_one_asked_for(text: Callable[..., str]) -> None:
    for template in (DATED, NAMED):
        assert text(template).startswith("26 Jul 2024[user]")
        assert text(template, date="2025-01-02").startswith("02 Jan 2025[user]")
        assert not text(template, date="today").startswith("26 Jul 2024")


FORMS = (
    *(f"%{letter}" for letter in DIRECTIVES),
    *("%-d %B %Y", "%-m/%-d/%y", "%%d", "%%%d%%", "100% sure", "%d %b %Y %H:%M:%S", "%^a", "%Q", "", "%", "%_d", "%G-W%V-%u", "d % Y"),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("day", ["2024-07-26", "2025-01-02", "1999-12-05"])
def test_every_form_of_a_date_is_what_python_makes_of_it(text: Callable[..., str], form: str, day: str) -> None:
    expected = datetime.datetime.fromisoformat(day).strftime(form)
    assert text("{{ strftime_now(" + repr(form) + ") }}" + TURN, date=day).removesuffix("[user]Who wrote it?[assistant]") == expected


def test_templates_may_ask_for_the_day_wherever_they_like(text: Callable[..., str]) -> None:
    for template in (
        "{% macro head() %}{{ strftime_now('%Y') }}{% endmacro %}{{ head() }}",
        "{% set year = strftime_now(format='%Y') if strftime_now is defined else '?' %}{{ year }}",
        "{% set year = (strftime_now('%Y') | int) + 0 %}{{ year }}",
        '{% for m in messages %}{% if loop.first %}{{- strftime_now("%Y") -}}{% endif %}{% endfor %}',
    ):
        assert text(template + TURN, date="2023-05-06").startswith("2023[user]")


def test_lists_of_parts_are_given_where_text_is_lost(text: Callable[..., str]) -> None:
    assert text(PARTS) == "[user]Who wrote it?"
    assert text("{% for m in messages %}{{ m.content[0].text | upper | lower | replace('who', 'Who') }}{% endfor %}") == "Who wrote it?"


@pytest.mark.parametrize(
    ("template", "messages"),
    [
        ("<s>", ASKED),
        ("{{ messages[-1].content }}", (Message("user", "First"), Message("assistant", "Second"), Message("user", "Third"))),
        ("{{ raise_exception('roles must alternate') }}", ASKED),
        ("{% if %}", ASKED),
        ("{{ messages[0].content + 1 }}", ASKED),
        ("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}", (*ASKED, Message("assistant", "Begun"))),
    ],
)
def test_what_a_template_refuses_or_drops_is_one_line(text: Callable[..., str], template: str, messages: tuple[Message, ...]) -> None:
    with pytest.raises(ModelError, match=r"^task t, document d/1: the chat template (refuses|leaves out)") as caught:
        text(template, messages)
    assert "\n" not in str(caught.value)


def test_a_system_turn_that_is_refused_or_dropped_opens_the_users(text: Callable[..., str]) -> None:
    dropping = "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    assert text(STRICT, system="Be brief.") == "[user]Be brief.\n\nWho wrote it?[assistant]"
    assert text(dropping, system="Be brief.") == "[user]Be brief.\n\nWho wrote it?"
    assert text(TURN, system="Be brief.") == "[system]Be brief.[user]Who wrote it?[assistant]"
    assert text(TURN, (Message("system", "Own."), *ASKED), system="Be brief.") == "[system]Own.[user]Who wrote it?[assistant]"


def test_a_begun_answer_that_is_trimmed_stands_behind_the_generation_prompt(text: Callable[..., str]) -> None:
    trimming = TURN.replace("m.content", "m.content | trim")
    begun = (*ASKED, Message("assistant", "Here:\n\n"))
    assert text(trimming, begun).startswith("[user]Who wrote it?[assistant]Here:")


def test_template_args_reach_the_template(text: Callable[..., str]) -> None:
    template = TURN + "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
    assert text(template, args={"enable_thinking": False}).endswith("<think></think>")
    assert text(template).endswith("[assistant]")


def test_a_template_without_a_generation_prompt_is_named(text: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "evalkit"):
        text(TURN)
        assert "add_generation_prompt" not in caplog.text
        text(PARTS)
    assert caplog.text.count("ignores add_generation_prompt") == 1


@pytest.mark.parametrize("settings", [{"date": "soon"}, {"args": ["a"]}, {"system": ""}, {"system": 3}])
def test_bad_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^model\.\w+="):
        TemplateSettings(**settings)


def test_a_chat_endpoint_gets_system_and_template_args() -> None:
    habits = Habits(lambda _: "Ada")
    request = GenerateRequest("t", "d", ASKED, GenerationParams(30))
    with serving(habits) as url:
        model = OpenAIModel("m", url, system="Be brief.", template_args={"enable_thinking": False})
        plain = OpenAIModel("m", url)
        items = model.encode([request])
        assert items[0].key != plain.encode([request])[0].key
        assert next(iter(model.answer(items, set())))[0].text == "Ada"
    assert habits.seen[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert habits.seen[0]["chat_template_kwargs"] == {"enable_thinking": False}
    with pytest.raises(ConfigError, match=r"model\.date"):
        OpenAIModel("m", url, date="today")


def test_defaults_stay_out_of_the_identity(tiny: Callable[..., Path]) -> None:
    path = str(tiny())
    assert HFModel("a", path).identity() == HFModel("a", path, date="2024-07-26", template_args={}, thinking="auto").identity()
    assert set(HFModel("a", path).identity()) == {"back_end", "path", "dtype"}
    assert HFModel("a", path, system="Be brief.").identity()["system"] == "Be brief."


def test_lines_with_a_mark_carriage_returns_and_blanks_are_read(tmp_path: Path) -> None:
    (file := tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": "\xc3\xa9"}\r\n')
    assert list(read_jsonl(file)) == [{"a": 1}, {"a": "é"}]
