"""Label Studio, Argilla and spreadsheets: the sheet goes out blind, the ratings come back the same."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from evalkit.errors import DataError
from evalkit.rating.make import Made
from evalkit.rating.other_tools import WRITERS
from evalkit.rating.ratings import Rating, ratings_of, read_record
from evalkit.rating.sources import read_ratings
from tests.rating.invented import MODELS, Score, answers_of, leaning_scores


def score() -> Score:
    given = leaning_scores()
    return lambda rater, item, model: "cannot" if (item + model) % 9 == 0 else given(rater, item, model)


def expected(made: Made) -> list[Rating]:
    found, given = [], score()
    for rater in made.sheet.raters:
        slots = answers_of(rater, given)
        records = {
            name: read_record("x", name, {"answers": one["answers"], "comments": {"A": "ठीक"}, "text": one["text"]}, rater)
            for name, one in slots.items()
        }
        found += list(ratings_of(rater, records))
    return found


def by_slot(made: Made) -> dict[str, dict[str, int | str]]:
    given = score()
    return {name: one["answers"] for rater in made.sheet.raters for name, one in answers_of(rater, given).items()}


def in_label_studio(folder: Path, made: Made) -> list[Path]:
    """What its export holds once people rated."""
    tasks, given = json.loads((folder / "tasks.json").read_text(encoding="utf-8")), by_slot(made)
    for number, task in enumerate(tasks):
        result = [{"from_name": "comment_A", "to_name": "answer_A", "type": "textarea", "value": {"text": ["ठीक"]}}]
        for letter, value in given[task["data"]["prompt_id"]].items():
            told = {"to_name": f"answer_{letter}", "id": f"x{number}{letter}", "origin": "manual"}
            if value == "cannot":
                result.append({**told, "from_name": f"cannot_{letter}", "type": "choices", "value": {"choices": ["cannot judge"]}})
            else:
                result.append({**told, "from_name": f"rating_{letter}", "type": "rating", "value": {"rating": value}})
        task |= {"id": number, "annotations": [{"id": number, "completed_by": 1, "result": result, "was_cancelled": False}]}
    path = folder / "project-1-export.json"
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return [path]


def in_argilla(folder: Path, made: Made) -> list[Path]:
    records, given = json.loads((folder / "records.json").read_text(encoding="utf-8")), by_slot(made)
    for record in records:
        answers = given[record["id"]]
        said = {f"rating_{k.lower()}": [{"value": 0 if v == "cannot" else v, "user_id": "u"}] for k, v in answers.items()}
        record["responses"] = {**said, "comment_a": [{"value": "ठीक", "user_id": "u"}]}
    path = folder / "back.json"
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return [path]


def in_a_spreadsheet(folder: Path, made: Made, delimiter: str = ",") -> list[Path]:
    given, paths = by_slot(made), []
    for rater in made.sheet.raters:
        path = folder / f"{rater.id}.csv"
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
        for row in rows:
            row |= {"rating": str(given[row["prompt_id"]][row["letter"]]), "comment": "ठीक" if row["letter"] == "A" else ""}
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        paths.append(folder / f"back-{rater.id}.csv")
        paths[-1].write_text(out.getvalue(), encoding="utf-8")
    return paths


Rate = Callable[[Path, Made], list[Path]]
TOOLS: dict[str, Rate] = {"label-studio": in_label_studio, "argilla": in_argilla, "csv": in_a_spreadsheet}


@pytest.mark.parametrize("tool", list(TOOLS))
def test_ratings_come_back_as_they_were_given(room: Made, tmp_path: Path, tool: str) -> None:
    WRITERS[tool](room.sheet, tmp_path / tool)
    back = read_ratings(TOOLS[tool](tmp_path / tool, room), room.sheet)
    assert sorted(back, key=repr) == sorted(expected(room), key=repr)


def test_a_spreadsheet_of_another_country(room: Made, tmp_path: Path) -> None:
    WRITERS["csv"](room.sheet, tmp_path)
    assert len(read_ratings(in_a_spreadsheet(tmp_path, room, ";"), room.sheet)) == len(expected(room))


@pytest.mark.parametrize("tool", list(TOOLS))
def test_what_a_tool_is_given_is_blind(room: Made, tmp_path: Path, tool: str) -> None:
    for path in WRITERS[tool](room.sheet, tmp_path / tool):
        text = path.read_text(encoding="utf-8").lower()
        assert not [
            word for word in (*MODELS, "zebrafish", "quokka", room.sheet.secret, str(tmp_path), "open_prompts") if word.lower() in text
        ]


@pytest.mark.parametrize("tool", list(TOOLS))
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("SHEET", "0000000000", "belongs to the sheet 0000000000"), ("small waves", "big waves", "it was edited in the tool")],
    ids=["sheet", "text"],
)
def test_what_was_changed_in_a_tool_is_refused(room: Made, tmp_path: Path, tool: str, old: str, new: str, said: str) -> None:
    WRITERS[tool](room.sheet, tmp_path / tool)
    paths = TOOLS[tool](tmp_path / tool, room)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(room.sheet.id if old == "SHEET" else old, new), encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_ratings(paths, room.sheet)


@pytest.mark.parametrize("tool", list(TOOLS))
def test_a_rating_off_the_scale_is_refused(room: Made, tmp_path: Path, tool: str) -> None:
    WRITERS[tool](room.sheet, tmp_path / tool)
    change: dict[str, tuple[str, str]] = {
        "label-studio": ('{"rating": 3}', '{"rating": 7}'),
        "argilla": ('"value": 3', '"value": 9'),
        "csv": ("", ""),
    }
    paths = TOOLS[tool](tmp_path / tool, room)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if tool == "csv":
            rows = list(csv.reader(io.StringIO(text, newline="")))
            rows[1][7] = "7"
            out = io.StringIO(newline="")
            csv.writer(out).writerows(rows)
            path.write_text(out.getvalue(), encoding="utf-8")
        else:
            path.write_text(text.replace(*change[tool]), encoding="utf-8")
    with pytest.raises(DataError, match="a whole number from 1 to 5"):
        read_ratings(paths, room.sheet)


@pytest.mark.parametrize("said", ["nan", "inf", "4.5", "good"])
def test_a_cell_that_is_no_rating_is_refused(room: Made, tmp_path: Path, said: str) -> None:
    WRITERS["csv"](room.sheet, tmp_path / "csv")
    path = tmp_path / "csv" / "r0.csv"
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    rows[1][7] = said
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(DataError, match=f"r0.csv:.*answer A: '{said}' is no rating; write a whole number"):
        read_ratings([path], room.sheet)


@pytest.mark.parametrize(
    "raw",
    [
        [{"data": {}, "annotations": [{"result": ["x"]}]}],
        [{"data": {}, "annotations": 3}],
        [{"id": "q", "fields": {}, "metadata": {}, "responses": {"rating_a": 3}}],
        [{"id": "q", "fields": {}, "metadata": {}, "responses": [1]}],
    ],
)
def test_an_export_of_another_shape_is_one_line(room: Made, tmp_path: Path, raw: Any) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(DataError, match=r"export\.json"):
        read_ratings([path], room.sheet)


def test_two_people_on_one_task_are_refused(room: Made, tmp_path: Path) -> None:
    WRITERS["label-studio"](room.sheet, tmp_path)
    (path,) = in_label_studio(tmp_path, room)
    tasks: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    tasks[3]["annotations"] *= 2
    path.write_text(json.dumps(tasks), encoding="utf-8")
    with pytest.raises(DataError, match=r"task 4: .*2 people annotated it"):
        read_ratings([path], room.sheet)


def test_the_labelling_interface_is_xml_that_names_every_answer(room: Made, tmp_path: Path) -> None:
    WRITERS["label-studio"](room.sheet, tmp_path)
    view = ElementTree.fromstring((tmp_path / "labels.xml").read_text(encoding="utf-8"))
    assert [one.get("toName") for one in view.iter("Rating")] == ["answer_A", "answer_B", "answer_C", "answer_D"]
    shown = {str(one.get("value")).removeprefix("$") for one in view.iter("Text")}
    task = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))[0]["data"]
    assert shown <= set(task)


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    from evalkit.rating.assign import Plan
    from evalkit.rating.gather import Gathered
    from evalkit.rating.make import make
    from tests.rating.invented import item

    answers = ("=HYPERLINK(A1)", "+1", "-2 is right", "@sum")
    made = make(Gathered(MODELS, (item(0, "en", answers),)), {"a": ()}, Plan(1, 0, 0, 1), tmp_path / "s")
    WRITERS["csv"](made.sheet, tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text(encoding="utf-8-sig"), newline="")))
    assert all(row["answer"][0] == "'" for row in rows)
    assert len(read_ratings(in_a_spreadsheet(tmp_path, made), made.sheet)) == 4
