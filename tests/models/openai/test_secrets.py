"""The key is in the environment and in the request's header, and nowhere else: every byte that is written is searched."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, EvalkitError, ModelError
from evalkit.models.openai import OpenAIModel
from evalkit.models.openai.client import checked_variable
from tests.models.openai.conftest import Faulty, ask, hosted

KEY = "sk-verysecret-0123456789"
Make = Callable[[Callable[[Faulty], None]], Any]


def leaks(h: Faulty) -> None:
    """A server that repeats the key wherever it can."""
    given = h.headers["Authorization"]
    assert given == f"Bearer {KEY}"
    if h.number == 0:
        h.fail(500, f"key {KEY} met a fault", headers={"X_Seen": KEY})
    elif "2" in str(h.body)[-60:]:
        h.fail(400, f"bad request with {given}", headers={"X_Seen": KEY})
    else:
        h.say(" 7")


@pytest.mark.parametrize("script", [leaks, lambda h: h.fail(401, f"Incorrect API key provided: {KEY}"), lambda h: h.say(f"you sent {KEY}")])
def test_no_byte_written_holds_the_key(faulty: Make, tmp_path: Path, script: Callable[[Faulty], None]) -> None:
    server = faulty(script)
    words = ["run", "task=[nq_open,gsm8k]", "data=samples", "model=openai", "model.name=m", f"model.base_url={server.url}", "run_dir=run"]
    words += ["model.api_key_env=SOME_KEY", "model.traffic.concurrency=1", "limit=4"]
    env = os.environ | {"SOME_KEY": KEY, "OPENAI_LOG": "debug"}
    program = "import sys, logging; logging.basicConfig(level=logging.DEBUG); from evalkit.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, env=env, check=False)
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert server.seen and written and b"DEBUG" in done.stderr
    for where, content in {**written, "out": done.stdout, "err": done.stderr}.items():
        assert KEY.encode() not in content, (where, [line for line in content.splitlines() if KEY.encode() in line])
        assert KEY[3:13].encode() not in content, where


def test_the_error_itself_holds_no_key(faulty: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    server = faulty(lambda h: h.fail(401, f"Incorrect API key provided: {KEY}"))
    model = hosted(server.url, api_key_env="SOME_KEY")
    with pytest.raises(ModelError) as caught:
        ask(model)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(vars(model)) + str(model.describe())
    assert KEY not in shown and "***" in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_is_sent_only_where_it_was_named_for(faulty: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    sent = []
    server = faulty(lambda h: (sent.append(h.headers["Authorization"]), h.say("x")))
    ask(hosted(server.url))
    assert sent == ["Bearer none"]
    assert checked_variable(None, "https://api.openai.com/v1") == "OPENAI_API_KEY"
    assert checked_variable(None, "https://api.openai.com.example.org/v1") is None


def test_a_missing_key_is_named(faulty: Make) -> None:
    server = faulty(lambda h: h.say("x"))
    with pytest.raises(ModelError, match="the environment variable SOME_KEY is not set"):
        ask(hosted(server.url, api_key_env="SOME_KEY"))
    assert not server.seen


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key_env": KEY},
        {"api_key_env": "AIzaSyverysecret0123"},
        {"base_url": "http://user:verysecret@127.0.0.1/v1"},
        {"base_url": "http://127.0.0.1/v1?key=verysecret"},
        {"base_url": "127.0.0.1/verysecret"},
    ],
)
def test_a_pasted_key_is_refused_and_not_repeated(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        OpenAIModel("m", **{"base_url": "http://127.0.0.1/v1", **settings})
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"api": "talk"}, "model.api='talk' is unknown; use chat or completions"),
        ({"tokenizer": "x"}, "model.tokenizer is for model.api=completions"),
        ({"max_cost": 1}, "model.max_cost needs model.price"),
        ({"max_cost": 0, "price": {"input": 1, "output": 1}}, "model.max_cost=0 is no number"),
        ({"price": {"input": 1}}, "model.price needs more than"),
        ({"price": {"input": -1, "output": 1}}, "model.price.input=-1 is no price"),
        ({"traffic": {"concurency": 1}}, "unknown 'concurency'; did you mean concurrency?"),
        ({"traffic": {"concurrency": 0}}, "model.traffic.concurrency=0 is no whole number from 1"),
        ({"traffic": {"timeout": 0}}, "model.traffic.timeout=0"),
        ({"dialect": {"omit": ["stops"]}}, "model.dialect.omit has stops"),
        ({"dialect": {"omit": "stop"}}, "model.dialect.omit has stop"),
        ({"dialect": {"limit_name": "max"}}, "limit_name='max' is unknown"),
        ({"dialect": {"max_n": 0}}, "model.dialect.max_n=0"),
        ({"dialect": {"extra_body": [1]}}, "extra_body=.* is no mapping"),
    ],
)
def test_a_bad_setting_is_one_line(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(EvalkitError, match=says):
        OpenAIModel("m", **{"base_url": "http://127.0.0.1/v1", **settings})


def test_without_the_library_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModelError, match=r"pip install 'evalkit\[openai\]'"):
        ask(hosted("http://127.0.0.1:9/v1"))
