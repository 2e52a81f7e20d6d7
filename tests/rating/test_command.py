"""`evalkit rate` at the command line, from prompts to a chart, and what it says of wrong words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evalkit.errors import DataError
from evalkit.rating.published import read_published
from evalkit.rating.sheet import read_sheet
from tests.conftest import Evalkit
from tests.rating.invented import answers_of, file_of, leaning_scores

PROMPTS = [
    {"id": f"{language}/{i}", "language": language, "category": category, "prompt": f"{text} {i}"}
    for language, text in (("en", "Say something about tea."), ("hi", "चाय पर कुछ कहिए।"))
    for category in ("creative_writing", "reasoning")
    for i in range(3)
]
PROMPTS = [{**row, "id": f"{row['category']}/{row['id']}"} for row in PROMPTS]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in PROMPTS), encoding="utf-8")
    return path


def ask(evalkit: Evalkit, prompts: Path, name: str, seed: int) -> str:
    said = evalkit("rate", "ask", "model=fake", f"model.name={name}", f"model.seed={seed}", f"prompts={prompts}", "progress=none")
    assert said.code == 0, said.err
    return said.out.strip()


def test_categories_and_languages_of_the_shipped_prompts(evalkit: Evalkit) -> None:
    """Models are asked what was chosen, and nothing else; another choice is another run."""
    words = ("model=fake", "model.name=wombat", "languages=hi,en", "limit=6", "progress=none")
    said = evalkit("rate", "ask", *words, "categories=[coding,reasoning]")
    assert said.code == 0, said.err
    told = [json.loads(line) for line in (Path(said.out.strip()) / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (
        len(told) == 6 and {one["group"] for one in told} == {"coding", "reasoning"} and {one["language"] for one in told} == {"hi", "en"}
    )
    other = evalkit("rate", "ask", *words)
    assert other.code == 0 and other.out != said.out
    wrong = evalkit("rate", "ask", *words, "categories=sumarisation")
    assert wrong.code == 2 and "prompts.jsonl has nothing in 'sumarisation'; did you mean summarisation?" in wrong.error
    assert "\n" not in wrong.error.strip()


def write_card(folder: Path) -> None:
    """A card that prints mean ratings: one is a range, one is of a column that nobody ran."""
    folder.mkdir()
    (folder / "card.yaml").write_text(
        "title: T\nedition: first\nsource: s\ncolumns: {Quoll-7B: [quoll]}\ntables: {t: {title: T, rows: {r: {label: R, task: null, "
        "not_comparable: printed only}}}}\n",
        encoding="utf-8",
    )
    (folder / "cells.csv").write_text("table,row,column,score,note\nt,r,Quoll-7B,0.5,\n", encoding="utf-8")
    (folder / "ratings.csv").write_text(
        "by,name,column,score,note\ncategory,reasoning,Quoll-7B,3.6-3.9,read off\nlanguage,hi,Other-9B,4.1,\n", encoding="utf-8"
    )


def test_from_prompts_to_a_chart(evalkit: Evalkit, prompts: Path, tmp_path: Path) -> None:
    folders = [ask(evalkit, prompts, name, seed) for seed, name in enumerate(("wombat", "numbat", "quoll"))]
    assert ask(evalkit, prompts, "wombat", 0) == folders[0]
    said = evalkit("rate", "make", *folders, "raters=4", "per_prompt=2", "calibration=1", "seed=5", "out=sheet")
    assert said.code == 0 and "12 prompts × 3 models, seed=5" in said.out and said.out.count(".html") == 4
    sheet = read_sheet(Path("sheet"))
    assert [model for model in sheet.models] == ["wombat", "numbat", "quoll"] and sheet.runs == tuple(folders)
    assert {item.category for item in sheet.items} == {"creative_writing", "reasoning"}
    said = evalkit("rate", "make", *folders, "languages=hi,ta", "out=other")
    assert "languages=hi,ta: the runs have nothing in 'ta'; there are en, hi" in said.error
    said = evalkit("rate", "make", *folders, "categories=[reasonning]", "out=other")
    assert said.code == 2 and "categories=reasonning: the runs have nothing in 'reasonning'; did you mean reasoning?" in said.error
    assert evalkit("rate", "make", *folders, "categories=[reasoning]", "out=part").code == 0
    assert {item.category for item in read_sheet(Path("part")).items} == {"reasoning"}
    Path("few.jsonl").write_text('{"id": "asha", "languages": []}\n{"id": "jo", "languages": ["gu"]}\n', encoding="utf-8")
    few = evalkit("rate", "make", *folders, "raters=few.jsonl", "per_prompt=1", "languages=hi", "out=few")
    assert few.code == 0 and "no prompt is left for jo, so no page" in few.err and few.out.count(".html") == 1 and "page in hi" in few.out
    assert evalkit("rate", "make", *folders, "out=sheet").code == 2  # a folder with a sheet stays as it is
    Path("back").mkdir()
    score = leaning_scores()
    for rater in sheet.raters:
        Path(f"back/{rater.id}.json").write_text(json.dumps(file_of(sheet, rater, answers_of(rater, score))), encoding="utf-8")
    said = evalkit("rate", "collect", "back", "into=rated", "sheet=sheet")
    assert said.code == 0 and "| quoll |" in said.out
    write_card(Path("card"))
    said = evalkit("report", "rated/wombat", "rated/quoll", "card=card", "out=report")
    assert said.code == 0 and Path("report/plots/ratings-category.svg").is_file()
    assert "were read off a picture" in Path("report/report.html").read_text(encoding="utf-8")
    assert evalkit("compare", "rated/quoll", "rated/wombat").code == 10
    said = evalkit("rate", "plan", "from=back")
    assert said.code == 2 and "no key.json near" in said.error
    Path("sheet/ratings").mkdir()
    for file in Path("back").iterdir():
        file.rename(Path("sheet/ratings") / file.name)
    said = evalkit("rate", "plan", "from=sheet", "raters=8")
    assert said.code == 0 and "from these ratings" in said.out and "8 raters, 3 per prompt" in said.out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("category,reasoning,Quoll-7B,many,", "score='many' is neither a number nor a range"),
        ("category,reasoning,Quoll-7B,0.4,", "is not on the scale of 1 to 5"),
        ("category,reasoning,Quoll-7B,3.9-3.6,", "is not on the scale of 1 to 5"),
        ("subject,reasoning,Quoll-7B,3,", "by is category or language"),
        ("category,reasoning,Quoll-7B", "3 fields, not 5"),
    ],
)
def test_a_published_rating_that_cannot_be_read(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "ratings.csv").write_text(f"by,name,column,score,note\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"ratings\.csv:2: .*{re.escape(told)}"):
        read_published(tmp_path / "ratings.csv")


def test_models_asked_in_other_words_are_not_set_side_by_side(evalkit: Evalkit, prompts: Path) -> None:
    first = ask(evalkit, prompts, "wombat", 0)
    prompts.write_text(prompts.read_text(encoding="utf-8").replace("tea", "coffee"), encoding="utf-8")
    second = ask(evalkit, prompts, "quoll", 1)
    assert re.search(r"was asked in other words in .*quoll.* than in .*wombat", evalkit("rate", "make", first, second, "out=s").error)


def test_other_tasks_can_be_rated_and_rankings_cannot(evalkit: Evalkit) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        words = ("task=[gsm8k,hellaswag]", "model=fake", f"model.name={name}", f"model.seed={seed}", "data=samples", f"run_dir={name}")
        assert evalkit("run", *words).code == 0
    said = evalkit("rate", "make", "a", "b", "limit=5", "out=s")
    assert said.code == 0 and "left out: hellaswag ranks choices" in said.err and "5 prompts × 2 models" in said.out
    assert {item.category for item in read_sheet(Path("s")).items} == {"gsm8k"}
    assert "ranks choices by log-likelihood" in evalkit("rate", "make", "a", "b", "task=hellaswag", "out=s2").error
    assert "not every run has the task 'gsm8'; did you mean gsm8k?" in evalkit("rate", "make", "a", "b", "task=gsm8", "out=s2").error


def test_wrong_words_are_one_line(evalkit: Evalkit, tmp_path: Path) -> None:
    raters = tmp_path / "raters.jsonl"
    for words, told in (
        ((), "evalkit rate ask|make"),
        (("mak",), "did you mean make?"),
        (("make",), "out=DIR says where"),
        (("make", "out=s"), "two models at least"),
        (("make", "x", "y", "out=s"), "x is not a run directory"),
        (("make", "out=s", "rater=3"), "rater=3 means nothing"),
        (("make", "out=s", "raters=nobody"), "raters=nobody is neither a number nor a file"),
        (("make", "out=s", "raters=0"), "raters=0 is no number of people"),
        (("make", "out=s", "named=maks"), "named=maks is unknown; did you mean mask?"),
        (("make", "out=s", "page=fr"), "page=fr: the pages do not speak it"),
        (("make", "out=s", "seed=x"), "seed=x is not a whole number"),
        (("ask",), "no model to ask"),
        (("ask", "model=fake", "prompts=/nowhere"), "/nowhere does not exist"),
        (("serve",), "evalkit rate serve DIR"),
        (("serve", "/nowhere"), "is no folder of a sheet"),
        (("export", "/nowhere", "to=excel"), "to=excel is unknown"),
        (("plan", "points=9"), "points=9 is no difference"),
        (("plan", "prompts=1"), "two prompts and two raters are the least"),
    ):
        error = evalkit("rate", *words).error
        assert told in error, (words, error)
    for line, told in (
        ('{"id": "a"}', "raters.jsonl:1: no rater"),
        ('{"id": "../a", "languages": []}', "does not fit into a file name"),
        ('{"id": "a", "languages": ["xx"]}', "'xx' is no known language code"),
        ('{"id": "a", "languages": []}\n{"id": "A", "languages": []}', "raters.jsonl:2: the rater 'A' is listed twice"),
        ("", "names no rater"),
    ):
        raters.write_text(line, encoding="utf-8")
        assert told in evalkit("rate", "make", "out=s", f"raters={raters}").error
