"""What is in the tables: rows, marks, warnings, and what may not share a row."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from evalkit import numbers
from evalkit.report import build
from evalkit.report.table import Footnotes, Table


def texts(table: Table, row: int = 0) -> list[str]:
    return [cell.text for cell in table.rows[row]]


def test_one_run_beside_the_card(make: SimpleNamespace) -> None:
    table = build([make.run(make.task())], [make.card]).comparison[0]
    assert [c.title for c in table.columns] == [
        *("Benchmark", "Shots", "Metric", "n", "tiny-model", "Coverage"),
        *("Alpha-7B", "Beta-12B-Instruct"),
    ]
    assert texts(table) == ["Hellaswag", "0", "acc_norm", "200", "0.425 [0.359, 0.494]", "2.0%", "0.70", "0.95"]
    assert table.rows[0][-1].marks == ("a",) and table.footnotes == (("a", "the card's note: 10-shot"),)


def test_only_measured_rows_in_the_cards_order_then_other_tasks(make: SimpleNamespace) -> None:
    gsm = make.task("gsm8k", make.summary("exact_match", 0.0, 40, ci=(0.0, 0.0876)), n_docs=40, n_total=1319)
    report = build([make.run(make.task("mine"), gsm, make.languages(), make.task())], [make.card])
    assert [(t.title, [row[0].text for row in t.rows]) for t in report.comparison] == [
        ("English / Code / Math", ["Hellaswag", "GSM8K"]),
        ("Indic", ["Flores en-xx"]),
        ("Other tasks", ["mine"]),
    ]
    assert texts(report.comparison[0], 1)[-4:] == ["0.000 [0.000, 0.088]", "3.0%", "-", "TBD"]


def test_remarks_and_other_shots_are_marked(make: SimpleNamespace) -> None:
    scored = make.summary("acc_norm", 0.4, 198, n_not_measured=2, n_invalid=3)
    result = make.task("hellaswag", scored, num_fewshot=5, counts={"truncated": 7, "length": 1, "empty": 4, "error": 2, "invalid": 3})
    table = build([make.run(result)], [make.card]).comparison[0]
    notes = dict(table.footnotes)
    assert notes[table.rows[0][1].marks[0]] == "the card says 0 shots"
    said = notes[table.rows[0][4].marks[0]]
    for part in ("of 200 documents", "3 invalid", "7 cut on the left", "1 stopped at the token limit", "4 empty", "2 not measured"):
        assert part in said


def test_sample_rows_are_said_once_where_all_are_and_in_the_row_where_some_are(make: SimpleNamespace) -> None:
    report = build([make.run(make.task(sample_rows=True))], [make.card])
    assert report.measures is not None
    for table in (report.comparison[0], report.measures):
        assert table.title.endswith("(sample rows, not the benchmark)") and not table.rows[0][0].below
    assert report.warnings == ("tiny-model: sample rows, not the benchmark: hellaswag",)
    mixed = build([make.run(make.task(sample_rows=True), make.task("mine"))])
    assert mixed.measures is not None
    for table in (mixed.comparison[0], mixed.measures):
        below = {row[0].text: row[0].below for row in table.rows if row[0].text}
        assert "sample rows" not in table.title and below == {"hellaswag": "sample rows", "mine": ""}


def test_a_note_of_several_rows_stands_once(make: SimpleNamespace) -> None:
    tasks = [make.task(name, notes=("asked in chat", f"{name}: its own", *(["lacks hi"] if name != "c" else []))) for name in "abc"]
    every, several, *rows = build([make.run(*tasks)]).details
    assert every.label == "All rows" and "asked in chat" in every.lines
    assert several.label == "Several rows" and several.lines == ("lacks hi (all but c)",)
    assert [row.label for row in rows] == ["a", "b", "c"] and all("asked in chat" not in row.lines for row in rows)
    assert all(f"{row.label}: its own" in row.lines for row in rows)


def test_a_task_without_rows_stands_in_the_row_of_the_run_that_has_them(make: SimpleNamespace) -> None:
    gone = make.task("hellaswag", make.summary("acc_norm", None, 0, ci=None, stderr=None, signature="", note="no rows: x"), n_docs=0)
    for runs in ([make.run(gone), make.run(make.task(sample_rows=True))], [make.run(make.task(sample_rows=True)), make.run(gone)]):
        (row,) = build(runs, [make.card]).comparison[0].rows
        assert row[0].text == "Hellaswag" and any(cell.text == "not measured" for cell in row)


def test_an_unfinished_run_says_what_is_missing(make: SimpleNamespace) -> None:
    report = build([make.run(make.task(n_docs=300), complete=False)], [make.card])
    assert "unfinished" in report.warnings[0] and "hellaswag 200 of 300" in report.warnings[0]
    assert report.comparison[0].columns[4].title == "tiny-model (unfinished)"


def test_nothing_measured_is_never_zero(make: SimpleNamespace) -> None:
    report = build([make.run(make.task("hellaswag", make.summary("acc", None, 0, ci=None, stderr=None)))], [make.card])
    assert texts(report.comparison[0])[3:6] == ["0", "not measured", "0%"]
    assert build([make.run()], [make.card]).warnings == ("tiny-model: no benchmark was measured",)
    assert build([], [make.card]).tables == ()


def test_too_few_documents_print_the_score_alone_and_say_so(make: SimpleNamespace) -> None:
    few = {"ci": None, "stderr": None, "no_interval": "too few documents for an interval (fewer than two in 1 of 2 languages)"}
    group = make.summary("chrF++", 0.122, 1, ci=None, stderr=None, no_interval="too few documents for an interval")
    found = make.task(
        "flores_in_en_xx",
        make.summary("chrF++", 0.122, 3, groups={"hi": group, "ta": make.summary("chrF++")}, **few),
        n_docs=3,
        num_fewshot=1,
    )
    report = build([make.run(found)], [make.card])
    assert texts(report.comparison[0])[4] == "0.122" and report.measures is not None
    assert [text for _, text in report.comparison[0].footnotes] == [f"of 3 documents: {few['no_interval']}"]
    assert texts(report.measures)[3] == "0.122" and report.measures.footnotes == (("a", few["no_interval"]),)
    (by_language,) = report.breakdowns
    assert [texts(by_language, row)[2] for row in (0, 1)] == ["0.122", "0.425 [0.359, 0.494]"]
    assert by_language.footnotes == (("a", "too few documents for an interval"),)
    # A score that was to have none.
    plain = build([make.run(make.task("hellaswag", make.summary("acc", ci=None, stderr=None)))], [make.card])
    assert plain.comparison[0].footnotes[0][1].endswith(": no interval")


def test_runs_of_one_protocol_share_a_row(make: SimpleNamespace) -> None:
    other = make.run(make.task(n_docs=100), model="other")
    table = build([make.run(make.task()), other], [make.card]).comparison[0]
    assert len(table.rows) == 1
    assert [c.title for c in table.columns if c.ours] == ["tiny-model", "other"]


@pytest.mark.parametrize(
    ("change", "said", "label"),
    [
        ({"version": 2}, "task version 2, not 1", "Hellaswag (v2)"),
        ({"num_fewshot": 10}, "10-shot, not 0-shot", "Hellaswag (10-shot)"),
        ({"headline": "acc"}, "metric acc, not acc_norm", "Hellaswag (acc, signature 2)"),
        ({"sample_rows": True}, "sample rows, not rows of the benchmark", "Hellaswag (samples)"),
    ],
)
def test_other_protocols_get_their_own_row_and_say_why(make: SimpleNamespace, change: dict[str, Any], said: str, label: str) -> None:
    runs = [make.run(make.task()), make.run(replace(make.task(), **change), model="other")]
    table = build(runs, [make.card]).comparison[0]
    assert len(table.rows) == 2 and table.rows[1][0].text == label
    assert texts(table)[5] == "not run" and texts(table, 1)[4] == "not run"
    note = dict(table.footnotes)[table.rows[1][0].marks[0]]
    assert note.startswith("not in one row with tiny-model: ") and said in note


def test_different_signatures_do_not_share_a_row(make: SimpleNamespace) -> None:
    runs = [make.run(make.task("x", make.summary("acc", signature=s)), model=s) for s in ("one", "two")]
    table = build(runs, [make.card]).comparison[0]
    assert [row[0].text for row in table.rows] == ["x (signature 1)", "x (signature 2)"]
    assert table.footnotes[0][1] == "not in one row with one: signature two, not one"


def test_different_rows_are_named(make: SimpleNamespace) -> None:
    runs = [make.run(make.task(rows_sha256=s * 64), model=s) for s in ("a", "b")]
    assert "read different rows (sha256 aaaaaaaaaaaa, bbbbbbbbbbbb)" in build(runs, [make.card]).comparison[0].footnotes[0][1]


def test_one_model_twice_is_told_apart(make: SimpleNamespace) -> None:
    table = build([make.run(make.task()), make.run(make.task())], [make.card]).comparison[0]
    assert [c.title for c in table.columns if c.ours] == ["tiny-model #1", "tiny-model #2"]


def test_measures_hold_macro_categories_and_secondary_metrics(make: SimpleNamespace) -> None:
    groups = {"algebra": make.summary(n=3), "law": make.summary(n=4)}
    result = make.task("m", make.summary("acc", groups=groups, macro=0.5), categories={"acc": {"stem": make.summary(n=3)}})
    report = build([make.run(result, make.task(), make.languages())], [make.card])
    assert report.measures is not None
    assert [(row[0].text, row[1].text) for row in report.measures.rows] == [
        *(("Hellaswag", "acc_norm"), ("", "acc")),
        *(("Flores en-xx", "chrF++"), ("", "chrF++, macro over 2 languages")),
        *(("m", "acc"), ("", "acc, macro over 2 groups"), ("", "acc, stem")),
    ]
    assert [t.title for t in report.breakdowns] == ["Flores en-xx: chrF++ by language", "m: acc by group"]


def test_numbers_claim_no_more_than_is_known() -> None:
    assert [numbers.coverage(x) for x in (0, 0.0001, 0.5, 0.9996, 1.0)] == ["0%", "<0.1%", "50.0%", ">99.9%", "100%"]
    assert numbers.score(36.512) == "36.51"


def test_footnote_letters_go_on_after_z() -> None:
    notes = Footnotes()
    assert [notes.mark(str(i))[0] for i in range(28)][-3:] == ["z", "aa", "ab"]
    assert notes.mark("0") == ("a",) and notes.mark("") == ()
