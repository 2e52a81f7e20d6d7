"""The Tab key: what fits the end of a line, and the script in a real bash."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.commands import COMMANDS
from evalkit.commands.completion import fitting

FITS = {
    "evalkit re": ["report"],
    "evalkit ls su": ["suites"],
    "evalkit rate co": ["collect"],
    "evalkit run ta": ["task="],
    "evalkit run task=hel": ["task=hellaswag"],
    "evalkit run task=[hellaswag,gsm8k_": ["task=[hellaswag,gsm8k_cot_zeroshot"],
    "evalkit run task=[mmlu,mmlu": ["task=[mmlu,mmlu_cloze"],
    "evalkit run model=smollm2_135m model.batch": ["model.batch_tokens="],
    "evalkit run task=mmlu tasks.mmlu.num": ["tasks.mmlu.num_fewshot="],
    "evalkit run missing=": ["missing=refuse", "missing=skip"],
    "evalkit gate a b missing=": ["missing=refuse", "missing=fail", "missing=ignore"],
    "evalkit export r to=lm": ["to=lm-eval"],
    "evalkit show task=mmlu lim": [],
    "evalkit merge r into=": [],
    "evalkit nonsense x": [],
}


@pytest.mark.parametrize("line", FITS)
def test_what_fits(line: str) -> None:
    assert fitting(line) == FITS[line]


def test_commands_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/runs/fake-mmlu-1").mkdir(parents=True)
    assert set(COMMANDS) <= set(fitting("evalkit "))
    assert fitting("evalkit compare res") == ["results/runs/fake-mmlu-1"]


def test_the_shell_is_named(evalkit: Callable[..., Any]) -> None:
    assert "#compdef evalkit" in evalkit("completion", "zsh").out
    assert "give a shell, bash or zsh" in evalkit("completion", "fish").error and evalkit("completion").code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_in_bash(tmp_path: Path) -> None:
    """`=` ends a word in bash, so what is before it is not repeated."""
    script = f"""
        evalkit() {{ {sys.executable} -m evalkit "$@"; }}
        eval "$(evalkit completion bash)"
        COMP_WORDBREAKS=$' \\t\\n"><=;|&(:'
        for COMP_LINE in 'evalkit run task=hella' 'evalkit rep'; do COMP_POINT=${{#COMP_LINE}}; _evalkit; echo "${{COMPREPLY[@]}}"; done
    """
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.stdout.splitlines() == ["hellaswag", "report"], done.stderr
