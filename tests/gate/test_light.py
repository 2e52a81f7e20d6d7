"""A gate in CI starts fast and needs little: no model library, and nothing but requirements/light.txt."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]
# What a light installation lacks. An import of one of them fails here as it would fail there.
ABSENT = (
    *("torch", "transformers", "datasets", "pandas", "matplotlib", "evaluate", "sacrebleu", "pyarrow", "bert_score", "scipy", "hydra"),
    *("omegaconf", "huggingface_hub", "tokenizers", "safetensors", "nltk", "regex", "langdetect", "peft", "accelerate", "openai", "gguf"),
)
PROGRAM = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.partition(".")[0] in {absent!r} else found(name, package)
from evalkit.cli import main
sys.exit(main(sys.argv[1:]))
"""


def light(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(absent=ABSENT)
    environment = {"PYTHONPATH": str(REPO), "PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    return subprocess.run([sys.executable, "-c", program, *words], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture
def runs(saved_runs: Any) -> tuple[str, str]:
    values = {"hellaswag": [1.0, 0.0, 1.0] * 400, "mmlu": [1.0, 0.0] * 500}
    return str(saved_runs("base", values)), str(saved_runs("candidate", values))


COMMANDS: list[tuple[str, list[str], int]] = [
    ("gate", ["gate", "BASE", "CANDIDATE", "out=told", "junit=gate.xml", "ci=github"], 0),
    ("compare", ["compare", "BASE", "CANDIDATE", "out=told"], 0),
    ("plan", ["gate", "plan", "base=BASE"], 0),
    ("schema", ["gate", "schema"], 0),
    ("baseline", ["export", "BASE", "to=baseline", "out=b"], 0),
    ("report", ["report", "BASE"], 0),
    ("two", ["report", "BASE", "CANDIDATE", "out=told"], 0),
    ("error", ["gate", "BASE", "nowhere"], 2),
]


@pytest.mark.parametrize(("words", "code"), [(w, c) for _, w, c in COMMANDS], ids=[name for name, _, _ in COMMANDS])
def test_it_works_without_what_only_models_need(words: list[str], code: int, runs: tuple[str, str], tmp_path: Path) -> None:
    filled = [re.sub("CANDIDATE", runs[1], re.sub("BASE", runs[0], word)) for word in words]
    done = light(*filled, cwd=tmp_path)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    if words[0] == "report":
        assert "pictures left out: matplotlib is not installed" in done.stderr


def test_what_needs_more_says_which_package(tmp_path: Path) -> None:
    done = light("run", "task=hellaswag", "model=fake", cwd=tmp_path)
    assert done.returncode == 2 and "the package hydra is not installed here" in done.stderr and "Traceback" not in done.stderr


def test_a_gate_imports_nothing_heavy(runs: tuple[str, str]) -> None:
    code = (
        "import sys; from evalkit.cli import main; main(sys.argv[1:]); "
        f"sys.stderr.write('heavy:' + ','.join(n for n in {ABSENT!r} if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, "gate", *runs], capture_output=True, text=True, cwd=REPO)
    assert done.stderr.endswith("heavy:"), done.stderr
