"""Scores by language: the numbers in the cells, what was not measured, and labels in every script, shaped."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from evalkit.cards import find_card
from evalkit.report.plots import draw_all
from evalkit.report.plots.figure import styled
from evalkit.report.plots.fonts import families
from evalkit.report.plots.heatmap import OWN_NAMES, heatmap
from evalkit.results import RunResult, TaskResult
from evalkit.store import load_run
from evalkit.store.scores import to_json
from evalkit.types import Summary


def one(value: float | None) -> Summary:
    return Summary("chrf", value, None, None, 3)


def test_every_language_name_can_be_drawn_and_equal_scores_give_equal_bytes() -> None:
    languages = list(OWN_NAMES)
    scores: list[list[Summary | None]] = [
        [one(i / 20) for i in range(len(languages))],
        [None, one(None), *(one(0.5) for _ in languages[2:])],
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a letter no font has
        plot, again = (heatmap("chrF", languages, ["a", "b"], scores, "languages-x") for _ in range(2))
    assert plot == again and plot.png.startswith(b"\x89PNG")
    root = ET.fromstring(plot.svg)
    assert len(root.findall(".//{*}g[@id]")) > 2 * len(languages)


def drawn(folder: Path, text: str) -> int:
    """Glyphs matplotlib places for a text."""
    with styled("x", ["हिन्दी"]) as figure_of:
        figure = figure_of()
        figure.text(0, 0, text)
        figure.savefig(folder / "x.svg")
    return (folder / "x.svg").read_text(encoding="utf-8").count("<use ")


@pytest.mark.parametrize(("text", "parts"), [("क्ष", ("क", "्", "ष")), ("স্ত্রী", tuple("স্ত্রী")), ("ശ്രീ", tuple("ശ്രീ"))])
def test_letters_are_joined_not_set_one_by_one(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    assert 0 < drawn(tmp_path, text) < len(parts)


def test_fonts_come_from_the_package() -> None:
    from matplotlib.font_manager import findfont

    for family in families()[1:]:
        assert "manimgx_fonts" in str(findfont(family, fallback_to_default=False))


def test_nothing_measured_and_one_value() -> None:
    for scores in ([[None, None]], [[one(0.4), None]]):
        assert ET.fromstring(heatmap("x", ["hi", "xx"], ["m"], scores, "n").svg) is not None


def run_of(folder: Path, languages: list[str]) -> Path:
    folder.mkdir()
    score = Summary("chrf_pp", 0.4, None, None, 4, groups={code: one(0.4) for code in languages})
    task = TaskResult("flores_in_en_xx", "chrf_pp", 1, 1, {"chrf_pp": score}, 4, 4)
    (folder / "scores.json").write_text(to_json(RunResult("m", {"flores_in_en_xx": task})), encoding="utf-8")
    (folder / "samples.jsonl").write_text("", encoding="utf-8")
    return folder


def test_a_report_has_one_for_a_benchmark_of_languages(tmp_path: Path) -> None:
    drawn_for = {
        name: [plot.name for plot in draw_all([load_run(run_of(tmp_path / name, codes))], [find_card("krutrim2")])]
        for name, codes in {"languages": ["hi", "ur"], "subjects": ["anatomy", "law"], "one": ["hi"]}.items()
    }
    assert "languages-flores_in_en_xx" in drawn_for["languages"]
    assert not [n for names in (drawn_for["subjects"], drawn_for["one"]) for n in names if n.startswith("languages")]
