"""The key is in the environment and in the request's header, and nowhere else: every byte that is written is searched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from evalkit.errors import ConfigError, EvalkitError, ModelError
from evalkit.models.openai import OpenAIModel
from evalkit.models.openai.keys import checked_variable
from tests.models.openai.conftest import Faulty, ask, hosted

KEY = "sk-verysecret-0123456789"
Make = Callable[[Callable[[Faulty], object]], Any]


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
def test_no_byte_written_holds_the_key(faulty: Make, tmp_path: Path, script: Callable[[Faulty], object]) -> None:
    server = faulty(script)
    words = ["run", "task=[nq_open,gsm8k]", "data=samples", "model=openai", "model.name=m", f"model.base_url={server.url}", "run_dir=run"]
    words += ["model.api_key_env=SOME_KEY", "model.traffic.concurrency=1", "limit=4"]
    env = os.environ | {"SOME_KEY": KEY, "OPENAI_LOG": "debug"}
    program = "import sys, logging; logging.basicConfig(level=logging.DEBUG); from evalkit.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, env=env, check=False)
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert server.seen and written and b"DEBUG" in done.stderr
    said: dict[Any, bytes] = {**written, "out": done.stdout, "err": done.stderr}
    for where, content in said.items():
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


def written(tmp_path: Path, *outs: bytes) -> dict[str, bytes]:
    """Every byte a run left behind."""
    files = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    return files | {f"out {i}": out for i, out in enumerate(outs)}


def command(tmp_path: Path, *words: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    program = "import sys; from evalkit.cli import main; sys.exit(main(sys.argv[1:]))"
    start = ["run", "task=nq_open", "data=samples", "limit=3", "model=openai", "model.name=m", "run_dir=run", "model.api_key_env=SOME_KEY"]
    whole = os.environ | {"SOME_KEY": KEY, "OPENAI_LOG": "debug"} | env
    return subprocess.run([sys.executable, "-c", program, *start, *words], cwd=tmp_path, capture_output=True, env=whole, check=False)


ODD = 'sk-"odd/key+with=signs&more%'
SPELLINGS = [
    ("percent-encoded", lambda h: h.fail(400, f"GET /v1?key={quote(ODD, safe='')} is wrong")),
    ("behind the cut", lambda h: h.fail(400, "x" * (400 - len(ODD) // 2) + ODD)),
    ("in JSON's escapes", lambda h: h.send(200, f'{{"choices": [{{"message": {{"content": "{escaped(ODD)}"}}}}]}}'.encode())),
    ("in PHP's slashes", lambda h: h.send(200, json.dumps({"choices": [{"message": {"content": ODD}}]}).replace("/", "\\/").encode())),
    ("in a name of the model", lambda h: h.send(200, {"choices": [{"message": {"content": "x"}}], "model": ODD})),
    ("in an error inside", lambda h: h.send(200, {"error": {"message": f"upstream refused {ODD}", "code": 400}})),
    ("in no JSON", lambda h: h.send(200, f"<html>{ODD}</html>".encode())),
    ("in the status line", lambda h: odd_status(h)),
]


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def odd_status(h: Faulty) -> None:
    h.send_response(400, f"Bad {ODD}")
    h.send_header("Content-Length", "0")
    h.end_headers()


@pytest.mark.parametrize(("where", "script"), SPELLINGS, ids=[name for name, _ in SPELLINGS])
def test_a_key_is_hidden_however_it_is_spelled(faulty: Make, monkeypatch: pytest.MonkeyPatch, where: str, script: Any) -> None:
    monkeypatch.setenv("SOME_KEY", ODD)
    server = faulty(script)
    model = hosted(server.url, api_key_env="SOME_KEY", traffic={"retries": 0})
    try:
        got = str(ask(model))
    except ModelError as error:
        got = "".join(traceback.format_exception(error))
    got += str(model.describe())
    assert server.seen and not any(piece in got for piece in (ODD, ODD[:14], quote(ODD, safe=""), json.dumps(ODD)[1:-1])), got


@pytest.mark.parametrize("key", ["sk-verysecret\n-0123456789", "sk-verysecret 0123456789", "sk-verysecret-é-0123456789"])
def test_a_key_no_header_can_hold_is_not_repeated(faulty: Make, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    server = faulty(lambda h: h.say("x"))
    with pytest.raises(ModelError, match="SOME_KEY holds no key") as caught:
        ask(hosted(server.url, api_key_env="SOME_KEY"))
    assert "verysecret" not in "".join(traceback.format_exception(caught.value)) and not server.seen


@pytest.mark.parametrize(
    "words",
    [
        [f"model.base_url=http://127.0.0.1:9/{KEY}/v1"],
        ["model.base_url=http://127.0.0.1:9/v1", f"model.model_id={KEY}"],
        ["model.base_url=http://127.0.0.1:9/v1", f"+model.dialect.extra_body.user={KEY}"],
        ["model.base_url=http://127.0.0.1:9/v1", "+model.dialect.extra_body.api_key=another-secret-0123456789"],
        ["model.base_url='http://127.0.0.1:9/v1?api_key=another-secret-0123456789'"],
    ],
)
def test_a_key_in_the_configuration_is_refused_before_anything_is_written(tmp_path: Path, words: list[str]) -> None:
    done = command(tmp_path, *words)
    assert done.returncode == 2 and b"error: model." in done.stderr, done.stderr
    for where, content in written(tmp_path, done.stdout, done.stderr).items():
        assert KEY.encode() not in content and b"another-secret" not in content, where


def test_a_proxys_password_is_not_written(faulty: Make, tmp_path: Path) -> None:
    """The environment's proxy is used, also when it refuses, and its password stays there."""
    refuses = faulty(lambda h: h.fail(407, "not through here"))
    for port in (refuses.server_port, 9):
        proxy = f"http://user:proxysecret@127.0.0.1:{port}"
        asked = ["model.base_url=http://model.invalid/v1", "model.traffic.retries=0", "model.traffic.concurrency=1"]
        done = command(tmp_path, *asked, HTTP_PROXY=proxy, http_proxy=proxy, NO_PROXY="", no_proxy="")
        assert done.returncode == 4, done.stderr
        for where, content in written(tmp_path, done.stdout, done.stderr).items():
            assert b"proxysecret" not in content and KEY.encode() not in content, where
    assert refuses.seen


