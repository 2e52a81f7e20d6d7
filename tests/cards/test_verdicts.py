"""Measured against printed, and the counts a card boasts of."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from evalkit.cards import CardRow, ThirdParty, find_card, judge
from evalkit.cards.verdicts import standings
from evalkit.report import build

ROW = {"n_docs": 200, "n_total": 200}


def verdict(make: SimpleNamespace, result: Any, column: str = "Alpha-7B", **known: Any) -> tuple[str, str]:
    table, row = make.card.find("english_code_math", "hellaswag")
    third = ThirdParty(("Beta-12B-Instruct",), "somebody else's number") if known.pop("third", False) else None
    row = CardRow(row.key, msgspec.structs.replace(row.about, **known), row.cells)
    found = judge(result, replace(table, third_party=third), row, next(cell for cell in row.cells if cell.column == column))
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


def test_what_is_missing_says_why(make: SimpleNamespace) -> None:
    def measured(**more: Any) -> Any:
        return make.task("hellaswag", make.summary("acc_norm", more.pop("value", 0.7), **more.pop("summary", {})), **{**ROW, **more})

    why = "pass@10 needs 10 samples of a problem"
    assert verdict(make, measured(value=None, summary={"note": why})) == ("not measured", why)
    word, reason = verdict(make, measured(languages_missing=("as", "bn")))
    assert word == "not comparable" and reason == "2 of the benchmark's languages were not measured: without as, bn"
    word, reason = verdict(make, measured(answers_from="theirs.jsonl"), shots=5)
    assert word == "not comparable" and reason.startswith("how the answers of theirs.jsonl were asked for") and "0-shot" not in reason


def test_the_rows_metric_is_judged_not_the_headline(make: SimpleNamespace) -> None:
    both = make.task("hellaswag", make.summary("acc_norm", 0.60, ci=(0.58, 0.62)), make.summary("acc", 0.7, ci=(0.68, 0.72)), **ROW)
    assert verdict(make, both)[0] == "differs"
    assert verdict(make, both, metric="acc") == ("reproduced", "rounds to the printed 0.70")
    shown = build([make.run(both, model="alpha")], [make.card_of(tables=_with_metric(make, "acc"))]).comparison[0].rows[0]
    assert [shown[2].text, shown[6].text, shown[8].text] == ["acc", "0.700 [0.680, 0.720]", "reproduced"]


def _with_metric(make: SimpleNamespace, metric: str) -> dict[str, Any]:
    tables = dict(make.card.about.tables)
    english = tables["english_code_math"]
    rows = {**english.rows, "hellaswag": msgspec.structs.replace(english.rows["hellaswag"], metric=metric)}
    return {**tables, "english_code_math": msgspec.structs.replace(english, rows=rows)}


@pytest.mark.parametrize(
    ("known", "change", "column", "said"),
    [
        ({"not_comparable": "nobody knows the encoder"}, {}, "Alpha-7B", "nobody knows the encoder"),
        ({"third": True}, {}, "Beta-12B-Instruct", "somebody else's number; the card's number was made otherwise: 10-shot"),
        ({}, {}, "Beta-12B-Instruct", "the card's number was made otherwise: 10-shot"),
        ({}, {"num_fewshot": 5}, "Alpha-7B", "measured 5-shot, the card says 0-shot"),
        ({"metric": "mc2"}, {}, "Alpha-7B", "measured acc_norm; the card's number is mc2, which hellaswag does not have"),
        ({}, {"sample_rows": True}, "Alpha-7B", "measured on sample rows, not the benchmark"),
    ],
)
def test_what_makes_numbers_incomparable(make: SimpleNamespace, known: Any, change: Any, column: str, said: str) -> None:
    assert verdict(make, make.task(**ROW, **change), column, **known) == ("not comparable", said)


def test_a_dash_stays_a_dash(make: SimpleNamespace) -> None:
    run = make.run(make.task("gsm8k", make.summary("exact_match", 0.2)), model="alpha")
    table = build([run], [make.card]).comparison[0]
    assert [row[0].text for row in table.rows] == ["Hellaswag", "GSM8K"]  # the card's whole table, in its order
    assert [c.title for c in table.columns][4:] == [
        *("Coverage", "Alpha-7B, printed", "measured", "Difference", "Verdict", "Beta-12B-Instruct"),
    ]
    assert [cell.text for cell in table.rows[0]][4:] == ["", "0.70", "not run", "", "not measured", "0.95"]
    assert [cell.text for cell in table.rows[1]][5:9] == ["-", "0.200 [0.359, 0.494]", "", "not comparable"]
    notes = dict(table.footnotes)
    assert notes[table.rows[1][8].marks[0]] == "the card prints no number here (-)"


def test_percentages_are_held_against_fractions(make: SimpleNamespace) -> None:
    card = find_card("smollm2")
    table, row = next((t, r) for t in card.tables for r in t.rows if r.task and r.about.metric == "acc_norm")
    cell = row.cells[0]
    assert cell.value is not None and cell.score is not None and abs(cell.value - float(cell.score) / 100) < 1e-12
    near = make.task(row.instance, make.summary("acc_norm", cell.value + 0.0004, ci=(0.1, 0.9)), **ROW, num_fewshot=row.about.shots or 0)
    assert judge(near, table, row, cell).word in ("reproduced", "not comparable")


def test_top_three_is_counted() -> None:
    bharat = next(table for table in find_card("krutrim2").tables if table.key == "bharatbench")
    assert standings(bharat, "Krutrim-2-12B") == "BharatBench, as printed: Krutrim-2-12B is among the top 3 on 5 of 7 rows."
    low = {"bharatbench_ner": 0.1, "bharatbench_multi_turn": 0.9949}
    assert standings(bharat, "Krutrim-2-12B", low).endswith(
        "with the measured scores in its column: Krutrim-2-12B is among the top 3 on 1 of 2 rows."
    )
