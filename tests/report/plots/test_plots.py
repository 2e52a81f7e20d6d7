"""Pictures: the numbers behind them, and that equal scores give equal bytes."""

from __future__ import annotations

import json
import math
import struct
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from evalkit.cards import find_card
from evalkit.report.plots import Plot, draw_all
from evalkit.report.plots.draw import curves
from evalkit.report.plots.figure import COLOURS, fold
from evalkit.report.plots.samples import LEAST, binned, by_length, calibration, calibration_error
from evalkit.report.plots.scores import bars
from evalkit.results import RunResult, TaskResult
from evalkit.stats import confidence
from evalkit.store import SavedRun, load_run
from evalkit.store.scores import to_json
from evalkit.types import Summary


def saved(folder: Path, model: str, samples: int, value: float | None = 0.5) -> SavedRun:
    folder.mkdir(parents=True)
    score = Summary("acc", value, 0.05, (0.4, 0.6) if value is not None else None, samples, signature="acc")
    run = RunResult(model, {"winogrande": TaskResult("winogrande", "acc", 0, 1, {"acc": score}, samples, samples)})
    (folder / "scores.json").write_text(to_json(run), encoding="utf-8")
    lines = [
        {
            "task": "winogrande",
            "doc": f"validation/{i}",
            "pairs": [["a", " c"], ["b", " c"]],
            "target": i % 2,
            "responses": [{"status": "ok", "loglikelihoods": [-1.0 - i % 3, -2.0], "context_tokens": 10 + i}],
            "scores": {"acc": {"value": float(i % 2 == 0), "prediction": 0, "flags": []}},
        }
        for i in range(samples)
    ]
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return load_run(folder)


def test_confidence_is_the_softmax_of_the_best() -> None:
    assert confidence([math.log(0.2), math.log(0.6), math.log(0.2)]) == pytest.approx(0.6)
    assert confidence([-5000.0, -5000.0]) == 0.5
    assert confidence([-math.inf, 0.0]) == 1.0 and math.isnan(confidence([-math.inf, -math.inf]))


def test_bins_hold_equal_shares_and_never_split_equals() -> None:
    points = binned([(float(i), float(i >= 50)) for i in range(100)], bins=4)
    assert [p.n for p in points] == [25] * 4 and [p.share for p in points] == [0, 0, 1, 1]
    assert [p.n for p in binned([(1.0, 1.0)] * 30 + [(2.0, 0.0)], bins=4)] == [30, 1]
    assert binned([]) == []
    assert all(0 <= p.low <= p.share <= p.high <= 1 for p in points)


def test_calibration_error_of_a_known_case() -> None:
    # Half the samples say 0.9 and are right 0.8 of the time, half say 0.6 and are right 0.6 of the time.
    pairs = [(0.9, float(i < 40)) for i in range(50)] + [(0.6, float(i < 30)) for i in range(50)]
    assert calibration_error(binned(pairs)) == pytest.approx(0.05)


def test_too_few_samples_draw_no_curve() -> None:
    few = {"task": [(0.5, 1.0)] * (LEAST - 1)}
    assert calibration([few], ["m"], "x", "x") is None and by_length([few], ["m"], "x", "x") is None


def test_every_picture_is_whole_and_the_same_again(tmp_path: Path) -> None:
    runs = [saved(tmp_path / "a", "a", 60), saved(tmp_path / "b", "b", 60)]
    first, second = draw_all(runs, [find_card("krutrim2")]), draw_all(runs, [find_card("krutrim2")])
    assert [plot.name for plot in first] == ["intervals-1", "bars-1", "calibration-1", "length-1", "calibration-2", "length-2"]
    assert first == second
    for plot in first:
        assert ET.fromstring(plot.svg).tag.endswith("svg") and plot.png.startswith(b"\x89PNG")
    ids = [set(element.get("id", plot.name) for element in ET.fromstring(plot.svg).iter()) - {plot.name} for plot in first]
    assert not ids[2] & ids[4], "ids of two pictures in one page collide"


def test_many_runs_share_the_panels_of_their_samples(tmp_path: Path) -> None:
    runs = [saved(tmp_path / name, name, 60) for name in "abcd"]
    plots = draw_all(runs, [find_card("krutrim2")])
    assert [plot.name for plot in plots] == ["intervals-1", "bars-1", "calibration-1", "length-1"]
    assert plots[2].title == "4 runs: calibration" and "with 95% intervals" not in plots[3].about


def test_many_bars_stand_in_rows() -> None:
    def height(groups: int) -> float:
        score = Summary("acc", 0.5, 0.05, (0.4, 0.6), 50)
        drawn = bars("t", [f"g{i}" for i in range(groups)], ["a", "b"], [[score] * groups] * 2, "x")
        return float(ET.fromstring(drawn.svg).get("height", "0").removesuffix("pt"))

    assert height(7) == height(2) < height(8) < height(15)


def test_curves_are_the_measured_samples_alone(tmp_path: Path) -> None:
    run = saved(tmp_path / "a", "a", 3)
    lines = [json.loads(line) for line in (tmp_path / "a" / "samples.jsonl").read_text().splitlines()]
    lines[0]["scores"]["acc"]["value"] = None
    lines[1]["responses"] = []
    (tmp_path / "a" / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    confident, long = curves(load_run(run.path))
    sure = math.exp(-2.0) / (math.exp(-3.0) + math.exp(-2.0))
    assert {task: pairs.tolist() for task, pairs in long.items()} == {"winogrande": [[12.0, 1.0]]}
    assert {task: pairs.tolist() for task, pairs in confident.items()} == {"winogrande": [[pytest.approx(sure), 0.0]]}


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    runs = [saved(tmp_path / "a", "a", 3, None), saved(tmp_path / "b", "b", 3)]
    assert [plot.name for plot in draw_all(runs, [find_card("krutrim2")])] == ["intervals-1", "bars-1"]


def test_saved_as_both_kinds(tmp_path: Path) -> None:
    plot = Plot("name", "title", "about", "<svg/>", b"png")
    assert [path.name for path in plot.save(tmp_path)] == ["name.svg", "name.png"]
    assert (tmp_path / "name.png").read_bytes() == b"png"


def test_gaps_take_no_room_and_a_long_legend_folds(saved_runs: Any) -> None:
    """Sixteen models that measured a benchmark each: as tall as the scores need, and in the legend the colours of the bars."""
    names = [f"organisation-of-researchers/model-{i}-7B-instruct" for i in range(16)]
    runs = [load_run(saved_runs(f"m{i}", {f"task{i % 8}": [1.0, 0.0] * 10}, model=name)) for i, name in enumerate(names)]
    for plot in draw_all(runs, [])[:2]:
        (height,) = struct.unpack(">I", plot.png[20:24])
        assert 600 < height < 1600, plot.name
    assert all(colour.lower() in plot.svg for colour in COLOURS)
    assert fold("organisation-of-researchers/model-1", 26).splitlines() == ["organisation-of-", "researchers/model-1"]
