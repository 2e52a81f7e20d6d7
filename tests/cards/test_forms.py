"""Two forms of one benchmark: both in the card's row, side by side, never in one cell."""

from __future__ import annotations

from dataclasses import replace

from evalkit.report import load_card
from evalkit.report.frame import to_frame
from evalkit.report.rows import sections
from evalkit.results import RunResult, TaskResult
from evalkit.types import Summary


def result(task: str, card_row: str = "") -> TaskResult:
    summary = Summary("acc", 0.5, 0.1, (0.3, 0.7), 10, signature="acc")
    return TaskResult(task, "acc", 0, 1, {"acc": summary}, 10, 10, card_row=card_row)


GEN, RANKED = result("indic_xnli"), result("indic_xnli_logprob", "indic_xnli")


def test_both_forms_stand_in_the_cards_row_order() -> None:
    tasks = (RANKED, result("indic_copa_cloze", "indic_copa"), GEN, result("mine"))
    run = RunResult("m", {task.task: task for task in tasks})
    found = sections([run], load_card())
    assert [section.title for section in found] == ["Indic", "Other tasks"]
    assert [entry.label for entry in found[0].entries] == ["IndicCOPA (cloze)", "IndicXNLI", "IndicXNLI (logprob)"]
    assert all(entry.row is not None and entry.row.cells for entry in found[0].entries)
    assert [entry.label for entry in found[1].entries] == ["mine"]


def test_a_chat_model_and_a_base_model_do_not_share_a_row() -> None:
    runs = [RunResult("chat", {"indic_xnli": GEN}), RunResult("base", {"indic_xnli_logprob": RANKED})]
    entries = sections(runs, load_card())[0].entries
    assert [(entry.label, [r is not None for r in entry.results]) for entry in entries] == [
        ("IndicXNLI", [True, False]),
        ("IndicXNLI (logprob)", [False, True]),
    ]
    frame = to_frame(runs, load_card())
    assert set(frame["benchmark"]) == {"IndicXNLI"} and set(frame["card: Krutrim-2-12B"]) == {0.55}


def test_documents_set_apart_are_no_gap_in_coverage() -> None:
    apart = replace(GEN, summaries={"acc": replace(GEN.score, n=7, n_apart=3)})
    assert apart.coverage == 1 and GEN.coverage == 1
