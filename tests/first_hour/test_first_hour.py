"""The first hour of three people, played; and the lines that must be there for nobody to stumble."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.first_hour.journeys import JOURNEYS, Step, play

# What the screen of a command must have, by the beginning of what is typed after `evalkit `; None: no such command fails otherwise.
SEEN: dict[str, dict[str, tuple[int, list[str]]]] = {
    "researcher": {
        "": (0, ["evalkit run task=hellaswag model=smollm2_135m limit=100", "evalkit COMMAND --help"]),
        "run --model hf": (2, ["evalkit run 'task=[hellaswag,gsm8k]' model=hf model.path=./my-checkpoint model.dtype=bfloat16"]),
        "run task=hellaswag model=hf": (4, ["model.path=./my-checkpoint does not exist; give a folder, a hub id"]),
        "run hellaswag": (2, ["write task=hellaswag"]),
        "run task=helaswag": (2, ["did you mean hellaswag?"]),
        "run task=hellaswag model=fake data=samples languages=hi": (2, ["languages=hi changes nothing"]),
        "show task=gsm8k": (0, ["[generates] at most 512 tokens, greedy, ends before 'Question:' or"]),
        "plan": (0, ["documents", "tokens to read", "time: "]),
        "run 'task=[hellaswag,gsm8k,mmlu]'": (0, ["sample rows, not the benchmark", "/report.md", "/report.html: 12 samples"]),
        "run 'task=[hellaswag,winogrande,gsm8k]' model=fake data=local data.root=mirror missing=skip": (
            0,
            ["not measured", "no rows: no file mirror/winogrande", "wrote part/report.html: 12 samples"],
        ),
        "run 'task=[hellaswag,winogrande,gsm8k]'": (
            3,
            ["2 of 3 tasks have no rows here: winogrande, gsm8k", "missing=skip measures the other task"],
        ),
        "run card=krutrim2": (0, ["English / Code / Math (sample rows, not the benchmark)", "GPT-4o", "wrote card/report.html: 9 samples"]),
        "score part": (0, ["not measured"]),
        "report part": (0, ["Every measure", "Rows and protocol", "wrote again/report.html"]),
    },
    "ci": {
        "run": (0, ["100%"]),
        "compare": (
            0,
            [
                "No regression seen, but these documents could hardly have shown one",
                "the same is true of 2 more rows",
                "sample rows, not the benchmark",
            ],
        ),
        "gate base candidate out": (12, ["NOT ENOUGH EVIDENCE", "documents are needed for 80%", "wrote decision/gate.md"]),
        "gate base candidate polcy": (2, ["did you mean policy? Usage: evalkit gate BASE CANDIDATE"]),
        "gate base": (2, ["needs two runs, not base"]),
        "gate plan": (0, ["Too few documents in base to decide", "less than a minute at the base run's speed"]),
        "export": (0, ["wrote main.baseline"]),
    },
    "leaderboard": {
        "run": (0, ["sample rows, not the benchmark"]),
        "import": (0, ["imported/imported-harness"]),
        "report runs/* other": (0, ["Leaderboard", "fake #1: fake-", "wrote board/report.html"]),
        "report runs/* nowhere": (2, ["nowhere is not a run directory"]),
        "export other to=model-index": (0, ["left out: mmlu: measured on sample rows"]),
        "export other to=lm-eval": (0, ["wrote other.json"]),
    },
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Step]]:
    return cache(lambda journey: play(journey, tmp_path_factory.mktemp(journey)))


@pytest.mark.parametrize("journey", JOURNEYS)
def test_nobody_stumbles(journey: str, played: Callable[[str], list[Step]]) -> None:
    for step in played(journey):
        code, lines = _expected(journey, step)
        assert step.code == code, step.screen
        for line in lines:
            assert line in " ".join(step.screen.split()), f"no {line!r} in\n{step.screen}"
        _is_plain(step)


def _expected(journey: str, step: Step) -> tuple[int, list[str]]:
    typed = step.typed.removeprefix("evalkit").strip()
    matching = [begin for begin in SEEN[journey] if typed.startswith(begin)]
    return SEEN[journey][max(matching, key=len)]


def _is_plain(step: Step) -> None:
    """An error is one line, and it is the last; a note is not repeated; no line of Python's."""
    errors = [line for line in step.err.splitlines() if line.startswith("error:")]
    assert len(errors) == (1 if step.code in (2, 3, 4) else 0), step.screen
    if errors:
        assert step.err.splitlines()[-1] == errors[0] and not step.out, step.screen
    assert "Traceback" not in step.screen and "Warning" not in step.screen, step.screen
    assert step.screen.count("sample rows, not the benchmark") <= 2 * (4 if "-m" in step.typed else 3), step.screen


def test_a_second_time_says_that_nothing_was_asked(played: Callable[[str], list[Step]]) -> None:
    first, again = (step for step in played("researcher") if "mmlu]'" in step.typed)
    assert "12 requests to answer" in first.err and "all 12 answers are kept from before" in again.err