def test_a_key_does_not_follow_a_redirect_to_another_server(faulty: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    got: list[Any] = []
    elsewhere = faulty(lambda h: (got.append(h.headers["Authorization"]), h.say("x")))
    server = faulty(lambda h: h.send(307, b"", Location=f"{elsewhere.url}/chat/completions"))
    ask(hosted(server.url, api_key_env="SOME_KEY", traffic={"retries": 0}))
    assert server.seen and KEY not in str(got)


def test_what_the_environment_has_for_openai_goes_to_no_other_server(faulty: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, f"ambient-{name}")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: ambient-header\nAuthorization: Bearer ambient-header")
    got: list[str] = []
    server = faulty(lambda h: (got.append(str(h.headers)), h.say("x")))
    assert ask(hosted(server.url))["0#0"].status == "ok"
    assert "ambient" not in got[0], got[0]


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
        {"base_url": "http://[verysecret/v1"},
        {"base_url": "http://127.0.0.1:verysecret/v1"},
        {"base_url": "http:///verysecret"},
    ],
)
def test_a_pasted_key_is_refused_and_not_repeated(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        OpenAIModel("m", **{"base_url": "http://127.0.0.1/v1", **settings})
    assert "verysecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"api": "talk"}, "model.api='talk' is unknown; use chat or completions"),
        ({"tokenizer": "x"}, "model.tokenizer is for model.api=completions"),
        ({"max_cost": 1}, "model.max_cost needs model.price"),
        ({"price": "cheap"}, "model.price='cheap' is no price; give .* or auto"),
        ({"price": "auto"}, "genai-prices .* has no price of m at http://127.0.0.1/v1; give model.price="),
        ({"max_cost": 0, "price": {"input": 1, "output": 1}}, "model.max_cost=0 is no number"),
        ({"price": {"input": 1}}, "model.price needs more than"),
        ({"price": {"input": -1, "output": 1}}, "model.price.input=-1 is no price"),
        ({"price": {"input": None, "output": 1}}, "model.price.input=None is no price"),
        ({"price": {"input": 1, "output": float("nan")}}, "model.price.output=nan is no price"),
        ({"price": {"model": "a", "input": 1, "output": 1}, "max_cost": 1}, "model.max_cost needs the price of m, and model.price is a's"),
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
    with pytest.raises(ModelError, match=r"pip install 'evalkit-harness\[hosted\]'"):
        ask(hosted("http://127.0.0.1:9/v1"))


def test_a_listed_price_is_the_dearest(caplog: pytest.LogCaptureFixture) -> None:
    model = OpenAIModel("gpt-4o", base_url="https://api.openai.com/v1", price="auto", max_cost=1.0)
    assert model.ledger.price and model.ledger.price.model == "gpt-4o" and 0 < model.ledger.price.input < model.ledger.price.output
    assert "model.price=auto: gpt-4o costs" in caplog.text
    long = OpenAIModel("gemini-1.5-flash", base_url="https://generativelanguage.googleapis.com/v1beta/openai/", price="auto")
    assert long.ledger.price and long.ledger.price.input >= 0.15  # twice the price of a short prompt
