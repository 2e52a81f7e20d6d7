"""An id in a file of answers means one row, or is refused with the form that does."""

from __future__ import annotations

import itertools

import pytest

from evalkit.data import Origin
from evalkit.errors import DataError
from evalkit.run.answer_ids import rows_meant


def rows(
    n: int, *, span: str = "test", skip: tuple[int, ...] = (), keys: list[str] | None = None, alone: bool = True, step: int = 1
) -> list[Origin]:
    """n rows of one split; those in `skip` are not scored."""
    language = span.partition("/")[0] if "/" in span else None
    return [
        Origin(i * step, f"{span}/{i}", None if i in skip else f"{span}/{i}", keys[i] if keys else None, language, alone) for i in range(n)
    ]


def meant(origins: list[Origin], *ids: object) -> list[str]:
    return [origin.name for origin in rows_meant(origins, [(f"f:{i}", name) for i, name in enumerate(ids, 1)])]


def refusal(origins: list[Origin], *ids: object) -> str:
    with pytest.raises(DataError) as refused:
        meant(origins, *ids)
    return str(refused.value)


def test_a_number_is_the_row_of_the_file_whatever_is_left_out_before_it() -> None:
    for skip in itertools.combinations(range(6), 2):
        assert meant(rows(6, skip=skip), *range(6)) == [f"test/{i}" for i in range(6)]
    assert meant(rows(3), "2", 1, 0.0) == ["test/2", "test/1", "test/0"]
    assert meant(rows(3, span="kn/test"), 2) == ["kn/test/2"]


def test_an_id_of_a_row_that_is_not_scored_is_known() -> None:
    origins = rows(3, skip=(1,))
    assert [origin.doc for origin in rows_meant(origins, [("f:1", 1), ("f:2", "test/1"), ("f:3", 2)])] == [None, None, "test/2"]


def test_a_number_of_several_files_is_refused_with_the_form_to_use() -> None:
    origins = rows(3, span="hi/test") + rows(5, span="bn/test")
    said = refusal(origins, 1)
    assert said == 'f:1: id 1 is a row of every language (hi, bn); write "hi/test/1" or "bn/test/1"'
    assert "every language" in refusal(origins, 4)  # only one of the files is that long: still a guess
    assert "out of range" in refusal(origins, 5)
    assert meant(origins, "bn/test/4", "hi/test/0") == ["bn/test/4", "hi/test/0"]


def test_a_number_in_a_file_with_other_rows_between_is_refused() -> None:
    origins = rows(3, span="kn/test", alone=False, step=4)  # rows 0, 4 and 8 of the file
    for number in (0, 1, 4, 8):
        assert "the file holds rows of other languages or splits too; write the row's number among the kn/test rows, as \"kn/test/" in (
            refusal(origins, number)
        )


def test_keys_that_are_no_numbers() -> None:
    origins = rows(3, keys=["HumanEval/0", "HumanEval/1", "HumanEval/2"])
    assert meant(origins, "HumanEval/2", 1, "test/0") == ["test/2", "test/1", "test/0"]
    assert refusal(origins, "HumanEval/9").endswith(
        "no document has the id 'HumanEval/9'; ids look like 'test/0', the benchmark's own like 'HumanEval/0', "
        "the row of the file is a number from 0 to 2"
    )


def test_keys_that_are_numbers_are_told_from_rows_by_the_whole_file() -> None:
    origins = rows(4, keys=["1000", "3", "1001", "1"])
    assert meant(origins, 1000, 3, 1001, 1) == ["test/0", "test/1", "test/2", "test/3"]  # all are keys; no row is the 1000th
    assert meant(origins, 0, 1, 2, 3) == ["test/0", "test/1", "test/2", "test/3"]  # all are rows; no key is 0
    assert refusal(origins, 3, 1) == 'f:1: id 3 is the name of 2 rows; write "test/3" or "test/1"'  # both would do, and differ
    assert 'by turns; for 1000 write "test/0"' in refusal(origins, 1000, 0)
    assert "row 7 is out of range, and it is no key" in refusal(origins, 1000, 7)
    assert meant(rows(3, keys=["0", "1", "2"]), 1, 2) == ["test/1", "test/2"]  # both would do, and agree
    assert refusal(rows(3, keys=["1", "2", "3"]), 1, 2).startswith("f:1: id 1 is the name of 2 rows")
    assert meant(rows(3, keys=["1", "2", "3"]), 1, 2, 3) == ["test/0", "test/1", "test/2"]


def test_a_key_of_several_rows_is_refused() -> None:
    origins = rows(2, keys=["a", "a"])
    assert refusal(origins, "a") == 'f:1: id \'a\' is the name of 2 rows; write "test/0" or "test/1"'
    both = rows(2, span="hi/test", keys=["x", "y"]) + rows(2, span="bn/test", keys=["x", "z"])
    assert 'write "hi/test/0" or "bn/test/0"' in refusal(both, "x")
    assert meant(both, "z") == ["bn/test/1"]


@pytest.mark.parametrize("odd", [True, None, [1], {"id": 1}, 1.5, -1, "", "dev/1", "1.0", " 1"])
def test_what_is_no_id(odd: object) -> None:
    assert refusal(rows(3), odd).startswith(f"f:1: no document has the id {odd!r}; ids look like 'test/0'")


def test_a_document_with_an_id_of_its_own_answers_to_it() -> None:
    origins = [Origin(i, f"test/{i}", f"q{i}", None, None, True) for i in range(3)]
    assert meant(origins, "q2", 0, "test/1") == ["test/2", "test/0", "test/1"]
    crossed = [Origin(0, "test/0", "test/1", None, None, True), Origin(1, "test/1", "test/0", None, None, True)]
    assert "is the name of 2 rows" in refusal(crossed, "test/1")
