"""The hosted back end's benchmarks: what is compared, what counts as a difference, and that the client's memory stays."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def parity() -> Iterator[Any]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("hosted_parity")
    finally:
        sys.path.remove(str(BENCHMARKS))


def scored(doc: str, values: list[float], choice: int, prompt: str = "p", greedy: bool = False) -> dict[str, Any]:
    response = {"status": "ok", "loglikelihoods": values, "greedy": [greedy] * len(values)}
    return {"doc": doc, "pairs": [[prompt, "a"]], "responses": [response], "scores": {"acc": {"prediction": choice, "value": 1.0}}}


def written(doc: str, text: str, answer: str) -> dict[str, Any]:
    return {
        "doc": doc,
        "prompt": "p",
        "responses": [{"status": "ok", "text": text}],
        "scores": {"em": {"prediction": answer, "value": 0.0}},
    }


def test_log_likelihoods_may_differ_and_decisions_may_not(parity: Any) -> None:
    case = parity.Case("hellaswag", "ids")
    local = [scored("0", [-1.0, -2.0], 0), scored("1", [-1.0, -1.00001], 0)]
    served = [scored("0", [-1.001, -2.0], 0), scored("1", [-1.00001, -1.0], 1)]
    found = parity.compare("server", case, local, served)
    assert found.row() == ("server", "hellaswag", "token ids", "2", "4 pairs", "1.0e-03", "1", "-")
    assert found.differs == ["hellaswag 1: decision (log-likelihoods 1.0e-05 apart)"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt": "q"}, "prompt (log-likelihoods 0.0e+00 apart)"),
        ({"greedy": True}, "greedy (log-likelihoods 0.0e+00 apart)"),
    ],
)
def test_another_prompt_or_flag_is_a_difference(parity: Any, change: dict[str, Any], says: str) -> None:
    found = parity.compare("s", parity.Case("t", "text"), [scored("0", [-1.0], 0)], [scored("0", [-1.0], 0, **change)])
    assert found.differs == [f"t 0: {says}"]


def test_texts_are_compared_letter_by_letter(parity: Any) -> None:
    local = [written("0", " Paris", "Paris"), written("1", " Rome", "Rome")]
    served = [written("0", " Paris ", "Paris"), written("1", " Rome", "Rome")]
    found = parity.compare("server", parity.Case("nq_open", "chat"), local, served)
    assert found.row() == ("server", "nq_open", "messages", "2", "2 texts", "-", "2", "1")
    assert found.differs == ["nq_open 0: text ' Paris' / ' Paris '"]


def test_a_document_without_an_answer_is_a_difference_and_other_documents_are_an_error(parity: Any) -> None:
    silent = written("0", "", "") | {"responses": []}
    assert parity.compare("s", parity.Case("t", "ids"), [written("0", "x", "x")], [silent]).differs == ["t 0: not answered on both sides"]
    with pytest.raises(SystemExit, match="not of the same documents"):
        parity.compare("s", parity.Case("t", "ids"), [written("0", "x", "x")], [written("1", "x", "x")])


def test_the_table_goes_into_its_place_and_nowhere_else(parity: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{parity.BEGIN}\nold\n{parity.END}\n\nafter\n")
    content = parity.table([parity.Comparison("s", parity.Case("t", "ids"), 2, 8, 1e-5, 2)])
    parity.into_page(page, content)
    parity.into_page(page, content)
    assert page.read_text() == f"before\n\n{parity.BEGIN}\n\n{content}\n\n{parity.END}\n\nafter\n"
    assert content.splitlines()[2] == "| s | t | token ids | 2 | 8 pairs | 1.0e-05 | 2 | - |"
    page.write_text("no place")
    with pytest.raises(SystemExit, match="no place for the table"):
        parity.into_page(page, content)


@pytest.mark.slow
def test_the_clients_memory_stays_and_its_numbers_are_printed() -> None:
    words = ["--requests", "50", "--latency", "0.01", "--many", "3000"]
    done = subprocess.run([sys.executable, str(BENCHMARKS / "hosted.py"), *words], capture_output=True, text=True, check=True)
    assert len(re.findall(r"client: \d+\.\d\d ms of processor per request", done.stdout)) == 2, done.stdout
    assert len(re.findall(r"the openai library alone, 50 requests: ", done.stdout)) == 2, done.stdout
    tenths = [float(mib) for mib in re.findall(r"MiB: (.*)", done.stdout)[1].split()]
    assert len(tenths) == 11 and max(tenths[2:]) - min(tenths[2:]) <= 6, tenths
