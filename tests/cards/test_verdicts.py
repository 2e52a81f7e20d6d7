"""Measured against printed, and the counts a card boasts of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.errors import DataError
from evalkit.report import build, load_card
from evalkit.report.card_protocol import load_protocol
from evalkit.report.verdicts import CardProtocol, RowProtocol, judge, standings

ROW = {"n_docs": 200, "n_total": 200}


def verdict(make: SimpleNamespace, result: Any, model: str = "Alpha-7B", **known: Any) -> tuple[str, str]:
    table, row = make.card.find("hellaswag")
    cell = next(cell for cell in row.cells if cell.model == model)
    third_party = {"english_code_math": (("Beta-12B-Instruct",), "somebody else's number")} if known.pop("third", False) else {}
    found = judge(result, table, row, cell, CardProtocol("", third_party, {"hellaswag": RowProtocol(**known)}))
    return found.word, found.reason


def test_words(make: SimpleNamespace) -> None:
    def measured(value: float | None, ci: Any = (0.6, 0.8), **more: Any) -> Any:
        return make.task("hellaswag", make.summary("acc_norm", value, ci=ci), **{**ROW, **more})

    assert verdict(make, measured(0.7049)) == ("reproduced", "rounds to the printed 0.70")
    assert verdict(make, measured(0.69))[0] == "within noise"
    assert verdict(make, measured(0.6, (0.5, 0.696)))[0] == "within noise"  # 0.696 could be printed as 0.70
    assert verdict(make, measured(0.6, (0.5, 0.69))) == ("differs", "the interval does not reach the printed 0.70")
    # A part of the benchmark that happens to round to the printed number has reproduced nothing yet.
    word, reason = verdict(make, measured(0.70, n_total=2000))
    assert word == "within noise" and "10.0% of the documents" in reason
    assert verdict(make, None) == ("not measured", "not part of this run")
    assert verdict(make, measured(None, None)) == ("not measured", "no document could be scored")
    assert verdict(make, measured(0.6, None))[0] == "not comparable"


@pytest.mark.parametrize(
    ("known", "change", "model", "said"),
    [
        ({"not_comparable": "nobody knows the encoder"}, {}, "Alpha-7B", "nobody knows the encoder"),
        ({"third": True}, {}, "Beta-12B-Instruct", "somebody else's number; the card's number was made otherwise: 10-shot"),
        ({}, {}, "Beta-12B-Instruct", "the card's number was made otherwise: 10-shot"),
        ({}, {"num_fewshot": 5}, "Alpha-7B", "measured 5-shot, the card says 0-shot"),
        ({"metrics": ("acc",)}, {}, "Alpha-7B", "measured acc_norm, the card's number is acc"),
        ({}, {"sample_rows": True}, "Alpha-7B", "measured on sample rows, not the benchmark"),
    ],
)
def test_what_makes_numbers_incomparable(make: SimpleNamespace, known: Any, change: Any, model: str, said: str) -> None:
    assert verdict(make, make.task(**ROW, **change), model, **known) == ("not comparable", said)


def test_a_dash_stays_a_dash(make: SimpleNamespace) -> None:
    run = replace(make.run(make.task("gsm8k", make.summary("exact_match", 0.2))), manifest={"config": {"model": {"card_name": "Alpha-7B"}}})
    table = build([run], make.card).comparison[0]
    assert [row[0].text for row in table.rows] == ["Hellaswag", "GSM8K"]  # the card's whole table, in its order
    assert [c.title for c in table.columns][4:] == [
        *("Coverage", "Alpha-7B, printed", "measured", "Difference", "Verdict", "Beta-12B-Instruct"),
    ]
    assert [cell.text for cell in table.rows[0]][4:] == ["", "0.70", "not run", "", "not measured", "0.95"]
    assert [cell.text for cell in table.rows[1]][5:9] == ["-", "0.200 [0.359, 0.494]", "", "not comparable"]
    notes = dict(table.footnotes)
    assert notes[table.rows[1][8].marks[0]] == "the card prints no number here (-)"


def test_top_three_is_counted() -> None:
    card = load_card()
    bharat = next(table for table in card.tables if table.key == "bharatbench")
    assert standings(bharat, "Krutrim-2-12B") == "BharatBench, as printed: Krutrim-2-12B is among the top 3 on 5 of 7 rows."
    low = {"bharatbench_ner": 0.1, "bharatbench_multi_turn": 0.9949}
    assert standings(bharat, "Krutrim-2-12B", low).endswith(
        "with the measured scores in its column: Krutrim-2-12B is among the top 3 on 1 of 2 rows."
    )


def test_the_shipped_protocol_fits_the_card(tmp_path: Path) -> None:
    card = load_card()
    protocol = load_protocol(card)
    assert set(protocol.rows) == {row.task for table in card.tables for row in table.rows}
    assert protocol.subject in card.models and protocol.rows["indic_qa"].not_comparable
    assert all("BERTScore" in protocol.rows[row.task].not_comparable for t in card.tables for row in t.rows if row.metric == "Bert Score")
    for text, said in (("rows: {nope: {}}", "nope"), ("rows: {mmlu: {metric: acc}}", "unknown field metric"), ("a: [", "malformed")):
        (tmp_path / "x.yaml").write_text(text)
        with pytest.raises(DataError, match=said):
            load_protocol(card, path=tmp_path / "x.yaml")
