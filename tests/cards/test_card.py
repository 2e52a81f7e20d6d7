"""The card's cells, as printed, and what a damaged file is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.report.published import COLUMNS, load_card, parse_card

HEADER = ",".join(COLUMNS) + "\n"
ROW = "t,Bench,bench,Accuracy,0,A,0.70,\n"


def test_the_shipped_card_has_every_cell_in_order() -> None:
    card = load_card("krutrim2")
    assert [(table.key, len(table.rows), len(table.models)) for table in card.tables] == [
        ("english_code_math", 13, 6),
        ("indic", 10, 7),
        ("bharatbench", 7, 8),
    ]
    assert len(list(card.cells())) == 204
    found = card.find("hellaswag")
    assert found is not None
    table, row = found
    assert (table.title, row.benchmark, row.num_fewshot) == ("English / Code / Math", "Hellaswag", 0)
    last = [(cell.model, cell.text, cell.note) for cell in row.cells[-2:]]
    assert last == [("Gemini-1.5 Flash", "0.87", "10-shot"), ("GPT-4o", "0.95", "10-shot")]
    assert card.find("not_on_the_card") is None


def test_cells_keep_their_digits_and_gaps() -> None:
    cells = {(row.task, cell.model): cell for _, row, cell in load_card().cells()}
    assert cells["commonsense_qa", "MN-12B-Instruct"].text == "0.70"
    assert cells["humaneval", "Krutrim-1-7B"].value == 0.0
    assert (cells["winogrande", "Gemini-1.5 Flash"].text, cells["winogrande", "Gemini-1.5 Flash"].value) == ("-", None)
    assert cells["indic_qa", "GPT-4o"].text == "TBD"
    found = load_card().find("humaneval")
    assert found is not None and found[1].num_fewshot is None


def test_unknown_card_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean krutrim2"):
        load_card("krutrim3")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read published scores"):
        load_card(path=tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", r"x\.csv:1: columns are a,b"),
        (HEADER, r"x\.csv:1: no cells"),
        (HEADER + "t,Bench,bench\n", r"x\.csv:2: 3 fields"),
        (HEADER + ROW.replace("0.70", "seventy"), r"x\.csv:2: score='seventy'"),
        (HEADER + ROW.replace("0.70", ""), r"x\.csv:2: neither score nor cell_note"),
        (HEADER + ROW.replace(",0,A", ",few,A"), r"x\.csv:2: num_fewshot='few'"),
        (HEADER + ROW + ROW, r"x\.csv:3: a second cell for bench, A"),
        (HEADER + ROW + ROW.replace("Accuracy", "EM").replace(",A,", ",B,"), r"x\.csv:3: metric='EM'"),
        (HEADER + ROW + ROW.replace("bench", "other").replace(",A,", ",B,"), r"x\.csv:3: the columns of other differ.*A, B"),
    ],
)
def test_a_bad_line_is_named(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        parse_card(text, name="x", where="x.csv")
