"""`evalkit score task=T responses=F`: one text has one score, and nothing unknown is said of it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.paths import tasks_dir

Run = Callable[..., Any]


def write(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def shipped(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tasks_dir() / "samples" / name).read_text(encoding="utf-8").splitlines()]


def scored(folder: Path, task: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "scores.json").read_text())["tasks"][task]
    return found


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def score(evalkit: Run, tmp_path: Path) -> Run:
    """Score lines of answers; the task's part of `scores.json` and the screen, or the error line."""

    def call(task: str, lines: list[Any], *words: str, name: str = "theirs") -> Any:
        file = write(tmp_path / f"{name}.jsonl", lines)
        folder = tmp_path / f"{name}-scored"
        data = [] if any(word.startswith("data=") for word in words) else ["data=samples"]
        said = evalkit("score", f"task={task}", f"responses={file}", f"run_dir={folder}", "overwrite=true", "detail=all", *data, *words)
        return (scored(folder, task), plain(said.out)) if said.code == 0 else said.error

    return call


# ---- an id never means another row ----


def sentiment(tmp_path: Path, *languages: str, n: int = 40, null: tuple[int, ...] = (0, 3, 17)) -> dict[str, list[dict[str, Any]]]:
    """Rows of several languages, some without a label; each language's labels are its own."""
    made = {}
    for code in languages:
        draw = random.Random(code)
        made[code] = [
            {"LABEL": None if i in null else draw.choice(["Positive", "Negative"]), "INDIC REVIEW": f"{code} {i}"} for i in range(n)
        ]
        write(tmp_path / f"data/indic_sentiment/{code}/test.jsonl", made[code])
    return made


def right(row: dict[str, Any]) -> str:
    return f"Answer: {int(row['LABEL'] == 'Negative')}"


def test_a_number_is_the_row_of_the_file(score: Run, tmp_path: Path) -> None:
    rows = sentiment(tmp_path, "kn")["kn"]
    words = ("data=local", f"data.root={tmp_path / 'data'}", "languages=[kn]")
    every: list[dict[str, Any]] = [{"id": i, "response": right(row)} for i, row in enumerate(rows)]
    found, out = score("indic_sentiment", every, *words)
    assert found["summaries"]["acc"]["value"] == 1.0 and found["summaries"]["acc"]["n"] == 37
    assert "3 answers to rows that the benchmark does not score left out" in out
    labelled = [line for line in every if rows[line["id"]]["LABEL"]]
    random.Random(0).shuffle(labelled)
    found, out = score("indic_sentiment", labelled, *words)
    assert found["summaries"]["acc"]["value"] == 1.0 and "answers to rows" not in out
    found, _ = score("indic_sentiment", labelled[5:], *words)  # left-out rows shift nothing
    assert (found["summaries"]["acc"]["value"], found["summaries"]["acc"]["n"], found["counts"]["unanswered"]) == (1.0, 32, 5)
    assert "row 40 is out of range" in score("indic_sentiment", [*every, {"id": 40, "response": "Answer: 0"}], *words)


def test_a_number_over_several_languages_is_refused(score: Run, tmp_path: Path) -> None:
    rows = sentiment(tmp_path, "hi", "bn")
    words = ("data=local", f"data.root={tmp_path / 'data'}", "languages=[hi,bn]")
    said = score("indic_sentiment", [{"id": 7, "response": "Answer: 0"}], *words)
    assert 'theirs.jsonl:1: id 7 is a row of every language (bn, hi); write "bn/test/7" or "hi/test/7"' in said
    lines = [
        {"id": f"{code}/test/{i}", "response": right(row)} for code, mine in rows.items() for i, row in enumerate(mine) if row["LABEL"]
    ]
    found, _ = score("indic_sentiment", lines, *words)
    assert found["summaries"]["acc"]["value"] == 1.0 and found["summaries"]["acc"]["n"] == 74


def test_a_number_in_a_file_of_several_languages_is_refused(score: Run, tmp_path: Path) -> None:
    rows = [{**row, "language": code, "id": f"{code}{i}"} for i, row in enumerate(NER * 8) for code in ("hi", "bn")]
    shots = [{**row, "split": "dev", "id": f"dev{row['id']}"} for row in rows]
    file = write(tmp_path / "ner.jsonl", [*rows, *shots])
    words = (f"bharatbench={file}", "languages=[hi]")
    assert "the file holds rows of other languages or splits too" in score("bharatbench_ner", [{"id": 1, "response": "NONE"}], *words)
    found, _ = score("bharatbench_ner", [{"id": "hi2", "response": "LOC: दिल्ली"}], *words)  # the benchmark's own key
    assert found["summaries"]["entity_accuracy"]["value"] == 1.0


NER = [{"text": "दिल्ली में", "types": ["LOC"], "entities": [{"text": "दिल्ली", "type": "LOC"}], "split": "test"}]


