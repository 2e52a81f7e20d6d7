"""The real hub code against a local server, in one process of its own (see hub_driver.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("hub_driver.py")
NEW, OLD = "a" * 40, "b" * 40


def drive(*arguments: str) -> Any:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_") and "proxy" not in name.lower()}
    environment["PYTHONPATH"] = os.pathsep.join([str(DRIVER.parents[2]), environment.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, str(DRIVER), *arguments], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return dict(drive(str(tmp_path_factory.mktemp("hub"))))


def rows(mark: str) -> list[dict[str, Any]]:
    return [{"question": f"{mark} {i}", "choices": ["x", "y"], "answer": i} for i in range(3)]


def test_pinned_revision_is_read_although_main_has_moved(cases: dict[str, Any]) -> None:
    assert cases["pinned"]["rows"] == rows("old")
    assert cases["pinned"]["revision"] == OLD
    assert cases["pinned"]["where"] == "org/tables@bbbbbbbb test"
    assert cases["pinned"]["notes"] == []


def test_pinned_rows_in_the_cache_need_no_request(cases: dict[str, Any]) -> None:
    assert cases["pinned_again"]["rows"] == rows("old")
    assert cases["pinned_again"]["requests"] == 0


def test_branch_is_resolved_to_its_commit_and_said(cases: dict[str, Any]) -> None:
    assert cases["branch"]["rows"] == rows("new")
    assert cases["branch"]["revision"] == NEW
    assert NEW in cases["branch"]["notes"][0]


@pytest.mark.parametrize("case", ["missing_split", "missing_split_cached"])
def test_missing_split_names_those_there_are(cases: dict[str, Any], case: str) -> None:
    message = cases[case]["message"]
    assert "no split 'validation'" in message and "test" in message and "train" in message and "\n" not in message


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("missing_config", ["other", "main"]),
        ("missing_revision", ["c" * 40, "data.revision"]),
        ("missing_data_set", ["org/nothing", "data.path"]),
        ("gated", ["/datasets/org/gated", "HF_TOKEN", "accept"]),
        ("locked", ["/datasets/org/locked", "HF_TOKEN", "accept"]),
        ("raw_missing_language", ["flores_xx_en_test.json"]),
        ("raw_wrong_key", ["'rows'", "canary, examples", "data.records"]),
    ],
)
def test_refusals_are_one_line_that_says_what_to_do(cases: dict[str, Any], case: str, words: list[str]) -> None:
    assert cases[case]["error"] in ("DataError", "NoRows")  # the second is one of the first
    assert all(word in cases[case]["message"] for word in words), cases[case]["message"]
    assert "\n" not in cases[case]["message"]


def test_raw_files_with_a_language_in_their_name(cases: dict[str, Any]) -> None:
    assert cases["raw"]["rows"] == [{"source": "hi 0", "target": "t"}, {"source": "hi 1", "target": "t"}]
    assert cases["raw"]["revision"] == NEW


def test_auto_takes_the_hub_while_it_answers(cases: dict[str, Any]) -> None:
    assert cases["reachable"] is True
    assert cases["auto_online"]["where"] == "org/tables@aaaaaaaa test"


def test_auto_takes_the_cache_when_the_hub_has_gone(cases: dict[str, Any]) -> None:
    assert cases["unreachable"] is False
    assert cases["auto_cached"]["rows"] == rows("old")
    assert cases["auto_raw_cached"]["rows"] == cases["raw"]["rows"]


def test_auto_without_hub_cache_and_wheel_says_what_to_do_and_never_takes_samples(cases: dict[str, Any]) -> None:
    assert cases["auto_nothing"]["error"] == "HubUnreachable"
    assert "data=local data.root=DIR" in cases["auto_nothing"]["message"] and "data=samples" in cases["auto_nothing"]["message"]
    assert "no_such_package is not installed" in cases["auto_wheel_missing"]["message"]


def test_no_network_is_one_line_within_seconds(tmp_path: Path) -> None:
    for case in drive("--closed", str(tmp_path)).values():
        assert case["error"] == "HubUnreachable"
        assert "does not answer" in case["message"] and "data=wheel" in case["message"] and "\n" not in case["message"]
        assert case["seconds"] < 10


def test_json_in_the_shapes_it_comes_in(cases: dict[str, Any]) -> None:
    both = [{"LABEL": "Positive", "INDIC REVIEW": "क"}, {"LABEL": None, "INDIC REVIEW": "ख"}]
    assert cases["json_hi"]["rows"] == both, "JSON lines under the name .json"
    assert cases["json_ta"]["rows"] == both, "a list"
    assert cases["json_bn"]["rows"] == both, "an object with one list in it"
    assert cases["json_te"]["rows"] == both[:1], "JSON lines with a single line"
    assert "holds several lists (test, train); set data.records" in cases["json_two"]["message"]


def test_tables_with_and_without_a_header_line(cases: dict[str, Any]) -> None:
    # A quotation mark in a sentence opens no field.
    assert cases["tsv_hi"]["rows"] == [{"english": 'He said "no', "sentence1": 'क "ख', "sentence2": "ग", "label": "1"}]
    assert cases["tsv_bn"]["rows"] == [{"english": "E", "sentence1": "क", "sentence2": "ख", "label": "0"}]
    assert "ta.tsv:1: 3 columns, not 4 (english, sentence1, sentence2, label)" in cases["tsv_ta"]["message"]


def test_squad_nesting_gives_questions_with_their_passage(cases: dict[str, Any]) -> None:
    found = cases["squad"]["rows"]
    assert [(row["id"], row["context"], row["title"]) for row in found] == [(1, "c1", "T"), (2, "c2", "T"), (3, "c2", "T")]
    assert found[0]["answers"] == [{"text": "a", "answer_start": 0}] and "qas" not in found[0] and "version" not in found[0]
    assert "has no 'articles'; it has: title, paragraphs" in cases["squad_wrong_path"]["message"]


def test_parquet_and_what_is_not_public(cases: dict[str, Any]) -> None:
    assert cases["parquet"]["rows"] == [{"eng_Latn": "a", "hin_Deva": "क"}]
    assert cases["private"]["message"] == "task t: Bench is not public: give bench=DIR" and cases["private"]["requests"] == 0
