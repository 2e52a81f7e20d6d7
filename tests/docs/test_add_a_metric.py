"""docs/add-a-metric.md works as written: every titled block becomes a file, every `$` line is run, and its numbers are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.following import follow, read_page, write_files

PAGE = read_page("add-a-metric.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(PAGE, tmp_path_factory.mktemp("elsewhere") / "facts")


def test_the_page_names_every_file_it_makes() -> None:
    assert PAGE.tree == set(PAGE.files) and len(PAGE.commands) == 2


def test_known_answers_get_the_scores_that_the_page_says(folder: Path) -> None:
    lines = {line.split()[0]: line for line in follow(PAGE.commands[0], folder).splitlines() if "mentions" in line}
    assert "0.556" in lines["city_facts"]
    assert "0.444" in next(line for line in lines.values() if "mentions_case" in line)


def test_a_run_scores_with_it(folder: Path) -> None:
    text = follow(PAGE.commands[1], folder)
    assert "mentions" in text and "0.000" in text
