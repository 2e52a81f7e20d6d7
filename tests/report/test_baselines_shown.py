"""What answers without a model score is next to the score, in the table of measures and in the frame."""

from __future__ import annotations

from evalkit.cards import find_card
from evalkit.metrics import CopyInput, ExactMatch
from evalkit.prompts import Completion
from evalkit.report.comparison import build
from evalkit.report.frame import to_frame
from evalkit.results import RunResult
from evalkit.run.score import score_task
from evalkit.store.scores import from_json, to_json
from evalkit.task import Task
from evalkit.types import Doc, Evidence, Response


def test_a_baseline_has_a_row_of_its_own_and_survives_the_file() -> None:
    docs = tuple(Doc(str(i), {"q": "a"}, target=gold) for i, gold in enumerate(["a", "b", "c", "d"]))
    task = Task("copy", None, Completion("{q}"), [ExactMatch()], "exact_match", baselines=[CopyInput("q")])  # type: ignore[arg-type]
    answers = {doc.id: [Response("k", "ok", text=str(doc.target))] for doc in docs}
    result, _ = score_task(task, Evidence(docs, 4, "here", "", False), answers)
    run = from_json(to_json(RunResult("model", {"copy": result})))
    measures = build([run], [find_card("krutrim2")]).measures
    assert measures is not None
    found = {row[1].text: row[3].text for row in measures.rows}
    assert found["exact_match"].startswith("1.000 ") and found["exact_match, no model: copy of the input"].startswith("0.250 ")
    frame = to_frame([run], [find_card("krutrim2")])
    assert list(frame[frame["level"] == "baseline"]["value"]) == [0.25]
