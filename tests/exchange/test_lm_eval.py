"""lm-evaluation-harness results in and out, in the layout that version 0.4.13 writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit import stats
from evalkit.cards import find_card
from evalkit.cli import main
from evalkit.errors import DataError
from evalkit.exchange.lm_eval import import_run, read_results, to_results
from evalkit.report import build
from evalkit.store import SavedRun, load_run

STAMP = "2026-01-02T03-04-05.678901"


def results(**more: Any) -> dict[str, Any]:
    return {
        "results": {
            "hellaswag": {
                "alias": "hellaswag",
                "sample_len": 4,
                "acc,none": 0.5,
                "acc_stderr,none": 0.2887,
                "acc_norm,none": 0.75,
                "acc_norm_stderr,none": 0.25,
            },
            "gsm8k": {
                "alias": "gsm8k",
                "exact_match,strict-match": 0.0,
                "exact_match_stderr,strict-match": 0.0,
                "exact_match,flexible-extract": 0.5,
                "exact_match_stderr,flexible-extract": 0.5,
            },
            "mt": {"alias": "mt", "chrf++,none": 40.0, "chrf++_stderr,none": 2.0},
            "mmlu": {"alias": "mmlu", "acc,none": 0.5, "acc_stderr,none": 0.1, "sample_count": {"acc,none": 4}},
            "mmlu_stem": {"alias": "stem", "acc,none": 0.75, "acc_stderr,none": 0.1, "sample_count": {"acc,none": 2}},
            "mmlu_law": {"alias": " - law", "acc,none": 0.25, "acc_stderr,none": "N/A"},
            "mmlu_maths": {"alias": " - maths", "acc,none": 0.75, "acc_stderr,none": 0.1},
        },
        "group_subtasks": {"mmlu": ["mmlu_law", "mmlu_stem"], "mmlu_stem": ["mmlu_maths"]},
        "configs": {"hellaswag": {"validation_split": "validation"}, "gsm8k": {"test_split": "test"}},
        "versions": {"hellaswag": 1.0, "gsm8k": 3.0, "mt": 1.0, "mmlu": 2, "mmlu_stem": 2, "mmlu_law": 1.0, "mmlu_maths": 1.0},
        "n-shot": {"hellaswag": 0, "gsm8k": 5, "mmlu_law": 5, "mmlu_maths": 5},
        "higher_is_better": {"hellaswag": {"acc": True, "acc_norm": True}},
        "n-samples": {
            **{name: {"original": 10042, "effective": 4} for name in ("hellaswag",)},
            **{name: {"original": 2, "effective": 2} for name in ("gsm8k", "mt", "mmlu_law", "mmlu_maths")},
        },
        "config": {"model": "hf", "model_args": "pretrained=owner/tiny-model,dtype=float32"},
        **more,
    }


def write(folder: Path) -> Path:
    path = folder / f"results_{STAMP}.json"
    path.write_text(json.dumps(results()), encoding="utf-8")

    def hellaswag(i: int) -> dict[str, Any]:
        calls = {f"gen_args_{c}": {"arg_0": f"किला {i}", "arg_1": f" {c}"} for c in "ab"}
        scores = {"acc": float(i % 2), "acc_norm": float(i > 0)}
        return {
            "doc_id": i,
            "target": "1",
            "arguments": calls,
            "resps": [[["-1.5", "True"]], [["-2.0", "False"]]],
            "filtered_resps": [["-1.5", "True"]],
            "filter": "none",
            "metrics": ["acc", "acc_norm"],
            **scores,
        }

    def gsm8k(i: int, kept: str, found: str) -> dict[str, Any]:
        call = {"gen_args_0": {"arg_0": f"Q{i}", "arg_1": {"until": ["Q"]}}}
        return {
            "doc_id": i,
            "target": "7",
            "arguments": call,
            "resps": [["so 7"]],
            "filtered_resps": [found],
            "filter": kept,
            "metrics": ["exact_match"],
            "exact_match": float(found == "7"),
        }

    lines = {
        "hellaswag": [hellaswag(i) for i in (2, 0, 3, 1)],
        "gsm8k": [
            gsm8k(i, kept, found)
            for kept in ("strict-match", "flexible-extract")
            for i, found in ((0, "[invalid]" if "strict" in kept else "7"), (1, "[invalid]"))
        ],
    }
    lines["mmlu_maths"] = [hellaswag(i) | {"metrics": ["acc"]} for i in range(2)]
    for name, samples in lines.items():
        (folder / f"samples_{name}_{STAMP}.jsonl").write_text("".join(json.dumps(s) + "\n" for s in samples), encoding="utf-8")
    return path


def test_a_score_without_an_interval_says_why(tmp_path: Path) -> None:
    raw = results()
    raw["n-samples"]["mt"]["effective"] = 1
    path = tmp_path / "results.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    run = read_results(path)
    law = run.tasks["mmlu"].score.groups["law"]
    assert (law.ci, law.no_interval) == (None, "no interval: the harness gives no standard error")
    assert (run.tasks["mt"].score.ci, run.tasks["mt"].score.no_interval) == (None, "too few documents for an interval")
    assert run.tasks["hellaswag"].score.ci and run.tasks["hellaswag"].score.no_interval == ""


def test_scores_come_in_under_our_names(tmp_path: Path) -> None:
    run = read_results(write(tmp_path))
    assert run.model == "tiny-model" and list(run.tasks) == ["hellaswag", "gsm8k", "mt", "mmlu"]
    hellaswag, gsm8k, mt, mmlu = run.tasks.values()
    assert (hellaswag.headline, hellaswag.score.value, hellaswag.n_docs, hellaswag.n_total) == ("acc_norm", 0.75, 4, 10042)
    assert (gsm8k.headline, gsm8k.num_fewshot, gsm8k.version, set(gsm8k.summaries)) == (
        "flexible_extract",
        5,
        3,
        {"flexible_extract", "strict_match"},
    )
    assert mt.score.metric == "chrf_pp" and mt.score.value == pytest.approx(0.4) and mt.score.stderr == pytest.approx(0.02)
    assert (
        {name: g.value for name, g in mmlu.score.groups.items()} == {"law": 0.25, "maths": 0.75}
        and mmlu.n_docs == 4
        and mmlu.num_fewshot == 5
    )
    assert mmlu.score.groups["law"].stderr is None
    assert {name: (c.value, c.n) for name, c in mmlu.categories["acc"].items()} == {"stem": (0.75, 2)}


def test_samples_of_a_subtask_of_a_subtask_belong_to_the_whole(tmp_path: Path) -> None:
    run = load_run(import_run(write(tmp_path), tmp_path / "run").path or tmp_path)
    assert run.columns["mmlu"].docs == ("maths/test/0", "maths/test/1") and run.columns["mmlu"].groups == ("maths", "maths")


HARNESS = Path(__file__).parent / "harness_0.4.13"


@pytest.fixture
def imported(tmp_path: Path) -> SavedRun:
    """What the harness itself wrote for a model that guesses, on rows of ours; long prompts and machine details cut out."""
    [results] = HARNESS.glob("results_*.json")
    return load_run(import_run(results, tmp_path / "imported").path or tmp_path)


def test_files_the_harness_wrote(imported: SavedRun) -> None:
    tasks = imported.result.tasks
    assert imported.result.model == "tiny-model"
    assert {name: task.headline for name, task in tasks.items()} == {
        "hellaswag": "acc_norm",
        "gsm8k": "flexible_extract",
        "truthfulqa_mc1": "acc",
        "truthfulqa": "mc2",
        "triviaqa": "exact_match",
        "winogrande": "acc",
    }
    assert all(task.measured_by == "lm-evaluation-harness 0.4.13" for task in tasks.values())
    assert tasks["truthfulqa"].notes == (
        "imported: truthfulqa_mc2 of lm-evaluation-harness 0.4.13, task version 3.0; not measured by evalkit",
    )
    assert tasks["gsm8k"].score.ci == stats.wilson(0, 4)  # its standard error is 0, and four wrong answers are no certainty
    for name, task in tasks.items():
        assert len(imported.columns[name].docs) == 4
        assert imported.columns[name].metrics[task.headline].values.mean() == pytest.approx(task.score.value)
    assert next(imported.samples("hellaswag"))["target"] == 0 and not np.isnan(imported.columns["hellaswag"].confidence).any()


@pytest.mark.parametrize("imported_first", [True, False])
def test_imported_scores_stand_beside_ours_in_one_row(imported: SavedRun, saved_runs: Any, imported_first: bool) -> None:
    right = [1.0, 0.0] * 20
    ours = load_run(saved_runs("ours", {"hellaswag": right}, metric="acc_norm", result={"version": 4}))
    runs = [imported, ours] if imported_first else [ours, imported]
    report = build([run.result for run in runs], [find_card("krutrim2")], runs)
    table = report.comparison[0]
    titles = [column.title for column in table.columns]
    [row] = [row for row in table.rows if row[0].text == "Hellaswag"]
    assert row[titles.index("ours")].text.startswith("0.500 [") and row[titles.index("tiny-model")].text.startswith("0.750 [")
    notes = dict(table.footnotes)
    said = [notes[mark] for mark in row[titles.index("tiny-model")].marks]
    assert any(text.startswith("measured by lm-evaluation-harness 0.4.13") and "were not compared" in text for text in said)
    assert not row[titles.index("ours")].marks and not row[0].marks
    boards = {table.title: [row[1].text for row in table.rows] for table in report.leaderboard}
    theirs = "Leaderboard (scores of lm-evaluation-harness 0.4.13, whose prompts and rows were not compared)"
    assert boards == {"Leaderboard": ["ours"], theirs: ["tiny-model"]}  # a mean mixes no two programs


def test_imported_scores_of_other_shots_keep_a_row_of_their_own(imported: SavedRun, saved_runs: Any) -> None:
    ours = load_run(saved_runs("ours", {"gsm8k": [1.0, 0.0]}, metric="flexible_extract"))
    table = build([ours.result, imported.result], [find_card("krutrim2")]).comparison[0]
    labels = [row[0].text for row in table.rows if row[0].text.startswith("GSM8K")]
    assert len(labels) == 2 and labels[0].startswith("GSM8K (") and "0-shot" in labels[0] and "5-shot" in labels[1]
    assert labels[1] == "GSM8K (5-shot, imported)"
    said = "not in one row with ours: scores of lm-evaluation-harness 0.4.13, not of evalkit; 5-shot, not 0-shot"
    assert said in dict(table.footnotes).values()


def test_an_imported_run_stands_in_our_tables(tmp_path: Path) -> None:
    run = load_run(import_run(write(tmp_path), tmp_path / "run").path or tmp_path)
    columns = run.columns["hellaswag"]
    assert columns.docs == ("validation/0", "validation/1", "validation/2", "validation/3")
    assert columns.metrics["acc_norm"].values.tolist() == [0, 1, 1, 1]
    assert run.columns["gsm8k"].metrics["strict_match"].invalid.tolist() == [True, True]
    sample = next(iter(run.samples("hellaswag")))
    assert sample["pairs"] == [["किला 0", " a"], ["किला 0", " b"]] and sample["responses"][0]["loglikelihoods"] == [-1.5, -2.0]
    assert next(iter(run.samples("gsm8k")))["responses"] == [{"status": "ok", "text": "so 7"}]
    report = build([run.result], [find_card("krutrim2")], [run])
    assert [row[0].text for row in report.comparison[0].rows] == ["Hellaswag", "MMLU", "GSM8K"]
    assert main(["compare", str(run.path), str(run.path), "tasks=hellaswag,gsm8k"]) == 0


def test_a_run_goes_out_and_comes_back(saved_runs: Any, tmp_path: Path) -> None:
    run = load_run(saved_runs("r", {"a": [1.0, 0.0, 1.0]}))
    (tmp_path / "results_x.json").write_text(to_results(run), encoding="utf-8")
    back = read_results(tmp_path / "results_x.json")
    assert back.model == "r" and back.tasks["a"].score.value == run.result.tasks["a"].score.value
    assert back.tasks["a"].score.stderr == run.result.tasks["a"].score.stderr and back.tasks["a"].score.n == 3


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"results": {}, "config": {"model": "x"}}', '{"results": {"a": {"acc,none": 1}}, "config": {}}']
)
def test_other_files_are_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results_x.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"results_x\.json") as caught:
        read_results(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_sample_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path)
    with (tmp_path / f"samples_gsm8k_{STAMP}.jsonl").open("a") as handle:
        handle.write('{"doc_id": 9}\n')
    with pytest.raises(DataError, match=r"\.jsonl:5 is no sample"):
        import_run(path, tmp_path / "run")


def test_the_commands(saved_runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(write(tmp_path)), f"out={tmp_path / 'runs'}"]) == 0
    assert "tiny-model: hellaswag, gsm8k, mt, mmlu" in capsys.readouterr().out
    assert main(["import"]) == 2 and main(["export", "x"]) == 2 and main(["export", "x", "to=lm-evel"]) == 2
    assert "did you mean lm-eval?" in capsys.readouterr().err
    folder = saved_runs("r", {"a": [1.0, 0.0], "b": [1.0, 1.0]})
    data = {"path": "owner/set", "revision": "abc", "split": "test"}
    (folder / "config.json").write_text(json.dumps({"model": {"name": "r"}, "tasks": {"a": {"data": data}, "b": {"data": {}}}}))
    assert main(["export", str(folder), "to=model-index", f"out={tmp_path / 'card.yaml'}"]) == 0
    assert "left out: b: the run does not say which data set" in capsys.readouterr().err
    from huggingface_hub import ModelCard

    card = ModelCard(f"---\n{(tmp_path / 'card.yaml').read_text(encoding='utf-8')}---\n# r\n")
    [found] = card.data.eval_results  # type: ignore[attr-defined]
    assert (found.dataset_type, found.metric_value, found.dataset_revision) == ("owner/set", 0.5, "abc")
