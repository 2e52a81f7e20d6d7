"""Runs as they should not be: edited scores, no documents, odd names, odd texts. A report or one line of error, never a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.cards import find_card
from evalkit.errors import DataError
from evalkit.report import build, latex, markdown, to_csv
from evalkit.report.json_report import to_json
from evalkit.report.page import write_page
from evalkit.report.plots import draw_all
from evalkit.report.table import Report
from evalkit.store import SavedRun, load_run

NAMES = [
    "<b>bold</b> & \"q\" 's'",
    r"50% & #1 $x$ ~^\foo{bar} $\frac$",
    "a|b_c*d`e`[l](u)",
    "قلعہ مدل",
    "कृत्रिम-२",
    "_hidden",
    "very-long-name-" * 8,
    "two\nlines\x1b[31m",
    " ",
]


def texts(runs: list[SavedRun]) -> Report:
    """Every text form of a report; returns the report."""
    results, card = [run.result for run in runs], [find_card("krutrim2")]
    report = build(results, card, runs)
    for text in (markdown(report), latex(report), to_csv(results, card), to_json(report, results, card)):
        assert text.strip()
    return report


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


ODD = [None, "x", -1, 0, 2.5, 1e300, True, [], {}, ["a"], {"a": 1}, "NaN"]


def test_edited_scores_give_a_report_or_one_line(saved_runs: Any) -> None:
    folder = saved_runs("x", {"hellaswag": [1.0, 0.0, 1.0]}, languages=["hi", "ta", "hi"])
    whole = load_run(saved_runs("whole", {"hellaswag": [1.0, 0.0, 1.0]}))
    payload = json.loads((folder / "scores.json").read_text())
    refused = 0
    for path in list(places(payload))[1:]:
        for odd in ODD:
            edited = json.loads(json.dumps(payload))
            inner = edited
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = odd
            (folder / "scores.json").write_text(json.dumps(edited).replace('"NaN"', "NaN"))
            try:
                run = load_run(folder)
            except DataError as error:
                assert "\n" not in str(error) and "scores.json" in str(error)
                refused += 1
                continue
            build([run.result, whole.result], [find_card("krutrim2")], [run, whole])
    assert refused > 200


def test_no_documents_at_all(saved_runs: Any, tmp_path: Path) -> None:
    run = load_run(saved_runs("none", {"hellaswag": [], "mine": []}))
    report = texts([run, load_run(saved_runs("some", {"hellaswag": [1.0, 0.0]}))])
    titles = [column.title for column in report.comparison[0].columns]
    assert report.comparison[0].rows[0][titles.index("none")].text == "not measured"
    written = write_page(report, [run], tmp_path / "x.html", [])
    assert written.samples == 0
    draw_all([run], [find_card("krutrim2")])


def test_any_name_of_a_model(saved_runs: Any, tmp_path: Path) -> None:
    values = [1.0, 0.0] * 15
    runs = [load_run(saved_runs(f"r{i}", {"hellaswag": values, "</script>|$_": values}, model=name)) for i, name in enumerate(NAMES)]
    report = texts(runs)
    assert report.title.startswith("9 runs, with")
    titles = [row[1].text for row in report.leaderboard[0].rows]
    assert "unnamed" in titles and "two lines [31m" in titles and all(len(title) <= 48 and title.isprintable() for title in titles)
    plots = draw_all(runs, [find_card("krutrim2")])
    assert any("…" in title for title in titles) and len(plots) == 4
    page = write_page(report, runs, tmp_path / "x.html").path.read_text(encoding="utf-8")
    assert "<b>bold" not in page and page.count("</script>") == page.count("<script")


def test_the_same_run_twice(saved_runs: Any) -> None:
    run = load_run(saved_runs("x", {"hellaswag": [1.0, 0.0]}))
    report = texts([run, run])
    assert [row[1].text for row in report.leaderboard[0].rows] == ["x (x) #1", "x (x) #2"]
    assert {row[0].text for row in report.leaderboard[0].rows} == {"1"}


def test_runs_of_other_tasks_have_no_common_row(saved_runs: Any) -> None:
    runs = [load_run(saved_runs(name, {name: [1.0, 0.0]})) for name in ("hellaswag", "mine")]
    report = texts(runs)
    cells = [cell.text.split(" [")[0] for cell in report.leaderboard[0].rows[0]]
    assert cells == ["–", "hellaswag", "1 of 2 measured", "0.500", "0 of 1 measured"]


def test_scores_that_their_samples_contradict(saved_runs: Any) -> None:
    folder = saved_runs("x", {"hellaswag": [1.0, 0.0, 0.0, 0.0]})
    assert not texts([load_run(folder)]).warnings
    payload = json.loads((folder / "scores.json").read_text())
    payload["tasks"]["hellaswag"]["summaries"]["acc"]["value"] = 0.9
    (folder / "scores.json").write_text(json.dumps(payload))
    [warning] = texts([load_run(folder)]).warnings
    assert warning.startswith("x: hellaswag has acc 0.900 of 4 documents in scores.json, but its samples give 0.250; `evalkit score`")


def test_an_unfinished_run_whose_journal_was_cut(evalkit: Any, tmp_path: Path) -> None:
    words = ["run", "task=[hellaswag,gsm8k]", "model=fake", "data=samples", f"run_dir={tmp_path / 'r'}", "progress=none"]
    assert evalkit(*words).code == 0
    folder = tmp_path / "r"
    [journal] = [path for path in folder.glob("*.jsonl") if path.name not in ("samples.jsonl", "plan.jsonl")]
    raw = journal.read_bytes()
    journal.write_bytes(raw[: len(raw) * 2 // 3])  # in the middle of a line
    for name in ("scores.json", "manifest.json"):
        (folder / name).unlink()
    said = evalkit("report", str(folder))
    assert said.code == 0 and "unfinished run" in said.out and "Measured so far: " in " ".join(said.out.split())
    assert not (folder / "scores.json").exists()
    (folder / "plan.jsonl").write_text('{"task": 1}\n')
    said = evalkit("report", str(folder))
    assert said.code == 2 and "plan.jsonl:1 is damaged" in said.error


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_place_that_cannot_be_written(evalkit: Any, saved_runs: Any, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("")
    said = evalkit("report", str(saved_runs("x", {"a": [1.0]})), f"out={tmp_path / out}")
    assert said.code != 0 and "cannot be written" in said.error and "out=DIR" in said.error


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX on this machine")
def test_latex_compiles_whatever_the_names(saved_runs: Any, tmp_path: Path) -> None:
    names = [name for name in NAMES if name.isascii()]
    runs = [load_run(saved_runs(f"r{i}", {"hellaswag": [1.0, 0.0], "|$_{\\": [1.0, 0.0]}, model=n)) for i, n in enumerate(names)]
    (tmp_path / "report.tex").write_text(latex(texts(runs)), encoding="utf-8")
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage[landscape,margin=1cm]{geometry}"
    (tmp_path / "whole.tex").write_text(head + r"\begin{document}\input{report}\end{document}", encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "whole.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and (tmp_path / "whole.pdf").stat().st_size > 10_000, done.stdout[-2000:]
