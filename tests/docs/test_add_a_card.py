"""docs/add-a-card.md works as written."""

from __future__ import annotations

import pytest

from tests.docs.following import DOCS, follow, read_page, write_files

PAGE = read_page("add-a-card.md")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every command of the page in its order, in one folder, and what it printed."""
    folder = write_files(PAGE, tmp_path_factory.mktemp("elsewhere") / "mine")
    return {command: follow(command, folder) for command in PAGE.commands}


def test_the_page_names_every_file_it_makes() -> None:
    assert PAGE.tree == set(PAGE.files) and len(PAGE.commands) == 7


def test_every_command_works_as_written(said: dict[str, str]) -> None:
    listed, shown, measured, *reports = said.values()
    assert "tiny" in listed and "Tiny model card, first edition: 2 tables, 4 rows" in listed
    assert "mmlu_zero_shot: 0 shots" in shown and "winogrande" not in shown
    assert "Tiny-1B" in measured and measured.count("MMLU") >= 2
    own, by_folder, several, plain = reports
    assert own == by_folder and "Tiny model card (first edition)" in own
    assert "Tiny model card (first edition): English" in several and "Krutrim-2 card" in several
    assert "Tiny" not in plain


def test_the_rows_metric_and_its_reasons_are_shown(said: dict[str, str]) -> None:
    report = next(text for command, text in said.items() if command == "evalkit report runs/tiny")
    assert "measured on sample rows, not the benchmark" in report and "TBD" in report


def test_nothing_was_written_into_the_package() -> None:
    assert not (DOCS.parent / "conf" / "card").exists() and not (DOCS.parent / "results" / "published" / "tiny").exists()
