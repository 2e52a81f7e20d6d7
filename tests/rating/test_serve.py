"""The small server: a token per rater, ratings kept as they come, kill -9, two tabs, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, JournalError
from evalkit.rating.journal import RatingJournals, read_journal
from evalkit.rating.make import Made
from evalkit.rating.serve import listen
from evalkit.rating.sheet import Rater
from evalkit.rating.sources import read_ratings
from tests.rating.invented import MODELS, answers_of, leaning_scores

REPO = Path(__file__).resolve().parents[2]
Started = tuple[subprocess.Popen[str], dict[str, str]]


@pytest.fixture
def serve(room: Made, tmp_path: Path) -> Iterator[Callable[[], Started]]:
    """Starts `evalkit rate serve` as its own program; returns it and the raters' addresses."""
    running: list[subprocess.Popen[str]] = []

    def start() -> Started:
        program = "import sys; from evalkit.cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", program, "rate", "serve", str(tmp_path / "room"), "port=0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO)
        running.append(process)
        assert process.stdout
        told = [process.stdout.readline().split() for _ in room.sheet.raters]
        addresses = {words[0]: words[1] for words in told}
        wait(next(iter(addresses.values())))
        return process, addresses

    yield start
    for process in running:
        process.kill()
        process.communicate()


def wait(address: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).read()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def call(address: str, body: Any = None) -> tuple[int, Any, Any]:
    """(status, JSON or text, headers)."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"} if data else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            raw, status, headers = reply.read(), reply.status, reply.headers
    except urllib.error.HTTPError as error:
        raw, status, headers = error.read(), error.code, error.headers
    try:
        return status, json.loads(raw), headers
    except ValueError:
        return status, raw.decode(), headers


def slots_of(rater: Rater) -> dict[str, Any]:
    return answers_of(rater, leaning_scores())


@pytest.mark.slow
def test_ratings_outlive_kill_9_and_are_collected(room: Made, serve: Callable[[], Started], tmp_path: Path) -> None:
    process, addresses = serve()
    rater = room.sheet.raters[0]
    slots = slots_of(rater)
    for place, (slot, record) in enumerate(slots.items()):
        status, told, _ = call(f"{addresses[rater.id]}/ratings", {"slot": slot, "base": 0, "record": record})
        assert (status, told["revision"]) == (200, 1)
        if place == 4:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process, addresses = serve()
            kept = call(f"{addresses[rater.id]}/ratings")[1]
            assert {name: one["record"]["answers"] for name, one in kept.items()} == {
                name: slots[name]["answers"] for name in list(slots)[:5]
            }
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)
    ratings = read_ratings([tmp_path / "room"], room.sheet)
    assert len(ratings) == len(slots) * len(MODELS)


@pytest.mark.slow
def test_each_rater_has_an_address_of_their_own_and_nothing_else_is_there(room: Made, serve: Callable[[], Started]) -> None:
    _, addresses = serve()
    assert all(address.startswith("http://127.0.0.1:") for address in addresses.values())
    assert len({address.rpartition("/")[2] for address in addresses.values()}) == len(room.sheet.raters)
    base = addresses["r0"].rpartition("/r/")[0]
    for path in ("/", "/key.json", "/r/", "/r/r0", f"/r/{'0' * 32}", "/pages/r0.html", "/r/../key.json", "/docs", "/openapi.json"):
        assert call(base + path)[0] == 404, path
    status, page, headers = call(addresses["r0"])
    assert status == 200 and headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    assert addresses["r1"].rpartition("/")[2] not in page and "connect-src &#x27;self&#x27;" not in page and "connect-src 'self'" in page
    for model in MODELS:
        assert model not in page


@pytest.mark.slow
def test_what_does_not_fit_the_page_is_refused(room: Made, serve: Callable[[], Started]) -> None:
    _, addresses = serve()
    rater = room.sheet.raters[0]
    slot, record = next(iter(slots_of(rater).items()))
    address = f"{addresses[rater.id]}/ratings"
    wrong: list[tuple[Any, str]] = [
        ({"slot": slot, "base": 0, "record": {**record, "answers": {"A": 6}}}, "from 1 to 5"),
        ({"slot": slot, "base": 0, "record": {**record, "answers": {"A": 4.5}}}, "from 1 to 5"),
        ({"slot": slot, "base": 0, "record": {**record, "answers": {"Z": 4}}}, "no answer 'Z'"),
        ({"slot": slot, "base": 0, "record": {**record, "text": "0" * 16}}, "another text"),
        ({"slot": "qffff", "base": 0, "record": record}, "no such prompt"),
        ({"slot": slot}, "base"),
        ([1, 2], ""),
        ({"slot": slot, "base": 0, "record": {**record, "comments": {"A": "x" * 300_000}}}, "too large"),
    ]
    for body, said in wrong:
        status, told, _ = call(address, body)
        assert status in (400, 413) and said in told["error"], body
    assert call(address)[1] == {}


def test_two_tabs_of_one_rater_do_not_fight(room: Made, tmp_path: Path) -> None:
    rater = room.sheet.raters[0]
    slot, record = next(iter(slots_of(rater).items()))
    with RatingJournals(tmp_path / "room", room.sheet) as journals:
        first = {**record, "answers": {"A": 1, "B": 2}, "at": 100}
        second = {**record, "answers": {"B": 5, "C": 3}, "at": 200}
        assert journals.put(rater, slot, 0, first)[1]
        entry, same = journals.put(rater, slot, 0, second)  # a tab that did not know of the first
        assert not same and entry.revision == 2 and entry.record.answers == {"A": 1, "B": 5, "C": 3}
        late = {**record, "answers": {"B": 4, "D": 4}, "at": 150}  # of both, the later wins, whichever comes first
        assert journals.put(rater, slot, 0, late)[0].record.answers == {"A": 1, "B": 5, "C": 3, "D": 4}
        # A tab that knows what is kept may take a rating back.
        assert journals.put(rater, slot, 3, {**record, "answers": {"A": 2}, "at": 300})[0].record.answers == {"A": 2}
    entries, torn = read_journal(tmp_path / "room" / "ratings" / f"{rater.id}.jsonl", rater)
    assert torn is None and entries[slot].record.answers == {"A": 2} and entries[slot].revision == 4


def test_the_journal_s_rules(room: Made, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rater = room.sheet.raters[0]
    path = tmp_path / "room" / "ratings" / f"{rater.id}.jsonl"
    slots = list(slots_of(rater).items())
    with RatingJournals(tmp_path / "room", room.sheet) as journals:
        for slot, record in slots[:3]:
            journals.put(rater, slot, 0, record)
        with pytest.raises(JournalError, match="in use by another"):
            RatingJournals(tmp_path / "room", room.sheet)
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])  # torn by a power cut
    assert len(read_ratings([path], room.sheet)) == 2 * len(MODELS)
    with RatingJournals(tmp_path / "room", room.sheet) as journals:
        assert list(journals.entries[rater.id]) == [slot for slot, _ in slots[:2]]
    assert "cut off by an interruption" in caplog.text and path.read_bytes() == whole[: len(path.read_bytes())]
    lines = whole.splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b'"A":', b'"B":') + lines[2])
    with pytest.raises(JournalError, match=rf"{rater.id}.jsonl:2 is damaged"):
        RatingJournals(tmp_path / "room", room.sheet)
    path.write_bytes(whole)
    other = tmp_path / "room" / "ratings" / f"{room.sheet.raters[1].id}.jsonl"
    other.write_bytes(whole)  # another rater's
    with pytest.raises(JournalError, match="no rating of this sheet"):
        RatingJournals(tmp_path / "room", room.sheet)


def test_an_address_that_cannot_be_taken_is_one_line(room: Made) -> None:
    with listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port={port} cannot be taken .*port=0"):
            listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="port=99999 is no port"):
        listen("127.0.0.1", 99999)


@pytest.mark.slow
def test_in_a_browser(room: Made, serve: Callable[[], Started], driver: Any, tmp_path: Path) -> None:
    """Ratings arrive, come back in another browser, and are kept in it while the server is gone."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    process, addresses = serve()
    driver.get(addresses["r2"])
    waiting = WebDriverWait(driver, 20)
    waiting.until(lambda b: b.execute_script("return document.body.dataset.ready"))
    ActionChains(driver).send_keys("n", "5", "4", "3", "2").perform()
    waiting.until(lambda b: b.execute_script("return Object.keys(revision).length === 1 && !waiting.size && !sending"))
    driver.execute_script("localStorage.clear()")
    driver.get(addresses["r2"])
    waiting.until(lambda b: b.execute_script("return slots.filter(done).length === 1"))
    os.kill(process.pid, signal.SIGKILL)  # the server goes; the page keeps what is rated and says so
    process.wait()
    ActionChains(driver).send_keys("n", "1", "1").perform()
    waiting.until(lambda b: b.execute_script("return !document.getElementById('warning').hidden"))
    assert driver.execute_script("return JSON.parse(localStorage.getItem(STORE)).slots[slots[1].dataset.slot].answers") == {"A": 1, "B": 1}
    driver.get_log("browser")  # the refused connections
    driver.get("about:blank")
    assert len(read_ratings([tmp_path / "room"], room.sheet)) == len(MODELS)
