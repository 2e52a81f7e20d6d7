"""Mirrors: what is written, what is skipped, what a reader is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evalkit.data import DataSpec, LocalSource, Rows, SplitNotCarried
from evalkit.data.pull import pull
from evalkit.errors import DataError


@dataclass(frozen=True)
class Quiz:
    data: DataSpec
    name: str = "quiz"
    languages: Sequence[str] = ()


@dataclass
class Counting:
    """A source that counts what it is asked for."""

    sample_rows: bool = False
    lacks: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
        self.asked.append((split, language))
        if split == self.lacks:
            raise SplitNotCarried(f"the wheel x 1 carries no {split} split")
        return Rows([{"q": f"{split} {language} é\u2028"}], f"org/x@aaaa {split}", revision="a" * 40, sample_rows=self.sample_rows)


def spec(**more: str) -> DataSpec:
    return DataSpec(path="org/x", split="test", to_doc="m.f", fewshot_split="dev", **more)  # type: ignore[arg-type]


def test_writes_every_needed_split_and_a_second_pull_asks_for_nothing(tmp_path: Path) -> None:
    source, said = Counting(), list[str]()
    task = Quiz(spec(), languages=("hi", "ta"))
    files = pull([task], source, tmp_path, said.append)
    assert [str(path.relative_to(tmp_path)) for path in files] == [
        f"quiz/{language}/{split}.jsonl" for split in ("test", "dev") for language in ("hi", "ta")
    ]
    assert len(said) == 4 and "1 rows from org/x@aaaa test" in said[0]
    read = LocalSource(str(tmp_path)).rows("quiz", task.data, "test", "hi")
    assert read.rows == [{"q": "test hi é\u2028"}] and read.revision == "a" * 40
    assert pull([task], source, tmp_path, said.append) == files
    assert len(source.asked) == 4 and said[-1].endswith("already there")
    assert not list(tmp_path.rglob(".pull-*"))


def test_damaged_or_outdated_files_are_pulled_again(tmp_path: Path) -> None:
    source = Counting()
    (path, _) = pull([Quiz(spec())], source, tmp_path, lambda line: None)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    pull([Quiz(spec())], source, tmp_path, lambda line: None)
    assert path.read_bytes() == whole and len(source.asked) == 3
    pull([Quiz(spec(revision="b" * 40))], source, tmp_path, lambda line: None)
    assert len(source.asked) == 5


def test_sample_rows_stay_sample_rows_and_give_way(tmp_path: Path) -> None:
    pull([Quiz(spec())], Counting(sample_rows=True), tmp_path, lambda line: None)
    assert LocalSource(str(tmp_path)).rows("quiz", spec(), "test").sample_rows
    pull([Quiz(spec())], Counting(), tmp_path, lambda line: None)
    assert not LocalSource(str(tmp_path)).rows("quiz", spec(), "test").sample_rows


def test_a_split_the_source_lacks_is_recorded_and_read_as_lacking(tmp_path: Path) -> None:
    said = list[str]()
    assert len(pull([Quiz(spec())], Counting(lacks="dev"), tmp_path, said.append)) == 1
    assert "left out" in said[1]
    with pytest.raises(SplitNotCarried, match="carries no dev split"):
        LocalSource(str(tmp_path)).rows("quiz", spec(), "dev")
    with pytest.raises(SplitNotCarried):
        pull([Quiz(spec(), name="other")], Counting(lacks="test"), tmp_path, said.append)


def test_a_changed_file_is_read_with_a_note(tmp_path: Path) -> None:
    (path, _) = pull([Quiz(spec())], Counting(), tmp_path, lambda line: None)
    path.write_text(json.dumps({"q": "mine"}) + "\n")
    read = LocalSource(str(tmp_path)).rows("quiz", spec(), "test")
    assert read.revision is None and "was changed after it was pulled" in read.notes[0]


def test_a_place_that_cannot_be_written_and_a_damaged_manifest(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        pull([Quiz(spec())], Counting(), tmp_path / "file", lambda line: None)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json is damaged"):
        pull([Quiz(spec())], Counting(), tmp_path, lambda line: None)
