"""What a server can do wrong, and what becomes of the requests, the run and the money."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ModelError
from tests.models.openai.conftest import Faulty, ask, hosted

Make = Callable[[Callable[[Faulty], object]], Any]
FAULTS: dict[str, Callable[[Faulty], None]] = {
    "500": lambda h: h.fail(500, "broken"),
    "503": lambda h: h.fail(503, "busy"),
    "html": lambda h: h.send(200, b"<html>bad gateway</html>"),
    "cut json": lambda h: h.send(200, b'{"choices": [{"mess'),
    "a list": lambda h: h.send(200, []),
    "an error inside": lambda h: h.send(200, {"error": {"message": "upstream"}}),
    "no choices": lambda h: h.send(200, {"choices": [], "usage": None}),
    "too many choices": lambda h: h.say("a", "b"),
    "no message": lambda h: h.send(200, {"choices": [{"index": 0}]}),
    "half-closed": lambda h: half_closed(h),
    "closed": lambda h: h.connection.shutdown(socket.SHUT_RDWR),
    "an error in the choice": lambda h: h.send(200, choice(finish_reason="error", error={"message": "upstream", "code": 502})),
    "a broken finish": lambda h: h.say("half an ans", finish="abort"),
    "choices of null": lambda h: h.send(200, {"choices": [None]}),
    "no gzip": lambda h: h.send(200, b"no gzip at all", Content_Encoding="gzip"),
    "an empty body": lambda h: h.send(200, b""),
    "a stream nobody asked for": lambda h: h.send(200, b'data: {"choices": []}\n\n', Content_Type="text/event-stream"),
    "deep json": lambda h: h.send(200, b"[" * 100_000),
    "hang": lambda h: time.sleep(0.6),
    "drip": lambda h: drip(h),
}


def choice(**told: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": "half an ans"}, **told}]}


def half_closed(h: Faulty) -> None:
    h.send_response(200)
    h.send_header("Content-Length", "1000")
    h.end_headers()
    h.wfile.write(b'{"choices": [')
    h.wfile.flush()
    h.connection.shutdown(socket.SHUT_RDWR)
    h.close_connection = True


def drip(h: Faulty) -> None:
    h.send_response(200)
    h.send_header("Content-Length", "1000")
    h.end_headers()
    for _ in range(40):
        h.wfile.write(b" ")
        h.wfile.flush()
        time.sleep(0.05)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_retried(faulty: Make, fault: str) -> None:
    server = faulty(lambda h: FAULTS[fault](h) if h.number == 0 else h.say(" 42"))
    got = ask(hosted(server.url, traffic={"timeout": 0.4}))["0#0"]
    assert (got.status, got.text, len(server.seen)) == ("ok", " 42", 2)


@pytest.mark.parametrize("fault", ["500", "html", "half-closed", "hang"])
def test_a_lasting_fault_fails_its_request_alone(faulty: Make, fault: str) -> None:
    server = faulty(lambda h: FAULTS[fault](h) if "question 1" in str(h.body) else h.say("x"))
    got = ask(hosted(server.url, traffic={"timeout": 0.4, "retries": 1}), 3)
    assert [got[f"{i}#0"].status for i in range(3)] == ["ok", "error", "ok"]
    assert got["1#0"].text is None and got["1#0"].error


def test_a_refused_request_is_not_asked_again(faulty: Make) -> None:
    server = faulty(lambda h: h.fail(400, "maximum context length is 8192") if "question 1" in str(h.body) else h.say("x"))
    got = ask(hosted(server.url), 3)
    assert got["1#0"].error == "HTTP 400: maximum context length is 8192" and len(server.seen) == 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_stops_the_run_at_once(faulty: Make, status: int) -> None:
    server = faulty(lambda h: h.fail(status, "not you"))
    with pytest.raises(ModelError, match=rf"stopped: HTTP {status}: not you .*every answer so far is saved"):
        ask(hosted(server.url, traffic={"concurrency": 1}), 5)
    assert len(server.seen) == 1


def test_no_money_left_is_not_retried(faulty: Make) -> None:
    server = faulty(lambda h: h.fail(429, "You exceeded your quota", code="insufficient_quota"))
    with pytest.raises(ModelError, match="You exceeded your quota"):
        ask(hosted(server.url, traffic={"concurrency": 1}), 5)
    assert len(server.seen) == 1


def test_failures_in_a_row_stop_the_run_with_the_servers_words(faulty: Make) -> None:
    server = faulty(lambda h: h.say("x") if h.number < 3 else h.fail(500, "disk full"))
    model = hosted(server.url, traffic={"concurrency": 1, "retries": 1, "max_failures": 4})
    with pytest.raises(ModelError, match="4 requests in a row failed, the last one: HTTP 500: disk full"):
        ask(model, 50)
    assert len(server.seen) == 3 + 4 * 2


def test_an_answer_between_failures_starts_the_count_anew(faulty: Make) -> None:
    server = faulty(lambda h: h.fail(400, "no") if h.number % 3 else h.say("x"))
    got = ask(hosted(server.url, traffic={"concurrency": 1, "max_failures": 3}), 12)
    assert [r.status for r in got.values()].count("error") == 8


def test_a_dead_address_is_noticed_soon() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"requests in a row failed, the last one: http://127.0.0.1:.* cannot be reached"):
        ask(hosted(url, traffic={"retries": 50}), 100)
    assert time.monotonic() - started < 10


def test_retry_after_holds_everything_back(faulty: Make) -> None:
    server = faulty(lambda h: h.fail(429, "slow", headers={"Retry_After": "1"}) if h.number == 0 else h.say("x"))
    got = ask(hosted(server.url, traffic={"concurrency": 1}), 3)
    assert {r.status for r in got.values()} == {"ok"} and server.at[1] - server.at[0] >= 1.0


def test_a_used_up_limit_waits_for_its_reset(faulty: Make) -> None:
    used_up = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "500ms"}
    body = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "x"}}]}
    server = faulty(lambda h: h.send(200, body, **(used_up if h.number == 0 else {})))
    ask(hosted(server.url, traffic={"concurrency": 1}), 3)
    assert server.at[1] - server.at[0] >= 0.5 and server.at[2] - server.at[1] < 0.4


def test_retry_after_may_be_a_date(faulty: Make) -> None:
    def until(h: Faulty) -> None:
        if h.number == 0:
            moment = datetime.now(UTC) + timedelta(seconds=2)
            return h.fail(429, "slow", headers={"Retry_After": format_datetime(moment, usegmt=True)})
        return h.say("x")

    server = faulty(until)
    assert ask(hosted(server.url))["0#0"].status == "ok" and server.at[1] - server.at[0] >= 1.0


def test_a_server_that_wants_an_hour_ends_the_run(faulty: Make) -> None:
    server = faulty(lambda h: h.fail(429, "daily limit", headers={"Retry_After": "3600"}))
    with pytest.raises(ModelError, match=r"daily limit \(the server asks to wait 3600 s"):
        ask(hosted(server.url))


def test_concurrency_follows_the_server(faulty: Make) -> None:
    def at_most_three(h: Faulty) -> None:
        server: Any = h.server
        if server.open > 3:
            h.fail(429, "too many")
        else:
            time.sleep(0.02)
            h.say("x")

    server = faulty(at_most_three)
    model = hosted(server.url, traffic={"concurrency": 16, "retries": 30})
    assert {r.status for r in ask(model, 150).values()} == {"ok"}
    refused = model.ledger.retries
    assert refused < 100 and server.most <= 16
    wide = faulty(lambda h: (time.sleep(0.05), h.say("x")))
    assert {r.status for r in ask(hosted(wide.url, traffic={"concurrency": 12}), 60).values()} == {"ok"}
    assert 8 < wide.most <= 12


# ---- answers that are no plain answers ----


def test_refusals_filters_lengths_and_empties_are_told_apart(faulty: Make) -> None:
    answers: dict[str, Callable[[Faulty], None]] = {
        "0": lambda h: h.say("fine"),
        "1": lambda h: h.say(None, refusal="I cannot help with that."),
        "2": lambda h: h.say("The bo", finish="content_filter"),
        "3": lambda h: h.say("too long", finish="length"),
        "4": lambda h: h.say(""),
        "5": lambda h: h.say(None),
        "6": lambda h: h.fail(400, "The response was filtered", code="content_filter"),
        "7": lambda h: h.say("cut STOP here", finish="length"),
        "8": lambda h: h.send(200, {"choices": [{"finish_reason": "stop", "message": {"content": [{"type": "text", "text": "parts"}]}}]}),
    }
    server = faulty(lambda h: answers[re.findall(r"question (\d)", str(h.body))[0]](h))
    got = ask(hosted(server.url), 9, stop=("STOP",))
    assert [(r.status, r.text) for r in got.values()] == [
        ("ok", "fine"),
        ("refused", "I cannot help with that."),
        ("filtered", "The bo"),
        ("length", "too long"),
        ("empty", ""),
        ("empty", ""),
        ("filtered", ""),
        ("ok", "cut "),
        ("ok", "parts"),
    ]


@pytest.mark.parametrize(
    ("finish", "status"),
    [("stop", "ok"), ("eos", "ok"), (None, "ok"), ("MAX_TOKENS", "length"), ("model_length", "length"), ("SAFETY", "filtered")],
)
def test_why_an_answer_ended_is_read_in_every_dialect_and_counted(faulty: Make, finish: str | None, status: str) -> None:
    server = faulty(lambda h: h.send(200, choice(finish_reason=finish)))
    model = hosted(server.url)
    assert {r.status for r in ask(model, 3).values()} == {status}
    assert model.describe()["finish_reasons"] == {str(finish): 3}


def test_a_server_that_makes_up_reasons_does_not_fill_the_manifest(faulty: Make) -> None:
    server = faulty(lambda h: h.say("x", finish=f"{h.number}" * 100))
    model = hosted(server.url)
    ask(model, 40)
    assert len(model.describe()["finish_reasons"]) == 20 and all(len(name) <= 40 for name in model.describe()["finish_reasons"])


def test_samples_that_were_given_stay_when_the_rest_is_refused(faulty: Make) -> None:
    server = faulty(lambda h: h.say("a", "b") if h.body.get("n", 1) > 1 else h.fail(400, "no more"))
    got = ask(hosted(server.url), 1, samples=4, temperature=1.0)
    assert [(r.status, r.text) for r in got.values()] == [("ok", "a"), ("ok", "b"), ("error", None), ("error", None)]


def test_samples_share_a_request_and_a_server_without_n_is_asked_again(faulty: Make) -> None:
    server = faulty(lambda h: h.say(*[f"{h.body['seed']}+{i}" for i in range(h.body.get("n", 1))]))
    got = ask(hosted(server.url, dialect={"max_n": 3}), 1, samples=4, temperature=1.0, seed=10)
    assert [r.text for r in got.values()] == ["10+0", "10+1", "10+2", "13+0"] and len(server.seen) == 2
    assert sum(r.output_tokens for r in got.values()) == 12
    alone = faulty(lambda h: h.say(str(h.body["seed"])))
    got = ask(hosted(alone.url), 1, samples=3, temperature=1.0, seed=10)
    assert [r.text for r in got.values()] == ["10", "11", "12"]


@pytest.mark.parametrize(("temperature", "draws", "warns"), [(1.0, False, True), (1.0, True, False), (0.0, False, False)])
def test_a_server_that_does_not_draw_is_named(
    faulty: Make, caplog: pytest.LogCaptureFixture, temperature: float, draws: bool, warns: bool
) -> None:
    server = faulty(lambda h: h.say(str(h.body.get("seed")) if draws else "always this"))
    ask(hosted(server.url), 4, samples=2, temperature=temperature)
    assert ("all samples of every prompt are the same text (4 prompts), so m may not draw" in caplog.text) == warns


def test_only_what_the_endpoint_takes_is_sent(faulty: Make) -> None:
    server = faulty(lambda h: h.say("a END b"))
    dialect = {"limit_name": "max_completion_tokens", "max_stops": 1, "blank_stops": False, "omit": ["seed"], "extra_body": {"k": 1}}
    got = ask(hosted(server.url, dialect=dialect), 1, stop=("\n", "x", "END"), temperature=0.5, top_p=0.9, max_new_tokens=5)
    assert got["0#0"].text == "a "
    message = {"role": "user", "content": "question 0"}
    assert server.seen == [
        {"model": "m", "messages": [message], "max_completion_tokens": 5, "temperature": 0.5, "top_p": 0.9, "stop": ["x"], "k": 1}
    ]


def test_a_prompt_that_cannot_be_sent_fails_alone(faulty: Make) -> None:
    from evalkit.types import GenerateRequest, GenerationParams

    server = faulty(lambda h: h.say("x"))
    model = hosted(server.url)
    items = model.encode([GenerateRequest("t", i, text, GenerationParams()) for i, text in (("0", "\ud800"), ("1", "नमस्ते"))])
    got = {r.key: r.status for batch in model.answer(items, set()) for r in batch}
    assert [got[item.key] for item in items] == ["error", "ok"]


# ---- money ----


def test_the_ceiling_is_never_passed(faulty: Make) -> None:
    usage = {"prompt_tokens": 40, "completion_tokens": 100}
    server = faulty(lambda h: (time.sleep(0.01), h.say("x", usage=usage)))
    each = (40 * 1 + 100 * 2) / 1e6
    model = hosted(server.url, price={"input": 1.0, "output": 2.0}, max_cost=20.5 * each)
    with pytest.raises(ModelError, match=r"max_cost=0.00492 could be passed: 0\.\d+ spent, the next up to 0\.\d+; raise model.max_cost"):
        ask(model, 60, max_new_tokens=100)
    spent = model.describe()["usage"]["cost_usd"]
    assert len(server.seen) * each == pytest.approx(spent) and 18 * each <= spent <= model.ledger.max_cost


def test_a_broken_attempt_is_booked_at_its_worst(faulty: Make) -> None:
    server = faulty(lambda h: half_closed(h) if h.number == 0 else h.say("x"))
    model = hosted(server.url, price={"input": 1.0, "output": 2.0})
    ask(model, 1, max_new_tokens=50)
    usage = model.describe()["usage"]
    assert usage["of_it_assumed_usd"] == pytest.approx((len("question 0") + 16 + 64 + 2 * 50) / 1e6)
    assert usage["cost_usd"] == pytest.approx(usage["of_it_assumed_usd"] + (7 + 2 * 3) / 1e6)
    assert (usage["requests"], usage["retries"], usage["prompt_tokens"], usage["completion_tokens"]) == (2, 1, 7, 3)


# ---- interruption ----

DRIVER = """
import sys
from evalkit.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_keeps_every_answer_and_the_same_command_goes_on(faulty: Make, tmp_path: Path) -> None:
    enough = threading.Event()

    def slow(h: Faulty) -> None:
        if h.number >= 6 and not enough.is_set():
            enough.set()
            time.sleep(3)
        h.say(" 7")

    server = faulty(slow)
    words = ["run", "task=nq_open", "data=samples", "model=openai", "model.name=m", f"model.base_url={server.url}", "run_dir=run"]
    words += ["model.traffic.concurrency=2"]
    child = subprocess.Popen([sys.executable, "-c", DRIVER, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert enough.wait(60)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 130 and "every finished answer is saved" in said and "Traceback" not in said
    saved = len((tmp_path / "run/journal.jsonl").read_text().splitlines())
    assert saved >= 5
    before = len(server.seen)
    done = subprocess.run([sys.executable, "-c", DRIVER, *words], cwd=tmp_path, capture_output=True, text=True, env=os.environ, check=True)
    total = len((tmp_path / "run/journal.jsonl").read_text().splitlines())
    assert total - saved == len(server.seen) - before, done.stderr


def start(words: list[str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", DRIVER, *words], cwd=cwd, stderr=subprocess.PIPE, text=True, env=os.environ)


def test_a_killed_run_ends_with_the_same_bytes(faulty: Make, tmp_path: Path) -> None:
    """kill -9 while answers arrive; the same command then asks only what is missing, and its journal is that of a run in one go."""
    enough = threading.Event()

    def answer(h: Faulty) -> None:
        time.sleep(0.02)
        if h.number >= 7:
            enough.set()
        h.say(f" {len(str(h.body['messages']))}", usage={"prompt_tokens": len(str(h.body["messages"])), "completion_tokens": 1})

    server = faulty(answer)
    words = ["run", "task=nq_open", "data=samples", "model=openai", "model.name=m", f"model.base_url={server.url}"]
    words += ["model.traffic.concurrency=2"]
    with start([*words, "run_dir=whole"], tmp_path) as whole:
        assert whole.wait(60) == 0
    asked = len(server.seen)
    server.seen.clear()
    enough.clear()
    with start([*words, "run_dir=killed"], tmp_path) as child:
        assert enough.wait(60)
        child.kill()
    journal = tmp_path / "killed/journal.jsonl"
    saved = journal.read_bytes().count(b"\n")
    assert 0 < saved < asked
    before = len(server.seen)
    with journal.open("ab") as torn:
        torn.write(b'{"key":"torn')
    with start([*words, "run_dir=killed"], tmp_path) as again:
        assert again.wait(60) == 0
    assert len(server.seen) - before == asked - saved
    for name in ("journal.jsonl", "samples.jsonl", "scores.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_ctrl_c_twice_while_the_server_makes_everyone_wait(faulty: Make, tmp_path: Path) -> None:
    told = threading.Event()

    def wait(h: Faulty) -> None:
        if h.number < 3:
            return h.say(" 7")
        told.set()
        return h.fail(429, "wait", headers={"Retry_After": "200"})

    server = faulty(wait)
    words = ["run", "task=nq_open", "data=samples", "model=openai", "model.name=m", f"model.base_url={server.url}", "run_dir=run"]
    child = start([*words, "model.traffic.concurrency=1"], tmp_path)
    assert told.wait(60)
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, said = child.communicate(timeout=30)
    assert time.monotonic() - started < 15 and child.returncode in (130, -signal.SIGINT) and "Traceback" not in said, said
    assert (tmp_path / "run/journal.jsonl").read_bytes().count(b"\n") == 3
