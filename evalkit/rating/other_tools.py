"""Sheets for teams that have a tool: Label Studio, Argilla and spreadsheets, and the ratings given there.

What a tool is given is as blind as a page: the ids of a page's prompts, texts, and letters. It keeps our assignment: every
prompt is there once for each of its raters, with the rater's id next to it.

Label Studio: `tasks.json` to import and `labels.xml`, the labeling interface; its JSON export comes back. Argilla: `records.json`
for `dataset.records.from_json` and `settings.json` for `Settings.from_json`; what `dataset.records.to_json` writes comes back; 0
points mean "cannot judge". CSV: a line per answer, with two columns to fill in.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from evalkit.errors import DataError
from evalkit.files import dump, read_text, write_atomic
from evalkit.rating.markup import fingerprint
from evalkit.rating.ratings import CANNOT, Rating, ratings_of, read_record, slot_of
from evalkit.rating.sheet import LETTERS, SCALE, Rater, Sheet, Slot
from evalkit.rating.words import WORDS

COLUMNS = ("sheet", "rater", "prompt_id", "language", "prompt", "letter", "answer", "rating", "comment")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # at the start of a cell a spreadsheet may take the rest for a formula
Places = Iterator[tuple[Rater, Slot]]
_EN = WORDS["en"]


def places(sheet: Sheet) -> Places:
    """Every prompt of every rater, in the order of the pages."""
    return ((rater, slot) for rater in sheet.raters for slot in rater.slots)


def prompt_text(sheet: Sheet, slot: Slot) -> str:
    """The prompt as plain text; turns of a conversation under their roles."""
    turns = sheet.items[slot.item].turns
    if len(turns) == 1:
        return turns[0].content
    return "\n\n".join(f"[{_EN[f'role_{turn.role}']}]\n{turn.content}" for turn in turns)


def answers(sheet: Sheet, slot: Slot) -> dict[str, str]:
    """Letter -> answer."""
    return {LETTERS[i]: sheet.items[slot.item].answers[model] for i, model in enumerate(slot.order)}


def write_label_studio(sheet: Sheet, folder: Path) -> list[Path]:
    """`tasks.json` and `labels.xml`.

    Raises:
        FileError: a file cannot be written.
    """
    tasks = []
    for rater, slot in places(sheet):
        texts = {f"answer_{letter}": text for letter, text in answers(sheet, slot).items()}
        about = {"sheet": sheet.id, "prompt_id": slot.id, "rater": rater.id, "language": sheet.items[slot.item].language}
        tasks.append({"data": {**about, "prompt": prompt_text(sheet, slot), **texts}})
    blocks = []
    for letter in LETTERS[: len(sheet.models)]:
        name = escape(_EN["answer"].format(letter=letter))
        blocks.append(
            f'  <Header value="{name}"/>\n  <Text name="answer_{letter}" value="$answer_{letter}"/>\n'
            f'  <Rating name="rating_{letter}" toName="answer_{letter}" maxRating="{SCALE[1]}"/>\n'
            f'  <Choices name="cannot_{letter}" toName="answer_{letter}" choice="multiple"><Choice value="{_EN["cannot"]}"/></Choices>\n'
            f'  <TextArea name="comment_{letter}" toName="answer_{letter}" rows="1"/>'
        )
    view = "\n".join(["<View>", f'  <Header value="{escape(_EN["guide_task"])}"/>', '  <Text name="prompt" value="$prompt"/>', *blocks])
    return _write(folder, {"tasks.json": dump(tasks), "labels.xml": f"{view}\n</View>\n"})


def write_argilla(sheet: Sheet, folder: Path) -> list[Path]:
    """`records.json` and `settings.json`.

    Raises:
        FileError: a file cannot be written.
    """
    letters = LETTERS[: len(sheet.models)].lower()
    records = []
    for rater, slot in places(sheet):
        texts = {f"answer_{letter.lower()}": text or _EN["empty"] for letter, text in answers(sheet, slot).items()}
        about = {"sheet": sheet.id, "rater": rater.id, "language": sheet.items[slot.item].language}
        record = {"id": slot.id, "fields": {"prompt": prompt_text(sheet, slot), **texts}, "metadata": about}
        records.append({**record, "suggestions": {}, "responses": {}, "vectors": {}})
    scale = [{"value": value} for value in range(SCALE[1] + 1)]
    questions: list[dict[str, Any]] = []
    for letter in letters:
        title = _EN["rate"].format(letter=letter.upper())
        rating = {"type": "rating", "options": scale}
        questions.append({"name": f"rating_{letter}", "title": f"{title} (0: {_EN['cannot']})", "required": True, "settings": rating})
        comment = _EN["comment"].format(letter=letter.upper())
        questions.append({"name": f"comment_{letter}", "title": comment, "required": False, "settings": {"type": "text"}})
    shown = ["prompt", *(f"answer_{letter}" for letter in letters)]
    fields = [{"name": name, "title": name, "required": True, "settings": {"type": "text", "use_markdown": True}} for name in shown]
    guide = "\n\n".join([_EN["guide_task"], _EN["guide_look"], *(f"{n}: {_EN[f'guide_{n}']}" for n in (5, 4, 3, 2, 1)), _EN["guide_blind"]])
    settings = {"guidelines": guide, "allow_extra_metadata": True, "fields": fields, "questions": questions, "metadata": [], "vectors": []}
    return _write(folder, {"records.json": dump(records), "settings.json": dump(settings)})


def write_csv(sheet: Sheet, folder: Path) -> list[Path]:
    """`RATER.csv` for each rater, UTF-8 with a byte order mark, so that spreadsheets read it.

    Raises:
        FileError: a file cannot be written.
    """
    texts = {}
    for rater in sheet.raters:
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for slot in rater.slots:
            for letter, answer in answers(sheet, slot).items():
                shown = [prompt_text(sheet, slot), letter, answer]
                row = [sheet.id, rater.id, slot.id, sheet.items[slot.item].language, *shown, "", ""]
                writer.writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row])
        texts[f"{rater.id}.csv"] = "\ufeff" + out.getvalue()
    return _write(folder, texts)


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    for name, text in texts.items():
        write_atomic(folder / name, text, "out=DIR")
    return [folder / name for name in texts]


WRITERS: dict[str, Callable[[Sheet, Path], list[Path]]] = {
    "label-studio": write_label_studio,
    "argilla": write_argilla,
    "csv": write_csv,
}


def read_label_studio(path: Path, raw: Sequence[Any], sheet: Sheet) -> list[Rating]:
    """Ratings of a JSON export of Label Studio.

    Raises:
        DataError: a task of another sheet, a changed text, an impossible rating, or two annotations of one task.
    """
    given = _Given(sheet)
    for number, task in enumerate(raw, 1):
        data = _mapping(task.get("data"), f"{path}: task {number}")
        where = f"{path}: task {number}"
        done = [one for one in task.get("annotations") or [] if isinstance(one, dict) and not one.get("was_cancelled")]
        if len(done) > 1:
            raise DataError(f"{where}: {len(done)} people annotated it, and it is for one; keep one annotation")
        if not done:
            continue
        points: dict[str, Any] = {}
        comments: dict[str, str] = {}
        for result in done[0].get("result") or []:
            kind, _, letter = str(result.get("from_name", "")).partition("_")
            value = _mapping(result.get("value"), where)
            if kind == "rating":
                points.setdefault(letter, value.get("rating"))
            elif kind == "cannot" and value.get("choices"):
                points[letter] = CANNOT
            elif kind == "comment":
                comments[letter] = " ".join(map(str, value.get("text") or []))
        texts = {"prompt": data.get("prompt"), **{letter: data.get(f"answer_{letter}") for letter in LETTERS[: len(sheet.models)]}}
        given.add(where, data.get("sheet"), str(data.get("rater")), str(data.get("prompt_id")), texts, points, comments)
    return given.ratings()


def read_argilla(path: Path, raw: Sequence[Any], sheet: Sheet) -> list[Rating]:
    """Ratings of records that Argilla wrote.

    Raises:
        DataError: as `read_label_studio`.
    """
    given = _Given(sheet)
    for number, record in enumerate(raw, 1):
        where = f"{path}: record {number}"
        about, fields = _mapping(record.get("metadata"), where), _mapping(record.get("fields"), where)
        points: dict[str, Any] = {}
        comments: dict[str, str] = {}
        for question, said in (record.get("responses") or {}).items():
            kind, _, letter = str(question).partition("_")
            if len(said) > 1:
                raise DataError(f"{where}: {len(said)} people answered it, and it is for one; keep one response")
            value = said[0].get("value") if said else None
            if kind == "rating" and value is not None:
                points[letter.upper()] = CANNOT if value == 0 else value
            elif kind == "comment" and value:
                comments[letter.upper()] = str(value)
        if points:
            texts = {"prompt": fields.get("prompt")}
            for letter in LETTERS[: len(sheet.models)]:
                text = fields.get(f"answer_{letter.lower()}")
                texts[letter] = "" if text == _EN["empty"] else text
            given.add(where, about.get("sheet"), str(about.get("rater")), str(record.get("id")), texts, points, comments)
    return given.ratings()


def read_csv(path: Path, sheet: Sheet) -> list[Rating]:
    """Ratings of a filled-in CSV file; a rating is 1 to 5, or "cannot"; an empty one is not given yet.

    Raises:
        DataError: a missing column, or as `read_label_studio`.
    """
    text = read_text(path, "save it as CSV in UTF-8").removeprefix("\ufeff")
    dialect = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=dialect)
    if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
        raise DataError(f"{path} has no column {missing[0]!r}; its columns are {', '.join(COLUMNS)}")
    slots: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        where = f"{path}:{rows.line_num}"
        mine = slots.setdefault((row["rater"], row["prompt_id"]), {"where": where, "sheet": row["sheet"], "texts": {}, "p": {}, "c": {}})
        letter, said = str(row["letter"]), str(row["rating"] or "").strip().casefold()
        mine["texts"] |= {"prompt": _plain(row["prompt"]), letter: _plain(row["answer"])}
        if said:
            mine["p"][letter] = CANNOT if said.startswith(CANNOT) else _number(said, f"{where}: answer {letter}")
        if row["comment"]:
            mine["c"][letter] = row["comment"]
    given = _Given(sheet)
    for (rater, slot), mine in slots.items():
        if mine["p"]:
            given.add(mine["where"], mine["sheet"], rater, slot, mine["texts"], mine["p"], mine["c"])
    return given.ratings()


def _plain(cell: str | None) -> str:
    text = cell or ""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _number(text: str, where: str) -> int:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = 0.5
    if not value.is_integer():  # nor "nan" and "inf", which are numbers to Python
        raise DataError(f"{where}: {text!r} is no rating; write a whole number from {SCALE[0]} to {SCALE[1]}, or {CANNOT}")
    return int(value)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError(f"{where} is not as the tool was given it; export it again, with its data")
    return value


class _Given:
    """What a tool says, checked against the sheet as a page's file is."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._records: dict[str, dict[str, Any]] = {}

    def add(
        self,
        where: str,
        sheet: Any,
        name: str,
        slot_id: str,
        texts: Mapping[str, Any],
        points: Mapping[str, Any],
        comments: Mapping[str, str],
    ) -> None:
        if sheet != self._sheet.id:
            raise DataError(f"{where} belongs to the sheet {sheet}, not to {self._sheet.id}; sheet=DIR names the folder of its own")
        rater = self._sheet.by_rater.get(name)
        slot = slot_of(rater, slot_id) if rater else None
        if rater is None or slot is None:
            raise DataError(f"{where}: the sheet has no prompt of that id for a rater {name!r}")
        wanted = {"prompt": prompt_text(self._sheet, slot), **answers(self._sheet, slot)}
        for part, text in wanted.items():
            if fingerprint(str(texts.get(part) or "")) != fingerprint(text):
                raise DataError(f"{where}: the text of {part} is not that of the sheet; it was edited in the tool")
        if slot_id in self._records.setdefault(name, {}):
            raise DataError(f"{where}: this prompt is there twice for {name}; keep one of the two")
        raw = {"answers": dict(points), "comments": {k: v for k, v in comments.items() if v}, "text": slot.text}
        self._records[name][slot_id] = read_record(where, slot_id, raw, rater)

    def ratings(self) -> list[Rating]:
        return [one for name, records in self._records.items() for one in ratings_of(self._sheet.by_rater[name], records)]


def read_json(path: Path, sheet: Sheet) -> list[Rating] | None:
    """The ratings of Label Studio's or Argilla's export; None for any other file.

    Raises:
        DataError: as `read_label_studio`.
    """
    try:
        raw = json.loads(read_text(path, "give what the tool exports"))
    except ValueError:
        return None
    if not isinstance(raw, list) or not raw or not all(isinstance(one, dict) for one in raw):
        return None
    try:
        if "data" in raw[0]:
            return read_label_studio(path, raw, sheet)
        return read_argilla(path, raw, sheet) if "fields" in raw[0] else None
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise DataError(f"{path} is not as its tool writes it ({error}); export it again") from error
