"""The report's benchmark runs, and writes its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
MARKERS = ("<!-- report table: written by benchmarks/report.py -->", "<!-- end of report table -->")


def test_it_measures_every_stage_and_writes_a_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("\n".join(MARKERS))
    words = ["--models", "2", "--tasks", "3", "--samples", "40", "--markdown", str(page)]
    done = subprocess.run(
        [sys.executable, str(REPO / "benchmarks" / "report.py"), *words], capture_output=True, text=True, cwd=REPO, check=False
    )
    assert done.returncode == 0, done.stderr
    line = page.read_text(encoding="utf-8").splitlines()[3].split(" | ")
    assert line[0] == "| 2 models × 3 benchmarks × 40 samples" and line[6].endswith("MB, 240 samples") and line[-1] == "– |"
    assert "0 left out" in done.stdout


def test_the_page_has_its_markers() -> None:
    text = (REPO / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text.index(MARKERS[0]) < text.index(MARKERS[1])