@pytest.mark.parametrize(("task", "split", "key"), [("ifeval", "train", "key"), ("humaneval", "test", "task_id")])
def test_the_benchmarks_own_key(score: Run, task: str, split: str, key: str) -> None:
    rows = shipped(f"{task}/{split}.jsonl")
    text = "return" if task == "ifeval" else "    return None\n"
    answers = {
        name: [{"id": i, "response": f"{text}{'' if task == 'humaneval' else place}"} for place, i in enumerate(ids)]
        for name, ids in (("key", [row[key] for row in rows]), ("id", [f"{split}/{i}" for i in range(len(rows))]))
    }
    by_key, by_id = (score(task, lines, name=name)[0] for name, lines in answers.items())
    assert by_key["summaries"] == by_id["summaries"] and by_key["counts"].get("unanswered") is None


# ---- one text, one score ----

TEXTS = {
    "gsm8k": "#### 31\n\nQuestion: another one?\n#### 7",
    "nq_open": "Ada Brown, or so. I think\nQ: who",
    "triviaqa": "River Melk. It is",
    "humaneval": "    return 1\n\ndef other():\n    return 2\n",
    "indic_copa": "Answer: A</s>Answer: B",
}


@pytest.mark.parametrize("task", [*TEXTS])
@pytest.mark.parametrize("thought", ["", "<think>Question: A.\ndef no, really</think>"])
def test_a_text_has_the_score_that_a_run_gives_it(evalkit: Run, score: Run, tmp_path: Path, task: str, thought: str) -> None:
    """The same texts through a run's own cutting and through a file."""
    from evalkit.models.base import cut_at_stops
    from evalkit.models.fake import FakeModel
    from evalkit.models.thinking import KNOWN, split
    from evalkit.types import Response

    class Says(FakeModel):
        def _one(self, item: Any) -> Response:
            answer = split(thought + TEXTS[task], KNOWN).answer or ""
            return Response(item.key, "ok", text=cut_at_stops(answer, item.params.stop))

    from evalkit.api import evaluate

    languages = ["languages=[hi]"] if task == "indic_copa" else []
    run = evaluate(Says(), task, data="samples", overrides=languages, progress=False, run_dir=tmp_path / "run")
    docs = [json.loads(line)["doc"] for line in (tmp_path / "run/samples.jsonl").read_text().splitlines()]
    said: Any = thought + TEXTS[task]
    found, _ = score(task, [{"id": doc, "response": [said] * 20 if task == "humaneval" else said} for doc in docs], *languages)
    for name, summary in run.tasks[task].summaries.items():
        theirs = found["summaries"][name]
        assert (theirs["value"], theirs["n"], theirs["signature"]) == (summary.value, summary.n, summary.signature)


def test_stops_cut_and_what_was_said_is_kept(score: Run, tmp_path: Path) -> None:
    gold = shipped("gsm8k/test.jsonl")[0]["answer"].split("#### ")[1]
    said = f"<think>7?</think>#### {gold}\n\nQuestion: another one?\n#### 7"
    found, _ = score("gsm8k", [{"id": 0, "response": said}])
    assert found["summaries"]["flexible_extract"]["value"] == 1.0
    line = json.loads((tmp_path / "theirs-scored/samples.jsonl").read_text().splitlines()[0])
    assert line["responses"] == [{"status": "ok", "text": f"#### {gold}\n\n", "raw": said, "thinking": "7?"}]
    score("gsm8k", [{"id": 0, "response": said}], "model.thinking=off")
    line = json.loads((tmp_path / "theirs-scored/samples.jsonl").read_text().splitlines()[0])
    assert line["responses"][0]["text"] == f"<think>7?</think>#### {gold}\n\n" and "thinking" not in line["responses"][0]


def test_a_thought_without_an_end_is_no_answer(score: Run) -> None:
    found, out = score("gsm8k", [{"id": 0, "response": "<think>it is 31"}])
    assert found["counts"]["thinking"] == 1 and "1 never ended the thought" in out


# ---- failed, missing, too few ----


def test_null_is_a_request_that_failed(score: Run) -> None:
    found, out = score("gsm8k", [{"id": 0, "response": "31"}, {"id": 1, "response": None}, {"id": 2, "response": ["4", None]}])
    assert found["counts"] == {"error": 2, "unanswered": 9} and found["summaries"]["flexible_extract"]["n"] == 1
    assert "11 not measured (2 failed, 9 without an answer in theirs.jsonl, left out of the score)" in out
    found, out = score("gsm8k", [{"id": i, "response": None if i else "31"} for i in range(12)])
    assert "11 not measured (failed, left out of the score)" in out
    assert found["summaries"]["flexible_extract"]["n_invalid"] == 0


def test_a_file_of_failures_alone_measures_nothing(score: Run) -> None:
    found, out = score("gsm8k", [{"id": i, "response": None} for i in range(12)])
    assert found["summaries"]["flexible_extract"]["value"] is None and "12 not measured (failed" in out


def test_a_document_without_a_line_was_not_left_unasked(score: Run) -> None:
    _, out = score("gsm8k", [{"id": 0, "response": "31"}])
    assert "11 not measured (without an answer in theirs.jsonl, left out of the score)" in out and "asked yet" not in out


