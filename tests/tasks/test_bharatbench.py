"""BharatBench's rows come from users: every wrong one is named by file, line, field and value, with what to write instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.data import DataSpec, HubSource, Loaded, LocalSource, SamplesSource, load
from evalkit.data.auto import AutoSource
from evalkit.errors import DataError
from evalkit.tasks import bharatbench

BASE = {"id": "x", "language": "hi", "split": "test"}
USER, BOT = {"role": "user", "content": "क?"}, {"role": "assistant", "content": "ख।"}
ROWS: dict[str, dict[str, Any]] = {
    "indian_cultural_context": {**BASE, "question": "क्या?", "reference": "यह।", "category": "food"},
    "grammar_correction": {**BASE, "incorrect": "क", "correct": ["ख", "ग"]},
    "multi_turn": {**BASE, "messages": [USER, BOT, USER], "reference": "ग"},
    "multi_turn_comprehension": {**BASE, "passage": "प", "messages": [USER], "reference": "ग"},
    "multi_turn_translation": {**BASE, "target_language": "en", "messages": [USER], "reference": "g"},
    "text_classification": {**BASE, "text": "क", "labels": ["ख", "ग"], "label": "ग"},
    "ner": {**BASE, "text": "रवि गया।", "types": ["PER"], "entities": [{"text": "रवि", "type": "PER"}]},
}


def spec(task: str, **more: Any) -> DataSpec:
    base = {"path": "BharatBench", "split": "test", "to_doc": f"evalkit.tasks.bharatbench.{task}"}
    return DataSpec(**{**base, "one_file": True, "any_languages": True, "language_field": "language", "private": "is not public", **more})


def read(root: Path, task: str, languages: tuple[str, ...] = ("hi", "ta"), **more: Any) -> Loaded:
    return load(f"bharatbench_{task}", spec(task, **more), LocalSource(str(root)), languages, want_shots="fewshot_split" in more)


def put(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("task", ROWS)
def test_a_right_row_is_read(task: str) -> None:
    doc = getattr(bharatbench, task)(ROWS[task])
    assert doc.language == "hi" and doc.fields["language_name"] == "Hindi" and doc.target not in (None, "", ())


@pytest.mark.parametrize(
    ("task", "change", "words"),
    [
        ("indian_cultural_context", {"question": " "}, "field 'question': ' ' is not a text with something in it"),
        ("indian_cultural_context", {"reference": []}, "field 'reference': [] is neither a text nor a list of texts"),
        ("grammar_correction", {"correct": ["ख", 3]}, "field 'correct': ['ख', 3] is neither"),
        ("multi_turn", {"messages": [USER, BOT]}, "field 'messages': 'ख।' ends without a user turn"),
        ("multi_turn", {"messages": [USER, USER]}, "field 'messages.role': 'user' where the assistant's turn should be"),
        ("multi_turn", {"messages": [{"role": "user"}]}, "field 'messages.content': None is not a text"),
        ("multi_turn", {"messages": [{"role": "system"}, USER]}, "field 'messages.content': None is not a text"),
        ("multi_turn", {"messages": "क"}, "field 'messages': 'क' is not a list of turns"),
        ("multi_turn_comprehension", {"passage": None}, "field 'passage': None"),
        ("multi_turn_translation", {"target_language": "xx"}, "field 'target_language': 'xx' is not a known language code"),
        ("text_classification", {"label": "घ"}, "field 'label': 'घ' is not one of the labels; write one of ख, ग"),
        ("text_classification", {"labels": ["ख", "ख"]}, "two or more different texts"),
        ("ner", {"entities": [{"text": "मोहन", "type": "PER"}]}, "field 'entities.text': 'मोहन' is not in the sentence"),
        ("ner", {"entities": [{"text": "रवि", "type": "LOC"}]}, "field 'entities.type': 'LOC' is not one of the types; write one of PER"),
        ("ner", {"entities": [{"text": "रवि", "label": "PER"}]}, "field 'entities.type': None is not a text"),
        ("ner", {"types": ["PER", "PER"]}, "field 'types': ['PER', 'PER'] is not a list of different texts"),
        ("ner", {"id": ""}, "field 'id': ''"),
        ("text_classification", {"labels": ["Sport", "sport."], "label": "Sport"}, "(capitals and final marks make no difference)"),
    ],
)
def test_a_wrong_row_is_named_by_file_line_field_value_and_mend(tmp_path: Path, task: str, change: dict[str, Any], words: str) -> None:
    path = put(tmp_path / f"bharatbench_{task}/hi/test.jsonl", ROWS[task], {**ROWS[task], **change})
    with pytest.raises(DataError) as caught:
        read(tmp_path, task)
    message = str(caught.value)
    assert message.startswith(f"task bharatbench_{task}: {path}:2: ") and words in message and "\n" not in message


def test_an_id_stands_for_one_row_of_a_file(tmp_path: Path) -> None:
    path = put(tmp_path / "bharatbench_ner/hi/test.jsonl", ROWS["ner"], {**ROWS["ner"], "id": "y"}, ROWS["ner"], ROWS["ner"])
    with pytest.raises(DataError) as caught:
        read(tmp_path, "ner", unique="id")
    said = f"{path}:3: field 'id': 'x' is that of row 1 too; give every row its own (1 more rows are wrong: 4)"
    assert str(caught.value) == f"task bharatbench_ner: {said}"
    put(tmp_path / "bharatbench_ner/ta/test.jsonl", {**ROWS["ner"], "language": "ta"})
    put(path, ROWS["ner"])
    assert len(read(tmp_path, "ner", unique="id").docs) == 2


def test_an_entity_may_spell_nukta_letters_the_other_way() -> None:
    row = {**ROWS["ner"], "text": "\u0958मर गया।", "entities": [{"text": "\u0915\u093cमर", "type": "PER"}]}
    assert bharatbench.ner(row).target == "PER: \u0915\u093cमर"


def test_every_row_is_checked_and_the_lines_of_all_wrong_ones_are_given(tmp_path: Path) -> None:
    bad = {**ROWS["ner"], "types": []}
    put(tmp_path / "bharatbench_ner/hi/test.jsonl", bad, ROWS["ner"], bad, bad)
    with pytest.raises(DataError, match=r"test.jsonl:1: field 'types'.* \(2 more rows are wrong: 3, 4\)$"):
        read(tmp_path, "ner")


def test_a_missing_field_lists_what_the_row_has(tmp_path: Path) -> None:
    put(tmp_path / "bharatbench_ner/hi/test.jsonl", {"id": "x", "language": "hi", "text": "क"})
    with pytest.raises(DataError, match=r":1: no field 'types'; the row has: id, language, text"):
        read(tmp_path, "ner")


def layouts(row: dict[str, Any]) -> dict[str, Callable[[Path], Path]]:
    tamil, shot = {**row, "language": "ta"}, {**row, "id": "shot", "split": "dev"}
    every = (row, tamil, shot, {**shot, "language": "ta"})

    def folders(root: Path) -> Path:
        for language in ("hi", "ta"):
            for split in ("test", "dev"):
                put(root / f"bharatbench_ner/{language}/{split}.jsonl", {**row, "language": language, "split": split})
        return root

    return {
        "a folder a language": folders,
        "one file": lambda root: put(root / "bharatbench_ner.jsonl", *every).parent,
        "the file itself": lambda root: put(root / "anything.jsonl", *every),
    }


@pytest.mark.parametrize("layout", layouts({}))
def test_layouts(tmp_path: Path, layout: str) -> None:
    root = layouts(ROWS["ner"])[layout](tmp_path)
    loaded = read(root, "ner", ("hi", "bn", "ta"), fewshot_split="dev")
    assert [doc.language for doc in loaded.docs] == ["hi", "ta"] == [doc.language for doc in loaded.pool]
    assert loaded.notes == ("languages without rows here, left out: bn",)


def test_a_row_of_another_language_or_split_in_a_file_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "bharatbench_ner/hi/test.jsonl", {**ROWS["ner"], "language": "ta"})
    with pytest.raises(DataError, match=r":1: field 'language': 'ta' among the rows of 'hi'"):
        read(tmp_path, "ner", ("hi",))
    put(tmp_path / "bharatbench_ner/hi/test.jsonl", {**ROWS["ner"], "split": "dev"})
    with pytest.raises(DataError, match=r":1: split 'dev' in a file of split 'test'"):
        read(tmp_path, "ner", ("hi",))


def test_no_language_at_all_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "bharatbench_ner/kn/test.jsonl", ROWS["ner"])
    with pytest.raises(DataError, match=r"no file .*/bharatbench_ner/hi/test.jsonl; .*bharatbench_ner has: kn"):
        read(tmp_path, "ner")


def test_without_a_folder_the_default_source_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="task bharatbench_ner: BharatBench is not public"):
        load("bharatbench_ner", spec("ner"), AutoSource(), ("hi",), want_shots=False)
    put(tmp_path / "bharatbench_ner/hi/test.jsonl", ROWS["ner"])
    made = spec("ner", root=str(tmp_path))
    for source in (AutoSource(), HubSource(), LocalSource(str(tmp_path / "others")), SamplesSource()):
        loaded = load("bharatbench_ner", made, source, ("hi",), want_shots=False)
        assert len(loaded.docs) == 1 and not loaded.sample_rows, "the folder given for these tasks is read, whatever the others read"


def test_the_folder_is_given_once_for_all_seven(tmp_path: Path) -> None:
    from evalkit.config.compose import compose
    from evalkit.config.setup import build

    parts = build(compose(["suite=bharatbench", f"bharatbench={tmp_path}"]))
    assert len(parts.tasks) == 7 and {made.data.root for made in parts.tasks.values()} == {str(tmp_path)}
    own = build(compose(["suite=bharatbench", "tasks.bharatbench_ner.data.root=rows.jsonl"]))
    assert {name: made.data.root for name, made in own.tasks.items() if made.data.root} == {"bharatbench_ner": "rows.jsonl"}


@pytest.mark.parametrize("task", ROWS)
def test_samples_are_enough(task: str) -> None:
    few = {"grammar_correction": 5, "text_classification": 5, "ner": 5}.get(task, 0)
    languages = ("as", "bn", "gu", "hi", "kn", "ml", "mr", "or", "pa", "ta", "te")
    made = spec(task, **({"fewshot_split": "dev"} if few else {}))
    loaded = load(f"bharatbench_{task}", made, SamplesSource(), languages, want_shots=few > 0)
    by_language = {code: sum(doc.language == code for doc in loaded.docs) for code in languages}
    assert len(loaded.docs) >= 24 and sum(n > 0 for n in by_language.values()) >= 6
    assert all(sum(shot.language == code for shot in loaded.pool) >= few for code, n in by_language.items() if n)
    assert loaded.sample_rows and "left out" in loaded.notes[0]
