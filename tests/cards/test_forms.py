"""Forms of one benchmark, one task in several rows, several cards: all side by side, never in one cell, counted once."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import msgspec

from evalkit.cards import Card, CardProtocol, RowProtocol, TableProtocol, find_card
from evalkit.cards.card import make_card
from evalkit.report import build
from evalkit.report.frame import to_frame
from evalkit.report.rows import distinct, sections
from evalkit.results import RunResult, TaskResult
from evalkit.types import Summary


def result(task: str, shots: int = 0) -> TaskResult:
    summary = Summary("acc", 0.5, 0.1, (0.3, 0.7), 10, signature="acc")
    return TaskResult(task, "acc", shots, 1, {"acc": summary}, 10, 10)


GEN, RANKED = result("indic_xnli"), result("indic_xnli_logprob")


def test_forms_stand_in_the_cards_row_order() -> None:
    run = RunResult("m", {task.task: task for task in (RANKED, result("indic_copa_logprob"), GEN, result("mine"))})
    found = sections([run], [find_card("krutrim2")])
    assert [section.title for section in found] == ["Indic", "Other tasks"]
    assert [entry.label for entry in found[0].entries] == ["IndicCOPA (base)", "IndicXNLI", "IndicXNLI (base)"]
    assert all(entry.row is not None and entry.row.cells for entry in found[0].entries)
    assert [entry.label for entry in found[1].entries] == ["mine"]


def test_a_chat_model_and_a_base_model_do_not_share_a_row() -> None:
    card = find_card("krutrim2")
    runs = [RunResult("chat", {"indic_xnli": GEN}), RunResult("base", {"indic_xnli_logprob": RANKED})]
    entries = sections(runs, [card])[0].entries
    assert [(entry.label, [r is not None for r in entry.results]) for entry in entries] == [
        ("IndicXNLI", [True, False]),
        ("IndicXNLI (base)", [False, True]),
    ]
    frame = to_frame(runs, [card])
    assert set(frame["benchmark"]) == {"IndicXNLI"} and set(frame["card: Krutrim-2-12B"]) == {0.55}


def test_documents_set_apart_are_no_gap_in_coverage() -> None:
    apart = replace(GEN, summaries={"acc": replace(GEN.score, n=7, n_apart=3)})
    assert apart.coverage == 1 and GEN.coverage == 1


def two_rows() -> Card:
    """One task in two rows of one label, and a second table that shows the first row's score again."""
    five, zero = RowProtocol("MMLU", task="mmlu", shots=5), RowProtocol("MMLU", task="mmlu", as_="mmlu_zero", shots=0)
    tables = {"main": TableProtocol("Main", {"five": five, "zero": zero}), "again": TableProtocol("Again", {"five": five})}
    cells = "table,row,column,score,note\nmain,five,A,0.5,\nmain,zero,A,0.4,\nagain,five,A,0.5,\n"
    return make_card(CardProtocol("Two", "one", "nowhere", tables, columns={"A": ("a",)}), cells, name="two", where="cells.csv")


def test_one_task_in_two_rows_of_one_label() -> None:
    run = RunResult("a", {"mmlu": result("mmlu", 5), "mmlu_zero": result("mmlu_zero")})
    found = sections([run], [two_rows()])
    assert [[(entry.label, entry.first.task) for entry in section.entries] for section in found] == [
        [("MMLU", "mmlu"), ("MMLU", "mmlu_zero")],
        [("MMLU", "mmlu")],
    ]
    # The score that is in two tables is one score; labels are distinguished where they are together.
    assert [entry.label for entry in distinct(found)] == ["MMLU, 5-shot", "MMLU, 0-shot"]
    report = build([run], [two_rows()])
    assert [[row[8].text for row in table.rows] for table in report.comparison] == [["reproduced", "within noise"], ["reproduced"]]


def test_several_cards_in_one_report(make: SimpleNamespace) -> None:
    run = make.run(make.task("hellaswag", **{"n_docs": 200, "n_total": 200}), make.task("mine"), model="alpha")
    other = replace(make.card_of(edition="second edition"), name="other")
    report = build([run], [make.card, other])
    assert [table.title for table in report.comparison] == [
        "tiny card (first edition): English / Code / Math",
        "tiny card (second edition): English / Code / Math",
        "Other tasks",
    ]
    assert len({detail.label for detail in report.details}) == len(report.details) == 3
    assert build([run]).comparison[0].title == "Measured scores"


def test_a_card_may_name_the_column(make: SimpleNamespace) -> None:
    run = make.run(model="checkpoint-7")
    assert make.card.columns_of(run) == ()
    told = replace(run, manifest={"config": {"card": {"name": "tiny", "column": "Beta-12B-Instruct"}}})
    assert make.card.columns_of(told) == ("Beta-12B-Instruct",)
    assert msgspec.structs.asdict(make.card.about)["columns"] == {"Alpha-7B": ("alpha",)}
