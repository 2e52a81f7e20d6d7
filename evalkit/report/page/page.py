"""From a report and its runs to the text of one HTML file."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from evalkit import numbers
from evalkit.files import write_atomic
from evalkit.report.page.blocks import Blocks
from evalkit.report.page.listing import fill, index, inert, listings
from evalkit.report.rows import names
from evalkit.report.table import Cell, Column, Report, Table
from evalkit.store import MergedRun, SavedRun

MAX_BYTES = 20_000_000  # a page stays below this, so that mail, CI artifacts and browsers take it
SCRIPTS = ("page.js", "tables.js", "samples.js")


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot as SVG text, and what it shows in words."""

    title: str
    svg: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What a page holds: its file, its size, samples inside and samples left out to stay under the limit."""

    path: Path
    bytes: int
    samples: int
    left_out: int


def write_page(
    report: Report, runs: Sequence[SavedRun | MergedRun], path: Path, pictures: Sequence[Picture] = (), max_bytes: int = MAX_BYTES
) -> Written:
    """Write the page whole or not at all. Equal reports and samples give equal bytes.

    Args:
        max_bytes: where all samples would make the file larger, every task keeps its first ones only, and the page says so.

    Raises:
        DataError: a damaged `samples.jsonl`.
        JournalError: the file cannot be written.
    """
    tasks = listings(runs)
    blocks = Blocks()
    fill(tasks, blocks, max_bytes - _bytes(_html(report, "", blocks, pictures)))
    text = _html(report, inert(index(names([run.result for run in runs]), tasks)), blocks, pictures)
    write_atomic(path, text, "out=DIR")
    shown = sum(task.kept for task in tasks)
    return Written(path, _bytes(text), shown, sum(task.total for task in tasks) - shown)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def _html(report: Report, light: str, blocks: Blocks, pictures: Sequence[Picture]) -> str:
    own = files("evalkit.report.page")
    shell = own.joinpath("page.html").read_text(encoding="utf-8")
    script = "\n".join(own.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    stored = "\n".join(f'<script type="text/plain" id="block-{name}">{text}</script>' for name, text in blocks.texts.items())
    parts = {
        "title": html.escape(report.title),
        "style": own.joinpath("style.css").read_text(encoding="utf-8"),
        "warnings": "".join(f'<p class="warning" role="note">{html.escape(line)}</p>' for line in report.warnings),
        "tables": "".join(map(_table, (*report.leaderboard, *report.comparison, *report.lengths))),
        "legend": _items(report.legend),
        "more": "".join(map(_table, (*((report.measures,) if report.measures else ()), *report.breakdowns))),
        "details": "".join(
            f"<details><summary>{html.escape(detail.label)}</summary><ul>{_items(detail.lines)}</ul></details>" for detail in report.details
        ),
        "pictures": "".join(map(_picture, pictures)),
        "blocks": stored,
        "index": light,
        "script": script,
    }
    pieces = shell.split("{{")
    return pieces[0] + "".join(parts[name] + rest for name, _, rest in (piece.partition("}}") for piece in pieces[1:]))


def _items(lines: Sequence[str]) -> str:
    return "".join(f"<li>{html.escape(line)}</li>" for line in lines)


def _picture(picture: Picture) -> str:
    about = f"<figcaption>{html.escape(picture.about or picture.title)}</figcaption>"
    return f'<figure aria-label="{html.escape(picture.title)}">{picture.svg}{about}</figure>'


def scores_first(table: Table) -> Table:
    """The table with its scores next to the name, so that a narrow window shows both; a leaderboard keeps its ranks in front."""
    if table.name == "leaderboard":
        return table

    def place(column: Column) -> int:
        with_score = column.ours or column.title in ("Difference", "Verdict") or column.title.endswith(", printed")
        return 0 if column.key else 1 if with_score else 3 if column.published else 2

    order = sorted(range(len(table.columns)), key=lambda i: place(table.columns[i]))
    return replace(table, columns=tuple(table.columns[i] for i in order), rows=tuple(tuple(row[i] for i in order) for row in table.rows))


def _classes(table: Table, place: int) -> str:
    column = table.columns[place]
    name = next((i for i, one in enumerate(table.columns) if one.key), 0)
    told = {"ours": column.ours, "published": column.published, "name": place == name}
    return " ".join([column.align, *(word for word, holds in told.items() if holds)])


def _table(table: Table) -> str:
    table = scores_first(table)
    head = "".join(
        f'<th scope="col" class="{_classes(table, place)}"><button type="button">{html.escape(column.title)}</button></th>'
        for place, column in enumerate(table.columns)
    )
    rows = "".join("<tr>" + "".join(_cell(cell, i, table) for i, cell in enumerate(row)) + "</tr>" for row in table.rows)
    marks = "".join(f"<li><sup>{html.escape(mark)}</sup> {html.escape(text)}</li>" for mark, text in table.footnotes)
    return (
        f'<section class="table"><header><h3>{html.escape(table.title)}</h3>'
        f'<input type="search" placeholder="Filter rows" aria-label="Filter the rows of {html.escape(table.title)}"></header>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        + (f'<ul class="footnotes">{marks}</ul>' if marks else "")
        + "</section>"
    )


def _cell(cell: Cell, place: int, table: Table) -> str:
    texts = dict(table.footnotes)
    marks = "".join(f'<sup title="{html.escape(texts.get(mark, ""))}">{html.escape(mark)}</sup>' for mark in cell.marks)
    below = f"<small>{html.escape(cell.below)}</small>" if cell.below else ""
    classes = _classes(table, place)
    classes += " missing" if numbers.MISSING.search(cell.text) else ""
    tag = "th" if "name" in classes.split() else "td"
    scope = ' scope="row"' if tag == "th" else ""
    return f'<{tag}{scope} class="{classes}">{html.escape(cell.text)}{marks}{below}</{tag}>'
