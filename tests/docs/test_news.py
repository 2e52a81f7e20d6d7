"""Every file in news/ is one that `towncrier build` takes into the changelog."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def test_towncrier_takes_every_fragment() -> None:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "0.0.0", "--date", "2026-01-01"]
    draft = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout
    fragments = [path for path in (REPO / "news").iterdir() if path.name != "README.md"]
    for path in fragments:
        first = path.read_text(encoding="utf-8").split("\n")[0].strip()
        assert first and first in " ".join(draft.split("\n")), (
            f"{path.name} is not named +WORDS.KIND.md, KIND one of scores, added, changed, fixed"
        )
