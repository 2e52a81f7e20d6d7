"""Help of every command, from the one declaration that the commands read their words with; what is said, and how loudly."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit.commands import COMMANDS
from evalkit.commands.rate import ACTIONS
from evalkit.commands.usage import USAGE, help_of, help_of_all, words_of
from evalkit.paths import conf_dir

OURS = [name for name in USAGE if name != "execute"]  # argparse's own


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """A command sets how much is logged; other tests have it as it was."""
    loggers = (logging.getLogger(), logging.getLogger("evalkit"))
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def test_every_command_and_action_is_declared() -> None:
    assert {name for name in USAGE if " " not in name} == set(COMMANDS)
    assert {name.removeprefix("rate ") for name in USAGE if name.startswith("rate ")} == set(ACTIONS)


@pytest.mark.parametrize("name", OURS)
def test_help_of_each(evalkit: Callable[..., Any], name: str) -> None:
    for flag in ("--help", "-h"):
        said = evalkit(*name.split(), flag)
        assert said.code == 0 and not said.err and said.out == help_of(name)
    assert said.out.startswith(f"evalkit {name}") and USAGE[name].about in said.out


@pytest.mark.parametrize("name", USAGE)
def test_the_words_of_the_usage_line_are_those_that_are_taken(name: str) -> None:
    """Every `[word=…]` of the first line has a line that explains it, or is one of a run's."""
    named = set(re.findall(r"\[([\w.]+)=", USAGE[name].usage))
    run = {"languages", "limit", "results_dir", "tasks.NAME.SETTING", "NAME"}
    assert named <= {*words_of(name), *run} and all(USAGE[name].words.values())


def test_help_of_a_run_has_every_setting(evalkit: Callable[..., Any]) -> None:
    settings = yaml.safe_load((conf_dir() / "config.yaml").read_text(encoding="utf-8")).keys() - {"defaults", "hydra", "tasks"}
    said = evalkit("run", "--help").out
    assert all(f"\n  {name}=" in said for name in settings)
    assert "\n  limit=" not in evalkit("show", "--help").out and "\n  chat=" in evalkit("show", "--help").out


def test_help_of_all_names_every_command(evalkit: Callable[..., Any]) -> None:
    said = evalkit("--help").out
    assert said == help_of_all() == evalkit().out
    assert all(f"  evalkit {name} " in said or f"  evalkit {name}\n" in said for name in COMMANDS)
    assert evalkit("help", "merge").out == help_of("merge")


@pytest.mark.parametrize("name", ["compare", "gate", "report", "merge", "export", "rate serve", "gate plan"])
def test_a_word_that_no_command_has(evalkit: Callable[..., Any], name: str) -> None:
    said = evalkit(*name.split(), "a", "b", "frobnicate=1")
    assert said.code == 2 and not said.out and "error:" in said.err


# ---- how much ----


def test_the_comparison_alone_unless_all_is_asked_for(evalkit: Callable[..., Any], tmp_path: Path) -> None:
    words = ["run", "task=[mmlu,gsm8k]", "model=fake", "data=samples", "run_dir=run"]
    more = ("Every measure", "Rows and protocol", "task mmlu v1")
    brief = evalkit(*words)
    assert "Measured scores" in brief.out and not any(text in brief.out for text in more) and "detail=all" in brief.out
    files, page = brief.err.rstrip().splitlines()[-2:]
    assert files.startswith("wrote run: report.md, report.csv") and page.startswith("wrote run/report.html: ")
    assert "task mmlu v1" in (tmp_path / "run/report.md").read_text()
    for again in (words, ["score", "run"], ["report", "run"], ["merge", "run", "into=joined", "overwrite=true"]):
        assert evalkit(*again).out.replace("joined/", "run/") == brief.out, again
        whole = evalkit(*again, "detail=all")
        assert all(text in whole.out for text in more) and whole.out.count("\n") > 2 * brief.out.count("\n"), again
        assert evalkit(*again, "detail=some").code == 2, again


# ---- how loudly ----

RUN = ["run", "task=hellaswag", "model=fake", "data=samples", "limit=2", "run_dir=run"]


def started(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "EVALKIT_LOG")}
    command = [sys.executable, "-m", "evalkit", *words]
    return subprocess.run(command, cwd=cwd, env=environment | variables, capture_output=True, text=True, check=False)


def test_v_says_more_and_q_less(tmp_path: Path) -> None:
    more = started(*RUN, "-v", cwd=tmp_path).stderr
    assert "INFO: run directory: run" in more and "INFO: hellaswag: 2 documents, 0 shots; rows: sample rows" in more
    usual = started(*RUN, "overwrite=true", cwd=tmp_path)
    assert "INFO" not in usual.stderr and usual.returncode == 0
    shown = ["show", "task=[mmlu,flores_in_en_xx]", "data=samples", "languages=hi", "n=1"]
    assert "WARNING: languages=hi leaves these as they are" in started(*shown, cwd=tmp_path).stderr
    assert started("-q", *shown, cwd=tmp_path).stderr == started(*shown, cwd=tmp_path, EVALKIT_LOG="error").stderr == ""
    assert "requests" not in started(*RUN[:-1], "run_dir=quiet", "-q", cwd=tmp_path).stderr


def test_the_level_may_come_from_the_environment(tmp_path: Path) -> None:
    assert "INFO: run directory: run" in started(*RUN, cwd=tmp_path, EVALKIT_LOG="info").stderr
    wrong = started("ls", cwd=tmp_path, EVALKIT_LOG="loud")
    assert wrong.returncode == 2 and wrong.stderr == "error: EVALKIT_LOG=loud is unknown; use debug, info, warning, error\n"


def test_no_color(tmp_path: Path) -> None:
    """The words of no-color.org: set and not empty, no colour, even where colours are asked for."""
    coloured = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|38|9[0-7])")
    assert coloured.search(started(*RUN, cwd=tmp_path, FORCE_COLOR="1", TERM="xterm-256color").stdout)
    assert not coloured.search(started(*RUN, cwd=tmp_path, FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").stdout)
