"""A language model as one more rater: read, kept, told next to people, and never in their column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, DataError, ModelError
from evalkit.models.base import Capabilities, WorkItem
from evalkit.rating.agreement import alpha
from evalkit.rating.collect import collect
from evalkit.rating.judge import judge, judge_prompt, points
from evalkit.rating.make import Made
from evalkit.rating.ratings import Rating
from evalkit.rating.sources import read_ratings
from evalkit.rating.told import agreement_of, told
from evalkit.types import GenerateRequest, Request, Response
from tests.conftest import Evalkit
from tests.rating.invented import MODELS, leaning_scores, write_files


class Judge:
    """Says 1 plus the number of list marks in the answer; every fifth time nothing that can be read."""

    name = "wise"
    capabilities = Capabilities(loglikelihood=False, generate=True, chat=True)

    def __init__(self, says: str = "") -> None:
        self.says = says
        self.asked: list[str] = []

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        return [WorkItem(f"k{i}", "judge", r.doc_id, 0, "generate", request=r) for i, r in enumerate(requests)]

    def answer(self, items: Sequence[WorkItem], done: AbstractSet[str]) -> Iterator[list[Response]]:
        for number, one in enumerate(items):
            if one.key not in done:
                assert isinstance(one.request, GenerateRequest) and not isinstance(one.request.prompt, str)
                self.asked.append(one.request.prompt[-1].content)
                said = self.says or ("hard to say" if number % 5 == 4 else f"Rating: {1 + number % 4}")
                yield [Response(one.key, "ok", text=said)]

    def identity(self) -> Mapping[str, Any]:
        return {"judge": 1}

    def describe(self) -> Mapping[str, Any]:
        return {"judge": 1}


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("4", 4), (" 5\n", 5), ("Rating: 3", 3), ("**2**", 2), ("4/5", 4), ("I give 1.", 1), ("5 points", 5), ("14", None), ("3.5", None),
        ("0", None), ("6", None), ("", None), ("four", None), ("10/10", None),
        ("Write a single number from 1 to 5 and nothing else.", None), ("On a scale of 1-5 this is a 4.", 4),
        ("My rating is 2 out of 5", 2),
        ("It has 2 faults and deserves a 4", None), ("3: useful in part, but 2 things are missing", 3), ("The answer: 5/5", 5),
    ],
)  # fmt: skip
def test_which_number_was_given(said: str, value: int | None) -> None:
    assert points(Response("k", "ok", text=said)) == value


def test_a_judge_is_one_more_rater_in_a_column_of_its_own(room: Made, tmp_path: Path) -> None:
    model, folder = Judge(), tmp_path / "room"
    path, judged = judge(room.sheet, model, "wise", folder)
    assert len(model.asked) == 24 * 4 and 0 < len(judged) < 24 * 4
    for text in model.asked:
        assert not [name for name in MODELS if name in text]
    again = Judge()
    assert judge(room.sheet, again, "wise", folder)[1] == judged and not again.asked  # what was said is kept
    files = write_files(room, tmp_path / "back", leaning_scores())
    alone = collect(room.sheet, read_ratings(files, room.sheet), tmp_path / "alone")
    both = collect(room.sheet, read_ratings([*files, path], room.sheet), tmp_path / "both")
    for name in MODELS:
        for task, result in both.runs[name].tasks.items():
            people = alone.runs[name].tasks[task]
            assert result.headline == "rating" and result.summaries["rating"] == people.summaries["rating"]
            assert "judge_wise" in result.summaries and "judge_wise" not in people.summaries
    assert both.leaning == alone.leaning
    text = told(room.sheet, both)
    assert "## Language models as raters: never part of people's means" in text and "| judge_wise |" in text


def test_a_judge_alone_is_never_in_people_s_column(room: Made, tmp_path: Path) -> None:
    path, _ = judge(room.sheet, Judge(), "wise", tmp_path / "room")
    done = collect(room.sheet, read_ratings([path], room.sheet), tmp_path / "runs")
    result = done.runs["axolotl"].tasks["rating_reasoning"]
    assert result.headline == "judge_wise" and list(result.summaries) == ["judge_wise"]
    assert "no people: a language model's ratings alone" in result.source
    assert "no people's ratings" in told(room.sheet, done)


def test_a_judge_that_cannot_be_read_is_one_line(room: Made, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no rating could be read from what wise said \(first: 'Sorry"):
        judge(room.sheet, Judge("Sorry, I cannot."), "wise", tmp_path / "room")


def test_a_damaged_or_foreign_judge_s_file(room: Made, tmp_path: Path) -> None:
    path, _ = judge(room.sheet, Judge(), "wise", tmp_path / "room")
    raw = json.loads(path.read_text(encoding="utf-8"))
    for change, said in (
        ({"sheet": "0" * 10}, "belongs to the sheet 0000000000"),
        ({"judge": "r1"}, "has the name of a person"),
        ({"ratings": [{"item": 99, "model": 0, "value": 3}]}, "is no rating of this sheet"),
        ({"ratings": [{"item": 0, "model": 0, "value": 9}]}, "is no rating of this sheet"),
        ({"ratings": 7}, "is damaged"),
    ):
        path.write_text(json.dumps({**raw, **change}), encoding="utf-8")
        with pytest.raises(DataError, match=said):
            read_ratings([path], room.sheet)


def test_the_judge_sees_what_a_rater_sees(room: Made) -> None:
    item = room.sheet.items[5]
    text = judge_prompt(item, item.answers[0])
    assert item.turns[0].content in text and item.answers[0] in text and "5: Very good" in text and "1: Very bad" in text


def test_judging_from_the_command_line(room: Made, tmp_path: Path, evalkit: Evalkit) -> None:
    said = evalkit("rate", "judge", str(tmp_path / "room"), "model=fake")
    assert said.code in (0, 4)  # hashes may hold a number from 1 to 5, or none
    assert "evalkit rate judge DIR model=NAME" in evalkit("rate", "judge", str(tmp_path / "room")).error
    assert "has the id of a rater" in evalkit("rate", "judge", str(tmp_path / "room"), "model=fake", "name=r1").error


def test_a_judge_is_held_against_people_and_not_people_against_each_other() -> None:
    points = [1, 2, 3, 4, 5] * 4
    people = [Rating(who, item, 0, value) for who in "abcdef" for item, value in enumerate(points)]
    same, other = (
        [Rating("wise", item, 0, change(value), judge=True) for item, value in enumerate(points)] for change in (int, lambda v: 6 - v)
    )
    assert agreement_of(same, people).value == pytest.approx(1)
    found = agreement_of(other, people)
    assert found.value is not None and found.value < -0.5 and (found.answers, found.raters) == (120, 2)
    assert (alpha([*other, *people]).value or 0) > 0.4  # six people who agree would hide it
    assert agreement_of(same, []).value is None


def test_no_sheet(tmp_path: Path) -> None:
    from evalkit.rating.sheet import read_sheet

    with pytest.raises(ConfigError, match="is no folder of a sheet"):
        read_sheet(tmp_path)
