"""One process a folder: on one machine by the lock, on several by signs of life."""

from __future__ import annotations

import errno
import fcntl
import threading
import time
from pathlib import Path

import pytest

from evalkit.errors import JournalError
from evalkit.store import lock
from evalkit.store.lock import Lock


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WATCH_S", 0.6)
    monkeypatch.setattr(lock, "BEAT_S", 0.05)


def test_the_second_is_refused_and_a_closed_lock_leaves_an_empty_file(tmp_path: Path) -> None:
    first = Lock(tmp_path)
    with pytest.raises(JournalError, match=r"in use by process \d+ on "):
        Lock(tmp_path)
    first.close()
    assert (tmp_path / lock.NAME).read_bytes() == b""
    Lock(tmp_path).close()


def test_a_holder_on_another_machine_that_shows_life_is_left_alone(tmp_path: Path) -> None:
    """As on a file system whose locks do not reach the other machine."""
    (tmp_path / lock.NAME).write_text("77 on elsewhere\n")
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.05):
            (tmp_path / lock.NAME).touch()

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(JournalError, match="in use by process 77 on elsewhere"):
            Lock(tmp_path)
    finally:
        over.set()
        thread.join()
    assert (tmp_path / lock.NAME).read_text() == "77 on elsewhere\n"


def test_a_holder_on_another_machine_that_is_dead_is_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / lock.NAME).write_text("77 on elsewhere\n")
    started = time.monotonic()
    held = Lock(tmp_path)
    assert time.monotonic() - started > 0.5 and "held on another machine (process 77 on elsewhere)" in caplog.text
    before = (tmp_path / lock.NAME).stat().st_mtime_ns
    time.sleep(0.3)
    assert (tmp_path / lock.NAME).stat().st_mtime_ns > before  # and shows life itself
    held.close()


def test_a_process_of_this_machine_that_was_killed_is_followed_at_once(tmp_path: Path) -> None:
    import platform

    (tmp_path / lock.NAME).write_text(f"77 on {platform.node()}\n")
    started = time.monotonic()
    Lock(tmp_path).close()
    assert time.monotonic() - started < 0.4


def test_a_file_system_without_locks_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    Lock(tmp_path).close()
    assert "this file system has no locks" in caplog.text
