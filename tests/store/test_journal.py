"""Saved answers survive kills and full disks, and are never changed in silence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import JournalError
from evalkit.store.journal import NAME, Journal, read
from evalkit.types import Response

ODD = '\ud800 \x00 \u2028 \u2029 \x85 \r \udfff \ufeff नमस्ते "\\'
A = Response("a", "ok", loglikelihoods=(-1.5, -2.25), greedy=(True, False), context_tokens=7, output_tokens=3, truncated_tokens=2)
B = Response("b", "length", text=" forty-two\n", context_tokens=3, output_tokens=5)
C = Response("c", "empty", text="")

texts = st.text(st.characters(exclude_categories=()), max_size=60)
numbers = st.floats(allow_nan=False)
answers = st.builds(
    Response,
    key=st.text("0123456789abcdef", min_size=1, max_size=8),
    status=st.sampled_from(["ok", "length", "empty"]),
    loglikelihoods=st.none() | st.lists(numbers, max_size=4).map(tuple),
    greedy=st.none() | st.lists(st.booleans(), max_size=4).map(tuple),
    text=st.none() | texts,
    context_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
    truncated_tokens=st.integers(0, 10**6),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(answers, max_size=6, unique_by=lambda r: r.key))
def test_every_answer_comes_back_as_it_was(responses: list[Response]) -> None:
    with tempfile.TemporaryDirectory() as name:
        with Journal(Path(name)) as journal:
            journal.append(responses)
        with Journal(Path(name)) as journal:
            assert journal.answers == {r.key: r for r in responses}


def test_text_that_is_not_utf8_or_breaks_lines_elsewhere(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([replace(B, text=ODD), A])
    assert (tmp_path / NAME).read_bytes().count(b"\n") == 2
    assert read(tmp_path / NAME)[0] == {"b": replace(B, text=ODD), "a": A}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_torn_last_line_is_removed_and_the_rest_kept(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Journal(folder) as journal:
            journal.append([A, B])
        path = folder / NAME
        whole = path.read_bytes()
        first = whole.index(b"\n") + 1
        kept = data.draw(st.integers(first + 1, len(whole) - 1))
        path.write_bytes(whole[:kept])
        with Journal(folder) as journal:
            assert journal.answers == {"a": A}
            journal.append([B])
        assert path.read_bytes() == whole


def test_the_repair_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Journal(tmp_path) as journal:
        journal.append([A, B])
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-5])
    Journal(tmp_path).close()
    assert "last line was cut off" in caplog.text and str(path) in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw.replace(b"-1.5", b"-1.6"),
        lambda raw: raw.replace(b'"a"', b'"x"', 1),
        lambda raw: b"\n" + raw,
        lambda raw: b"garbage\n" + raw,
        lambda raw: raw[:40] + b"\n" + raw[40:],
    ],
)
def test_other_damage_is_refused_with_file_and_line(tmp_path: Path, damage: object) -> None:
    with Journal(tmp_path) as journal:
        journal.append([A, B])
    path = tmp_path / NAME
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"journal\.jsonl:1 is damaged"):
        Journal(tmp_path)
    assert path.read_bytes() == before
    path.write_bytes(b"")
    Journal(tmp_path).close()  # the lock was released


def test_damage_on_a_later_line_names_that_line(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([A, B, C])
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes().replace(b"forty", b"fifty"))
    with pytest.raises(JournalError, match=r":2 is damaged"):
        read(path)


def test_a_whole_line_of_another_version_is_refused(tmp_path: Path) -> None:
    import zlib

    body = b'{"key":"a","status":"ok","mood":"fine"}'
    (tmp_path / NAME).write_bytes(body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body))
    with pytest.raises(JournalError, match=r":1 "):
        Journal(tmp_path)


def test_a_second_process_is_refused_with_the_firsts_pid(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from evalkit.store.journal import Journal; "
        "held = Journal(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdin
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalError, match=rf"in use by process {holder.pid}\b"):
            Journal(tmp_path)
    finally:
        holder.kill()
        holder.communicate()
    Journal(tmp_path).close()  # a killed holder holds nothing


def test_compaction_gives_the_same_bytes_whatever_the_order_of_answers(tmp_path: Path) -> None:
    old = Response("0ld", "ok", text="of other weights")
    contents = set()
    for index, order in enumerate(([A, B, C, old], [old, C, B, A], [C, A, old, B])):
        with Journal(tmp_path / str(index)) as journal:
            for response in order:
                journal.append([response])
            journal.compact(["b", "a", "a", "missing", "c"])
            journal.append([Response("late", "ok", text="still open")])
        contents.add((tmp_path / str(index) / NAME).read_bytes())
        assert sorted(p.name for p in (tmp_path / str(index)).iterdir()) == [NAME, "lock"]
    assert len(contents) == 1
    assert list(read(tmp_path / "0" / NAME)[0]) == ["b", "a", "c", "0ld", "late"]


def test_errors_and_repeats_are_not_stored(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([Response("e", "error", error="refused"), A, A, replace(A, text="another")])
        journal.append([A])
        assert list(journal.answers) == ["a"]
    assert (tmp_path / NAME).read_bytes().count(b"\n") == 1


def test_no_folder_keeps_answers_in_memory() -> None:
    with Journal(None) as journal:
        journal.append([A])
        journal.compact(["a"])
        assert journal.answers == {"a": A}


def test_a_write_cut_short_is_taken_back(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for a disk that fills in the middle of a batch; it works without any right."""
    program = textwrap.dedent(
        """
        import resource, signal, sys
        from pathlib import Path
        from evalkit.errors import JournalError
        from evalkit.store.journal import Journal
        from evalkit.types import Response
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with Journal(Path(sys.argv[1])) as journal:
            journal.append([Response("a", "ok", text="x" * 50)])
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
            try:
                journal.append([Response("b", "ok", text="y" * 100), Response("c", "ok", text="z" * 1000)])
            except JournalError as error:
                print(error)
            journal.append([Response("d", "ok", text="small")])
        """
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "1 answers are saved" in done.stdout
    answers, torn = read(tmp_path / NAME)
    assert list(answers) == ["a", "d"] and torn is None


def on_a_small_disk(size: str, script: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script whose $DISK is a tmpfs of that size, in its own mount namespace."""
    folder = tempfile.mkdtemp()
    try:
        return subprocess.run(
            ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size={size} none {folder} && {script}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=os.environ | {"DISK": folder, "PYTHON": sys.executable},
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(("size", "full"), [("80k", "journal.jsonl"), ("148k", "samples.jsonl")])
def test_a_full_disk_ends_in_one_line_and_continues_when_there_is_room(size: str, full: str) -> None:
    if not shutil.which("unshare") or on_a_small_disk("64k", "true").returncode:
        pytest.skip("our own tmpfs cannot be mounted here")
    program = "$PYTHON -c 'from evalkit.cli import main; import sys; sys.exit(main())'"
    run = f"{program} run task=flores_in_en_xx data=samples model=fake progress=none run_dir=$DISK/run"
    lines = "wc -l < $DISK/run/journal.jsonl"
    done = on_a_small_disk(
        size, f"{run}; echo $?; {lines}; ls -A $DISK/run; mount -o remount,size=4m $DISK; {run} >/dev/null; echo $?; {lines}"
    )
    first, kept, *names, second, whole = done.stdout.split()
    assert (first, second, whole) == ("5", "0", "96"), done
    assert "scores.json" not in names and not [name for name in names if name.endswith(".tmp")]
    (error,) = [line for line in done.stderr.splitlines() if not line.startswith("wrote ")]
    assert error.startswith("error: no space left ") and full in error and "run the same command again" in error
    assert 0 < int(kept) < 96 or full != "journal.jsonl"
    assert f"{kept} answers are saved" in error or full != "journal.jsonl"
