"""The shipped samples: enough of them, in the schema their tasks read, and never mistaken for the benchmark."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from evalkit.data import DataSpec, Loaded, SamplesSource, load
from evalkit.data.samples import shipped
from evalkit.errors import DataError

INDIC = {  # language -> first and last code point of its script
    "as": (0x0980, 0x09FF), "bn": (0x0980, 0x09FF), "gu": (0x0A80, 0x0AFF), "hi": (0x0900, 0x097F), "kn": (0x0C80, 0x0CFF),
    "ml": (0x0D00, 0x0D7F), "mr": (0x0900, 0x097F), "or": (0x0B00, 0x0B7F), "pa": (0x0A00, 0x0A7F), "ta": (0x0B80, 0x0BFF),
    "te": (0x0C00, 0x0C7F), "ur": (0x0600, 0x06FF),
}  # fmt: skip
TASKS = [  # task, module.function, evaluated split, few-shot split, fewest shots
    ("hellaswag", "hellaswag.to_doc", "validation", None, 0),
    ("winogrande", "winogrande.to_doc", "validation", None, 0),
    ("openbookqa", "labelled.to_doc", "test", None, 0),
    ("commonsense_qa", "labelled.to_doc_commonsense_qa", "validation", None, 0),
    ("truthfulqa", "truthfulqa.to_doc", "validation", None, 0),
    ("mmlu", "mmlu.to_doc", "test", "dev", 20),
    ("triviaqa", "triviaqa.to_doc", "validation", "train", 6),
    ("gsm8k", "gsm8k.to_doc", "test", "train", 6),
    ("nq_open", "nq_open.to_doc", "validation", "train", 6),
    ("arc_challenge", "labelled.to_doc", "test", None, 0),
    ("arc_easy", "labelled.to_doc", "test", None, 0),
]


def read(task: str, to_doc: str, split: str, shots: str | None, languages: tuple[str, ...] = (), folder: str | None = None) -> Loaded:
    spec = DataSpec(path="org/x", split=split, to_doc=f"evalkit.tasks.{to_doc}", fewshot_split=shots, folder=folder)
    return load(task, spec, SamplesSource(), languages, want_shots=shots is not None)


@pytest.mark.parametrize(("task", "to_doc", "split", "shots", "fewest"), TASKS)
def test_enough_rows_that_their_task_reads(task: str, to_doc: str, split: str, shots: str | None, fewest: int) -> None:
    loaded = read(task, to_doc, split, shots)
    assert len(loaded.docs) >= 12 and len(loaded.pool) >= fewest and loaded.n_dropped == 0
    assert loaded.sample_rows and loaded.where == "sample rows, not the benchmark"
    for doc in loaded.docs:
        right = doc.target if isinstance(doc.target, tuple) else (doc.target,)
        assert not doc.choices or all(0 <= index < len(doc.choices) for index in right)


def test_arc_samples_are_as_odd_as_its_rows() -> None:
    docs = [doc for name in ("arc_easy", "arc_challenge") for doc in read(name, "labelled.to_doc", "test", None).docs]
    assert {len(doc.choices) for doc in docs} == {3, 4, 5}
    assert any(doc.fields["choices"]["label"][0] == "1" for doc in docs)


def test_mmlu_has_five_shots_for_each_of_four_subjects() -> None:
    loaded = read("mmlu", "mmlu.to_doc", "test", "dev")
    subjects = {doc.group for doc in loaded.docs}
    assert len(subjects) >= 4
    assert all(sum(shot.group == subject for shot in loaded.pool) == 5 for subject in subjects)


@pytest.mark.parametrize("direction", ["en_xx", "xx_en"])
def test_flores_in_has_twelve_languages(direction: str) -> None:
    loaded = read(f"flores_in_{direction}", f"flores_in.to_doc_{direction}", "test", "dev", tuple(INDIC), folder="flores_in")
    for language, (first, last) in INDIC.items():
        docs = [doc for doc in loaded.docs if doc.language == language]
        assert len(docs) >= 8 and sum(doc.language == language for doc in loaded.pool) >= 2
        for doc in docs:
            text = doc.fields["target" if direction == "en_xx" else "source"]
            letters = [ch for ch in text if unicodedata.category(ch)[0] in "LM"]
            assert all(first <= ord(ch) <= last or ch in "\u200c\u200d" for ch in letters), (language, text)
            assert unicodedata.is_normalized("NFC", text)


def test_files_are_small_and_every_line_is_an_object() -> None:
    for path in shipped().rglob("*.jsonl"):
        assert path.stat().st_size < 20_000, path
        assert all(isinstance(json.loads(line), dict) for line in path.read_text(encoding="utf-8").splitlines()), path


def test_a_task_without_samples_says_so(tmp_path: Path) -> None:
    spec = DataSpec(path="org/x", split="test", to_doc="m.f")
    with pytest.raises(DataError, match=r"no file .*unheard_of"):
        SamplesSource().rows("unheard_of", spec, "test")
    (tmp_path / "unheard_of").mkdir()
    (tmp_path / "unheard_of/test.jsonl").write_text('{"q": 1}\n')
    found = SamplesSource(str(tmp_path)).rows("unheard_of", spec, "test")
    assert found.sample_rows and found.rows == [{"q": 1}]