def test_pass_at_ten_of_five_samples_says_that_k_is_too_large(score: Run) -> None:
    rows = shipped("humaneval/test.jsonl")
    five = [{"id": row["task_id"], "response": [row["canonical_solution"]] * 5} for row in rows]
    found, out = score("humaneval", five)
    assert found["summaries"]["pass@1"]["value"] == 1.0 and found["summaries"]["pass@10"]["value"] is None
    why = f"pass@10 needs 10 samples of a problem; {len(rows)} have fewer (5: n < k), so there is no estimate for them"
    assert found["summaries"]["pass@10"]["note"] == why and why in out and "no answer" not in out
    mixed = [{**line, "response": line["response"] * (1 if i else 2)} for i, line in enumerate(five)]
    found, _ = score("humaneval", mixed)
    assert found["summaries"]["pass@10"]["n"] == 1 and f"{len(rows) - 1} have fewer (5: n < k)" in found["summaries"]["pass@10"]["note"]


def test_several_samples_are_averaged(score: Run) -> None:
    found, _ = score("gsm8k", [{"id": 0, "response": ["31", "7", "", "31"]}])
    assert found["summaries"]["flexible_extract"]["value"] == 0.5


def test_a_metric_that_takes_one_answer_refuses_a_list(score: Run) -> None:
    metric = "tasks.gsm8k.metrics=[{_target_: evalkit.metrics.EvaluateMetric, path: exact_match, name: em}]"
    said = score("gsm8k", [{"id": 0, "response": ["31", "7"]}], metric, "tasks.gsm8k.headline=em")
    assert "metric em: modules of evaluate take one answer per document, not 2" in said


# ---- what is said of answers made elsewhere ----


@pytest.mark.parametrize("task", ["ifeval", "humaneval", "gsm8k", "triviaqa", "nq_open"])
def test_nothing_is_claimed_that_is_not_known(score: Run, task: str, tmp_path: Path) -> None:
    split = {"ifeval": "train", "triviaqa": "validation", "nq_open": "validation"}.get(task, "test")
    _, out = score(task, [{"id": f"{split}/0", "response": "31"}], "chat=true")
    assert "answers made elsewhere, read from theirs.jsonl" in out
    for claim in ("prompted through", "samples per problem at temperature", "512 tokens", "shots drawn"):
        assert claim not in out
    table = json.loads((tmp_path / "theirs-scored/report.json").read_text())
    assert {record["num_fewshot"] for record in table["scores"]} == {None}
    comparison = next(table for table in table["tables"] if table["name"] == "comparison")
    assert comparison["rows"][0][1]["text"] == "?"


def test_a_run_says_what_it_knows(evalkit: Run) -> None:
    said = plain(evalkit("run", "task=[humaneval,gsm8k]", "model=fake", "data=samples", "limit=1", "chat=true", "detail=all").out)
    assert "humaneval: 20 samples per problem at temperature 0.8" in said and "gsm8k: answers may be 512 tokens long" in said
    assert "prompted through the model's chat template" in said and "elsewhere" not in said


def test_the_report_of_a_run_and_a_file_is_described_by_the_run(evalkit: Run, score: Run, tmp_path: Path) -> None:
    assert evalkit("run", "task=nq_open", "model=fake", "data=samples", f"run_dir={tmp_path / 'ours'}").code == 0
    score("nq_open", [{"id": i, "response": "Ada Brown"} for i in range(5)])
    said = evalkit("report", str(tmp_path / "theirs-scored"), str(tmp_path / "ours"), f"out={tmp_path / 'out'}")
    assert said.code == 0, said.err
    report = json.loads((tmp_path / "out/report.json").read_text())
    comparison = next(table for table in report["tables"] if table["name"] == "comparison")
    assert len(comparison["rows"]) == 1 and comparison["rows"][0][1]["text"] == "5"
    assert "answers read from theirs.jsonl" in " ".join(comparison["footnotes"].values())


def test_the_page_does_not_say_that_its_prompts_were_sent(evalkit: Run, score: Run, tmp_path: Path) -> None:
    assert evalkit("run", "task=gsm8k", "model=fake", "data=samples", f"run_dir={tmp_path / 'ours'}").code == 0
    score("gsm8k", [{"id": 0, "response": "31"}])
    for folder, elsewhere in (("ours", False), ("theirs-scored", True)):
        assert evalkit("report", str(tmp_path / folder)).code == 0
        page = (tmp_path / folder / "report.html").read_text()
        index = json.loads(page.split('id="index">')[1].split("</script>")[0])
        assert index["runs"][0]["tasks"]["gsm8k"].get("elsewhere", False) == elsewhere


def test_two_files_of_one_content_are_one_score(score: Run) -> None:
    lines = [{"id": 0, "response": "31"}]
    (one, _), (other, _) = score("gsm8k", lines, name="a"), score("gsm8k", lines, name="b")
    assert one["summaries"] == other["summaries"] and (one["answers_from"], other["answers_from"]) == ("a.jsonl", "b.jsonl")
    assert not math.isnan(one["summaries"]["flexible_extract"]["value"])
