"""Files of ratings become runs: every file checked, then leaderboard, paired tests, page, charts and exports as for any run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.compare import compare
from evalkit.errors import ConfigError, DataError
from evalkit.rating.collect import collect
from evalkit.rating.make import Made
from evalkit.rating.ratings import read_files
from evalkit.rating.saved import means_by, read_rated
from evalkit.rating.sources import read_ratings
from evalkit.rating.told import pair, told
from evalkit.store import load_run
from tests.conftest import Evalkit
from tests.rating.invented import MODELS, answers_of, file_of, leaning_scores, write_files

LEANINGS = {"r0": 0.9, "r1": -0.9, "r2": 0.5, "r3": -0.5, "r4": 0.0, "r5": 0.0}


@pytest.fixture
def files(room: Made, tmp_path: Path) -> list[Path]:
    return write_files(room, tmp_path / "back", leaning_scores(leanings=LEANINGS))


def test_a_run_per_model_that_everything_else_reads(room: Made, files: list[Path], tmp_path: Path, evalkit: Evalkit) -> None:
    done = collect(room.sheet, read_files(files, room.sheet), tmp_path / "runs")
    folders = sorted(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert [path.name for path in folders] == sorted(re.sub(r"[^\w.+-]", "_", model) for model in MODELS)
    runs = [load_run(done.runs[model].path or Path()) for model in MODELS]
    for run in runs:
        assert list(run.result.tasks) == ["rating_creative_writing", "rating_reasoning"]
        for name, result in run.result.tasks.items():
            assert (result.headline, result.n_docs, result.coverage) == ("rating", 12, 1.0)
            values = run.columns[name].metrics["rating"].values
            assert result.score.value == pytest.approx(float(values.mean()))  # so that tests can be rebuilt from the samples
            assert set(result.score.groups) == {"en", "hi", "ta", "ur"}
            assert result.summaries["mean_rating"].value == pytest.approx(1 + 4 * (result.score.value or 0))
            assert result.score.ci and result.score.ci[0] < (result.score.value or 0) < result.score.ci[1]
    found = [run.result.tasks["rating_reasoning"].score.value or 0 for run in runs]
    assert found == sorted(found)  # the models' order was planned
    assert compare(runs[3], runs[0]).exit_code == 10
    told_of = compare(runs[0], runs[3])
    assert {row.verdict for row in told_of.rows} == {"improved"}
    said = evalkit("report", *map(str, folders), "out=report", "detail=all")
    assert said.code == 0 and "Leaderboard" in said.out and "Krippendorff's alpha (ordinal)" in said.out
    page = Path("report/report.html").read_text(encoding="utf-8")
    assert "ratings-category" in page and "ratings-language" in page
    assert {"ratings-category.svg", "ratings-language.png"} <= {path.name for path in Path("report/plots").iterdir()}
    assert evalkit("export", str(folders[0]), "to=lm-eval").code == 0


def test_means_are_those_of_first_ratings_prompt_by_prompt(room: Made, files: list[Path], tmp_path: Path) -> None:
    ratings = read_files(files, room.sheet)
    done = collect(room.sheet, ratings, tmp_path / "runs")
    for model, name in enumerate(MODELS):
        by_prompt: dict[int, list[int]] = {}
        for one in ratings:
            if one.model == model and not one.repeat and room.sheet.items[one.item].category == "reasoning":
                by_prompt.setdefault(one.item, []).append(one.value or 0)
        expected = sum(sum(given) / len(given) for given in by_prompt.values()) / len(by_prompt)
        assert done.runs[name].tasks["rating_reasoning"].summaries["mean_rating"].value == pytest.approx(expected)
        rated = read_rated(done.runs[name].path or Path())
        assert means_by(rated, "category")["reasoning"].value == pytest.approx(expected)
    assert sum(one.repeat for one in ratings) == 6 * 2 * 4


def test_samples_say_who_rated_without_saying_who_it_is(room: Made, files: list[Path], tmp_path: Path) -> None:
    """Leaderboard, `compare` and `gate` need to know that a rater repeats; the labels of two runs of one sheet are the same."""
    done = collect(room.sheet, read_files(files, room.sheet), tmp_path / "runs")
    runs = [load_run(done.runs[model].path or Path()) for model in MODELS]
    names = []
    for run in runs:
        column = run.columns["rating_reasoning"].metrics["rating"]
        given = column.ratings
        assert given is not None and len(given.names) == 6 and not set(given.names) & set(LEANINGS)
        means = np.bincount(given.docs, weights=given.values) / np.bincount(given.docs)
        assert means == pytest.approx(column.values)
        names.append(sorted(given.names))
        text = (run.path / "samples.jsonl").read_text(encoding="utf-8")
        assert not any(f'"{rater}"' in text for rater in LEANINGS)
    assert all(one == names[0] for one in names)
    row = compare(runs[1], runs[2]).tasks[0]
    wanted = pair(room.sheet, [one for one in done.ratings if room.sheet.items[one.item].category == "creative_writing"], 2, 1)
    assert row.task == "rating_creative_writing" and wanted.stderr is not None and wanted.value is not None
    assert (row.difference, row.stderr) == pytest.approx((wanted.value / 4, wanted.stderr / 4))  # 1 to 5 as 0 to 1


def test_leanings_are_found_and_taken_out(room: Made, files: list[Path], tmp_path: Path) -> None:
    done = collect(room.sheet, read_files(files, room.sheet), tmp_path / "runs")
    for rater, leaning in LEANINGS.items():
        assert done.leaning[rater] == pytest.approx(leaning, abs=0.3)
    plain, level = (done.runs["axolotl"].tasks["rating_reasoning"].summaries[name] for name in ("mean_rating", "mean_rating_level"))
    assert level.stderr is not None and plain.stderr is not None and level.stderr < plain.stderr


def test_cannot_judge_is_not_measured_and_never_a_number(room: Made, tmp_path: Path) -> None:
    score = leaning_scores()
    paths = write_files(
        room, tmp_path / "back", lambda rater, item, model: "cannot" if item == 4 or model == 2 else score(rater, item, model)
    )
    done = collect(room.sheet, read_files(paths, room.sheet), tmp_path / "runs")
    narwhal = done.runs["narwhal/9B"].tasks["rating_reasoning"].score
    assert (narwhal.value, narwhal.n, narwhal.n_not_measured) == (None, 0, 12)
    others = done.runs["axolotl"].tasks["rating_reasoning"].score
    assert (others.n, others.n_not_measured) == (11, 1)
    assert "could not judge" in " ".join(done.runs["axolotl"].tasks["rating_reasoning"].notes)


Change = Callable[[dict[str, Any]], Any]


def first(raw: dict[str, Any]) -> dict[str, Any]:
    return dict(next(iter(raw["slots"].values())))


def put(raw: dict[str, Any], **more: Any) -> dict[str, Any]:
    name = next(iter(raw["slots"]))
    return {**raw, "slots": {**raw["slots"], name: {**raw["slots"][name], **more}}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: put(raw, answers={"A": 0}), "a whole number from 1 to 5"),
        (lambda raw: put(raw, answers={"A": 6}), "a whole number from 1 to 5"),
        (lambda raw: put(raw, answers={"A": 2.5}), "a whole number from 1 to 5"),
        (lambda raw: put(raw, answers={"A": True}), "a whole number from 1 to 5"),
        (lambda raw: put(raw, answers={"A": "5"}), "a whole number from 1 to 5"),
        (lambda raw: put(raw, answers={"E": 5}), "there is no answer 'E'; the answers are A, B, C, D"),
        (lambda raw: put(raw, text="0" * 16), "was shown another text than the sheet has"),
        (lambda raw: {**raw, "slots": {**raw["slots"], "q123": first(raw)}}, "has no such prompt"),
        (lambda raw: {**raw, "signature": "0" * 32}, "the signature is not that of the page"),
        (lambda raw: {**raw, "sheet": "ffffffffff"}, "belongs to the sheet ffffffffff, not to"),
        (lambda raw: {**raw, "rater": "r9"}, "the sheet has no rater 'r9'; did you mean r"),
        (lambda raw: {**raw, "format": "evalkit-rating/9"}, "of format 'evalkit-rating/9'"),
        (lambda raw: {"hello": 1}, "is no file of ratings"),
        (lambda raw: [raw], "is no file of ratings"),
        (lambda raw: "", "is no file of ratings"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(room: Made, tmp_path: Path, change: Change, said: str) -> None:
    rater = room.sheet.raters[0]
    raw = change(file_of(room.sheet, rater, answers_of(rater, leaning_scores())))
    if isinstance(raw, dict) and "slots" in raw:
        raw = {**raw, "check": file_of(room.sheet, rater, raw["slots"])["check"]}
    path = tmp_path / "back.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(said)) as error:
        read_files([path], room.sheet)
    assert "\n" not in str(error.value) and "back.json" in str(error.value)


def test_a_rating_that_was_edited_in_the_file_is_noticed(room: Made, files: list[Path]) -> None:
    text = files[0].read_text(encoding="utf-8")
    files[0].write_text(text.replace('"A": 1', '"A": 5').replace('"A": 2', '"A": 5'), encoding="utf-8")
    with pytest.raises(DataError, match="was edited after the page saved it"):
        read_files(files, room.sheet)


def test_no_rater_twice(room: Made, files: list[Path], tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    again.write_bytes(files[2].read_bytes())
    for read in (read_files, read_ratings):
        with pytest.raises(DataError, match=r"the ratings of r2 are in .*rating-r2.json too"):
            read([*files, again], room.sheet)


def test_half_done_files_count_as_far_as_they_go(room: Made, tmp_path: Path) -> None:
    rater = room.sheet.raters[1]
    path = tmp_path / "half.json"
    path.write_text(json.dumps(file_of(room.sheet, rater, answers_of(rater, leaning_scores(), part=0.5))), encoding="utf-8")
    ratings = read_files([path], room.sheet)
    assert 0 < len(ratings) < len(rater.slots) * 4
    done = collect(room.sheet, ratings, tmp_path / "runs")
    score = done.runs["axolotl"].tasks["rating_reasoning"].score
    assert score.n < 12 and score.ci is None and score.no_interval  # one rater: nothing is known of how far raters vary
    text = told(room.sheet, done)
    assert "## Mean ratings, 1 to 5\n" in text and "A mean without an interval has too few prompts or raters" in text


def test_the_page_of_what_was_found(room: Made, files: list[Path], tmp_path: Path) -> None:
    text = told(room.sheet, collect(room.sheet, read_files(files, room.sheet), tmp_path / "runs"))
    assert "A mean without an interval" not in text
    for heading in ("Mean ratings, 1 to 5, with 95% intervals", "Differences", "Preferred", "Raters", "Agreement"):
        assert f"## {heading}" in text
    rows = re.findall(r"^\| (axolotl|zebrafish-7b-instruct) \| 0\.(\d\d)", text, re.MULTILINE)
    assert [name for name, _ in rows] == ["axolotl", "zebrafish-7b-instruct"]  # the most preferred first
    assert re.search(r"\| r0 \| \d+ of \d+ \| \+0\.[5-9]", text)


def test_collecting_from_the_command_line(room: Made, files: list[Path], tmp_path: Path, evalkit: Evalkit) -> None:
    said = evalkit("rate", "collect", *map(str, files), "into=runs", f"sheet={tmp_path / 'room'}")
    assert said.code == 0 and "Mean ratings" in said.out and Path("runs/ratings.md").read_text(encoding="utf-8") == said.out
    assert evalkit("rate", "collect", *map(str, files), "into=runs", f"sheet={tmp_path / 'room'}").code == 0  # the same again
    assert "holds another run" in evalkit("rate", "collect", str(files[0]), "into=runs", f"sheet={tmp_path / 'room'}").error
    assert "sheet=DIR names the folder" in evalkit("rate", "collect", "/nowhere/x.json", "into=/nowhere/out").error
    assert "evalkit rate collect FILES" in evalkit("rate", "collect").error


def test_nobody_rated(room: Made, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody has given a rating yet"):
        collect(room.sheet, [], tmp_path / "runs")
    with pytest.raises(ConfigError, match=r"no key\.json near"):
        from evalkit.rating.sheet import find_sheet

        find_sheet([tmp_path / "nothing" / "here" / "at" / "all"])
