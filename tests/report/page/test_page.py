"""What is in the file, without a browser."""

from __future__ import annotations

import base64
import json
import random
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.cards import find_card
from evalkit.errors import DataError
from evalkit.report import build
from evalkit.report.page import write_page
from evalkit.report.page.blocks import SIZE, Blocks, one_block
from evalkit.report.page.page import scores_first
from evalkit.report.table import Cell, Column, Table
from evalkit.results import RunResult
from evalkit.store import load_run
from tests.report.page.conftest import choice

Maker = Callable[..., RunResult]


def write(path: Path, *runs: RunResult, max_bytes: int = 20_000_000) -> Any:
    return write_page(build(runs, [find_card("krutrim2")]), [load_run(run.path) for run in runs if run.path], path, max_bytes=max_bytes)


def stored(page: str, name: str) -> Any:
    found = re.search(f'id="block-{name}">([^<]*)<', page)
    assert found
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def test_equal_runs_give_equal_bytes(make_run: Maker, tmp_path: Path) -> None:
    run = make_run("a", [True, False])
    write(tmp_path / "1.html", run)
    write(tmp_path / "2.html", run)
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()


def test_nothing_points_outside(make_run: Maker, tmp_path: Path) -> None:
    write(tmp_path / "1.html", make_run("a", [True, False]))
    page = (tmp_path / "1.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!#)", page) and "@import" not in page and "url(" not in page
    assert "default-src 'none'" in page


def test_runs_that_asked_the_same_share_what_was_asked(make_run: Maker, tmp_path: Path) -> None:
    write(tmp_path / "1.html", make_run("a", [True, False]), make_run("b", [False, False]))
    found = re.search(r'id="index">(.*?)</script>', (tmp_path / "1.html").read_text(encoding="utf-8"))
    assert found
    held = json.loads(found[1])
    a, b = (run["tasks"]["sky"] for run in held["runs"])
    assert a["shared"] == b["shared"] and a["answered"] != b["answered"] and held["shared"][a["shared"]]["doc"] == ["test/0", "test/1"]


def test_prompts_come_back_from_their_fronts(make_run: Maker, tmp_path: Path) -> None:
    prompts = ["shots 😀\nQ: one", "shots 😀\nQ: two", "shots 😁", "", "shots 😁"]
    samples = [{"task": "t", "doc": str(i), "prompt": p, "responses": [], "scores": {}, "target": "x"} for i, p in enumerate(prompts)]
    blocks = Blocks()
    columns = one_block(samples, "em", blocks)
    asked = json.loads(zlib.decompress(base64.b64decode(blocks.texts[columns.asked["asked"][0]])))
    before, back = b"", []
    for sample in asked:
        ((shared, rest),) = sample["prompts"]
        before = before[: 2 * shared] + rest.encode("utf-16-le")
        back.append(before.decode("utf-16-le"))
    assert back == prompts


def test_too_many_samples_are_left_out_and_counted(make_run: Maker, tmp_path: Path) -> None:
    noise = random.Random(0)
    text = lambda: "".join(noise.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=400))  # noqa: E731
    samples = [
        {"task": "speech", "doc": str(i), "prompt": text(), "target": "x", "responses": [], "scores": {"em": {"value": None}}}
        for i in range(5 * SIZE)
    ]
    written = write(tmp_path / "1.html", make_run("a", [True], samples), max_bytes=250_000)
    assert 0 < written.samples < 5 * SIZE and written.samples + written.left_out == 5 * SIZE
    size = (tmp_path / "1.html").stat().st_size
    assert size == written.bytes and 150_000 < size <= 250_000


def test_every_run_keeps_the_same_documents_of_a_full_page(make_run: Maker, tmp_path: Path) -> None:
    noise = random.Random(0)
    runs = []
    for name in "ab":
        samples = [
            {**choice(i, True), "responses": [{"status": "ok", "text": f"<{noise.randbytes(150).hex()}>"}], "language": "hi"}
            for i in range(4 * SIZE)
        ]
        runs.append(make_run(name, [True], samples))
    written = write(tmp_path / "1.html", *runs, max_bytes=250_000)
    assert 0 < written.samples < 8 * SIZE and written.bytes <= 250_000
    found = re.search(r'id="index">(.*?)</script>', (tmp_path / "1.html").read_text(encoding="utf-8"))
    assert found
    held = json.loads(found[1])
    a, b = (run["tasks"]["sky"] for run in held["runs"])
    assert len(a["value"]) == len(b["value"]) == written.samples // 2 and a["shared"] == b["shared"] and a["total"] == 4 * SIZE


def test_nothing_fits_and_the_tables_still_stand(make_run: Maker, tmp_path: Path) -> None:
    written = write(tmp_path / "1.html", make_run("a", [True, False]), max_bytes=1000)
    assert (written.samples, written.left_out) == (0, 8) and "<table>" in (tmp_path / "1.html").read_text(encoding="utf-8")


def test_a_damaged_line_is_named(make_run: Maker, tmp_path: Path) -> None:
    run = make_run("a", [True])
    assert run.path
    with (run.path / "samples.jsonl").open("a", encoding="utf-8") as handle:
        handle.write('{"task": "sky\n')
    with pytest.raises(DataError, match=r"samples.jsonl:8 is damaged"):
        write(tmp_path / "1.html", run)


def test_no_samples_is_a_page_of_tables(make_run: Maker, tmp_path: Path) -> None:
    run = make_run("a", [True])
    assert run.path
    (run.path / "samples.jsonl").unlink()
    assert write(tmp_path / "1.html", run).samples == 0


def test_scores_are_next_to_the_name() -> None:
    titles: dict[str, dict[str, Any]] = {
        "Benchmark": {"key": True},
        "Shots": {},
        "mine": {"ours": True},
        "Coverage": {},
        "Alpha, printed": {},
        "Beta": {"published": True},
    }
    table = Table("t", tuple(Column(title, **more) for title, more in titles.items()), ((*map(Cell, "abcdef"),),))
    moved = scores_first(table)
    assert [column.title for column in moved.columns] == ["Benchmark", "mine", "Alpha, printed", "Shots", "Coverage", "Beta"]
    assert [cell.text for cell in moved.rows[0]] == [*"acebdf"]
    assert scores_first(replace(table, name="leaderboard")).columns == table.columns
