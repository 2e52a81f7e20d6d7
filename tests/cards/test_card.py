"""A card's two files, read together, and what a damaged one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.cards import card_folders, card_names, find_card, load_card, nodes
from evalkit.errors import ConfigError, DataError

CARD = """
title: My card
edition: first
source: my own page
subject: A
columns: {A: [fake]}
tables:
  main:
    title: Main
    rows:
      mmlu: {label: MMLU, metric: acc, printed_metric: Accuracy, shots: 5}
      zero: {label: MMLU, task: mmlu, as: mmlu_zero, shots: 0, overrides: {num_fewshot: 0}}
      piqa: {label: PIQA, task: null, not_comparable: "there is no task for it"}
  more:
    title: More
    rows:
      xnli: {label: XNLI, task: indic_xnli, forms: {base: indic_xnli_logprob}}
suites:
  mine: {description: "all of it"}
  mine_base: {description: "for base models", tables: [more], form: base}
"""
CELLS = """table,row,column,score,note
main,mmlu,A,0.70,
main,mmlu,B,,TBD
main,zero,A,0.60,
main,zero,B,0.50,10-shot
main,piqa,A,0.80,
main,piqa,B,,-
more,xnli,A,0.40,
"""


def write(folder: Path, card: str = CARD, cells: str = CELLS) -> Path:
    folder.mkdir(parents=True)
    (folder / "card.yaml").write_text(card, encoding="utf-8")
    (folder / "cells.csv").write_text(cells, encoding="utf-8")
    return folder


def test_both_files_make_the_card(tmp_path: Path) -> None:
    card = load_card(write(tmp_path / "mine"))
    assert (card.name, card.heading, card.columns) == ("mine", "My card (first)", ("A", "B"))
    assert [(table.key, table.columns, [row.label for row in table.rows]) for table in card.tables] == [
        ("main", ("A", "B"), ["MMLU", "MMLU", "PIQA"]),
        ("more", ("A",), ["XNLI"]),
    ]
    mmlu, zero, piqa = card.tables[0].rows
    assert (mmlu.task, mmlu.instance, zero.task, zero.instance, piqa.task) == ("mmlu", "mmlu", "mmlu", "mmlu_zero", None)
    assert [(cell.text, cell.value, cell.rounding) for cell in mmlu.cells] == [("0.70", 0.7, 0.005), ("TBD", None, 0.5)]


def test_what_to_run_is_data(tmp_path: Path) -> None:
    made = nodes(load_card(write(tmp_path / "mine")))
    assert list(made) == [("card", "mine"), ("suite", "mine"), ("suite", "mine_base")]
    whole, base = made["card", "mine"], made["suite", "mine_base"]
    assert whole["defaults"] == [
        *({"/task@tasks.mmlu": "mmlu"}, {"/task@tasks.mmlu_zero": "mmlu"}, {"/task@tasks.indic_xnli": "indic_xnli"}, "_self_"),
    ]
    assert whole["tasks"]["mmlu_zero"] == {"name": "mmlu_zero", "num_fewshot": 0}
    assert whole["card"]["rows"] == {"mmlu": ["main"], "mmlu_zero": ["main"], "indic_xnli": ["more"]}
    assert base["defaults"] == [{"/task@tasks.indic_xnli_logprob": "indic_xnli_logprob"}, "_self_"]


def test_a_card_is_found_by_name_or_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "conf" / "card" / "mine")
    folders = card_folders([tmp_path / "conf"])
    assert card_names(folders)["mine"] == folder and find_card("mine", folders).name == "mine"
    assert find_card(str(folder)).name == "mine"
    with pytest.raises(ConfigError, match="did you mean mine"):
        find_card("mines", folders)
    write(tmp_path / "conf" / "card" / "krutrim2")
    with pytest.raises(ConfigError, match="two cards are named krutrim2"):
        card_names(folders)


def test_another_edition_is_read_over_a_card(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    later = "like: mine\nedition: second\ntables: {main: {rows: {mmlu: {label: MMLU v2}}}}\n"
    card = load_card(write(tmp_path / "later", later))
    assert (card.title, card.about.edition, card.about.suites) == ("My card", "second", {})
    assert (card.tables[0].rows[0].label, card.tables[0].rows[0].about.shots) == ("MMLU v2", 5)
    with pytest.raises(DataError, match="like: nobody is no other card"):
        load_card(write(tmp_path / "odd", "like: nobody\n"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("metric: acc,", "metrics: acc,", r"card\.yaml: tables\.main\.rows\.mmlu: .*unknown field `metrics`; did you mean metric"),
        ("shots: 5", "shots: many", r"card\.yaml: tables\.main\.rows\.mmlu\.shots: .*int"),
        ("subject: A", "subject: C", r"subject: 'C' is no column of cells\.csv"),
        ("{A: [fake]}", "{C: [fake]}", r"columns: 'C' is no column"),
        ("tables: [more]", "tables: [mor]", r"suites\.mine_base: there is no table 'mor'; did you mean more"),
        ("form: base", "form: bass", r"suites\.mine_base: no row has a form 'bass'; did you mean base"),
        ("not_comparable", "caveat", r"rows\.piqa: task is null, so nothing measures the row; say why in not_comparable"),
        ("as: mmlu_zero, ", "", r"rows\.zero: mmlu has another task or other overrides"),
        ("title: My card", "titel: My card", r"card\.yaml: .*(unknown field|missing required)"),
        ("edition: first", "edition: [", r"card\.yaml cannot be read"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in CARD
    with pytest.raises(DataError, match=said):
        load_card(write(tmp_path / "x", CARD.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("a,b\n", r"cells\.csv:1: columns are a,b"),
        (CELLS.replace("main,mmlu,A,0.70,", "main,mmlu,A"), r"cells\.csv:2: 3 fields"),
        (CELLS.replace("0.70", "seventy"), r"cells\.csv:2: score='seventy'"),
        (CELLS.replace("0.70", ""), r"cells\.csv:2: neither score nor note"),
        (CELLS + "main,mmlu,A,0.70,\n", r"cells\.csv:9: a second cell for main, mmlu, A"),
        (CELLS.replace("main,mmlu,A", "man,mmlu,A"), r"cells\.csv:2: table='man' is not in card\.yaml; did you mean main"),
        (CELLS.replace("main,mmlu,A", "main,mmla,A"), r"cells\.csv:2: row='mmla' is not in table main.*did you mean mmlu"),
        (CELLS.replace("main,zero,B,0.50,10-shot\n", ""), r"no cell of main, zero for B"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, cells: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        load_card(write(tmp_path / "x", cells=cells))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "x")
    (folder / "cells.csv").unlink()
    with pytest.raises(DataError, match=r"cannot read published scores .*cells\.csv"):
        load_card(folder)
