"""Reading a run directory: numbers as arrays, lines on demand, and one line for every kind of damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.results import RunResult, TaskResult
from evalkit.store import Unfinished, load_run
from evalkit.store.scores import to_json
from evalkit.types import Summary


def sample(doc: str, value: float | None, task: str = "qa", **more: Any) -> dict[str, Any]:
    score = {"value": value, "prediction": "x", "flags": more.pop("flags", []), **({"stats": s} if (s := more.pop("stats", None)) else {})}
    return {"task": task, "doc": doc, "row": 0, "prompt": "क्या?", **more, "target": "y", "responses": [], "scores": {"acc": score}}


def write(folder: Path, samples: list[dict[str, Any]], **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    names = dict.fromkeys(s["task"] for s in samples)
    tasks = {n: TaskResult(n, "acc", 0, 1, {"acc": Summary("acc", 0.5, None, None, 2)}, 2, 2) for n in names}
    (folder / "scores.json").write_text(to_json(RunResult("m", tasks)), encoding="utf-8")
    lines = "".join(json.dumps(s, ensure_ascii=False, separators=(",", ":")) + "\n" for s in samples)
    (folder / "samples.jsonl").write_text(lines, encoding="utf-8", errors="backslashreplace")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "manifest.json").write_text('{"python": "3.11"}', encoding="utf-8")
    return folder


def test_columns_hold_every_number(tmp_path: Path) -> None:
    lines = [
        sample("a/0", 1.0, language="hi", group="g", cluster="c"),
        sample("a/1", None, flags=["error"]),
        sample("a/2", 0.0, flags=["invalid"], stats=[1.0, 2.0]),
        sample("b/0", 0.25, task="other"),
    ]
    run = load_run(write(tmp_path / "r", lines, model={"name": "alpha"}))
    assert run.result.manifest["python"] == "3.11"
    qa = run.columns["qa"]
    assert (qa.docs, qa.languages) == (("a/0", "a/1", "a/2"), ("hi", None, None))
    assert (qa.groups, qa.clusters) == (("g", None, None), ("c", None, None))
    column = qa.metrics["acc"]
    np.testing.assert_array_equal(column.values, [1.0, np.nan, 0.0])
    assert column.invalid.tolist() == [False, False, True]
    assert column.stats is not None and column.stats.tolist() == [[0, 0], [0, 0], [1, 2]]
    assert run.columns["other"].metrics["acc"].stats is None
    assert [run.sample_at(o)["doc"] for o in qa.offsets] == list(qa.docs)
    assert [s["doc"] for s in run.samples("other")] == ["b/0"] and len(list(run.samples())) == 4
    assert qa.asked[0] == qa.asked[1] and qa.place["a/2"] == 2


def test_other_prompts_have_other_hashes(tmp_path: Path) -> None:
    run = load_run(write(tmp_path / "r", [sample("0", 1.0), sample("1", 1.0, prompt="else"), sample("2", 1.0, pairs=[["a", "b"]])]))
    assert len(set(run.columns["qa"].asked.tolist())) == 3


def test_a_lone_surrogate_is_no_damage(tmp_path: Path) -> None:
    run = load_run(write(tmp_path / "r", [sample("0", 1.0, prompt="\ud800 odd"), sample("1", 0.0)]))
    assert run.columns["qa"].metrics["acc"].values.tolist() == [1.0, 0.0]
    assert next(iter(run.samples()))["prompt"] == "\ud800 odd"


def test_a_run_without_samples_or_configuration(tmp_path: Path) -> None:
    folder = write(tmp_path / "r", [sample("0", 1.0)])
    for name in ("samples.jsonl", "config.json", "manifest.json"):
        (folder / name).unlink()
    run = load_run(folder)
    assert run.columns == {} and list(run.samples()) == [] and not run.has_samples
    assert load_run(folder / "scores.json").path == folder


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("scores.json", "{", "scores.json is not valid JSON"),
        ("scores.json", '{"schema": 1, "model": "m", "complete": true, "tasks": []}', "is no file of scores"),
        ("scores.json", '{"schema": 9}', "has schema 9"),
        ("config.json", "nope", "config.json is damaged"),
        ("manifest.json", "[", "manifest.json is damaged"),
    ],
)
def test_damage_is_one_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    folder = write(tmp_path / "r", [sample("0", 1.0)])
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=said) as caught:
        load_run(folder)
    assert "\n" not in str(caught.value)


ODD = ['{"task":"qa","doc":"1"', "[1]", '{"task":"qa"}', '{"task":"qa","doc":"1","scores":{"acc":{"value":"x"}}}']


@pytest.mark.parametrize("line", ODD)
def test_a_damaged_sample_names_its_line(tmp_path: Path, line: str) -> None:
    folder = write(tmp_path / "r", [sample("0", 1.0)])
    with (folder / "samples.jsonl").open("a") as handle:
        handle.write(line)
    with pytest.raises(DataError, match=r"samples\.jsonl:2 is damaged"):
        _ = load_run(folder).columns


def test_a_document_twice_is_refused(tmp_path: Path) -> None:
    run = load_run(write(tmp_path / "r", [sample("0", 1.0), sample("0", 0.0)]))
    with pytest.raises(DataError, match="twice"):
        _ = run.columns


def test_unfinished_and_no_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a run directory"):
        load_run(tmp_path)
    (tmp_path / "plan.jsonl").write_text("")
    with pytest.raises(Unfinished, match="repeat its command"):
        load_run(tmp_path)
    run = load_run(tmp_path, rescore=lambda folder: RunResult("m", {}))
    assert not run.result.complete and not run.has_samples and run.result.path == tmp_path
