"""The measured part of docs/indic.md is what finished runs hold, and nothing that was invented."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.store import load_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("indic_page")
    sys.modules.pop("indic_page", None)


@pytest.fixture
def runs(evalkit: Any, tmp_path: Path) -> list[Path]:
    for code, word in (("hi", "किला"), ("ta", "கோட்டை")):
        for split in ("dev", "test"):
            rows = [
                {"source": f"{word} {i}", "target": f"fort {split} {i}", "lang": code, "translation_direction": "xxen"} for i in range(4)
            ]
            file = tmp_path / f"data/flores_in/{code}/{split}.jsonl"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    common = ("run", "task=flores_in_en_xx", "languages=[hi,ta]", "data=local", f"data.root={tmp_path / 'data'}", "progress=none")
    made = []
    for name in ("one", "two"):
        made.append(tmp_path / name)
        assert evalkit(*common, "model=fake", f"model.name={name}", f"run_dir={made[-1]}").code == 0
    return made


def test_a_column_a_model_a_table_by_language_and_a_picture(page: Any, runs: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "page.md"
    text.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    assert page.main([*map(str, runs), "--page", str(text)]) == 0
    written = text.read_text(encoding="utf-8")
    assert written.startswith(f"before\n{page.BEGIN}\n| benchmark | measure | n | one | two |\n") and written.endswith(
        f"{page.END}\nafter\n"
    )
    score = load_run(runs[0]).result.tasks["flores_in_en_xx"].score
    assert f"| FloresIN Translation en-xx | chrf_pp | 8 | {page.numbers.measured(score)} |" in written and "old" not in written
    hindi = page.numbers.score(score.groups["hi"].value)
    assert f"\n| hi | {hindi} |" in written and "\n| ta |" in written
    assert (tmp_path / "indic-flores_in_en_xx.png").read_bytes().startswith(b"\x89PNG") and "](indic-flores_in_en_xx.png)" in written


def test_what_would_mislead_is_refused(page: Any, runs: list[Path], evalkit: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"one has been measured on flores_in_en_xx in an earlier run"):
        page.merged([load_run(run).result for run in (runs[0], runs[1], runs[0])])
    evalkit("run", "task=flores_in_en_xx", "model=fake", "data=samples", "limit=4", "progress=none", f"run_dir={tmp_path / 'invented'}")
    with pytest.raises(SystemExit, match="flores_in_en_xx ran on sample rows"):
        page.merged([load_run(tmp_path / "invented").result])
    (tmp_path / "bare.md").write_text("no marks", encoding="utf-8")
    with pytest.raises(SystemExit, match="lacks the line"):
        page.main([str(runs[0]), "--page", str(tmp_path / "bare.md")])
