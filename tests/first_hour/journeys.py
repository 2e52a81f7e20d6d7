"""Three people's first hour, on the fake model and sample rows: what each types, and what they would see.

    python -m tests.first_hour.journeys [researcher|ci|leaderboard]

prints it, to be read from top to bottom; `test_first_hour.py` holds the lines that must be there. Errors are part of the way.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from unittest import mock

HARNESS = Path(__file__).resolve().parents[1] / "exchange" / "harness_0.4.13"

JOURNEYS = {
    # Has trained a model, and has no patience. Comes from lm-eval, mistypes, looks first, measures a card, goes on later.
    "researcher": """
        evalkit
        evalkit run --model hf --model_args pretrained=./my-checkpoint,dtype=bfloat16 --tasks hellaswag,gsm8k --num_fewshot 5
        evalkit run task=hellaswag model=hf model.path=./my-checkpoint
        evalkit run hellaswag model=fake
        evalkit run task=helaswag model=fake
        evalkit run task=hellaswag model=fake data=samples languages=hi
        evalkit show task=gsm8k data=samples n=1
        evalkit plan 'task=[hellaswag,gsm8k]' model=fake data=samples
        evalkit run 'task=[hellaswag,gsm8k,mmlu]' model=fake data=samples limit=4
        evalkit run 'task=[hellaswag,gsm8k,mmlu]' model=fake data=samples limit=4
        evalkit run 'task=[hellaswag,winogrande,gsm8k]' model=fake data=local data.root=mirror
        evalkit run 'task=[hellaswag,winogrande,gsm8k]' model=fake data=local data.root=mirror missing=skip run_dir=part
        evalkit run card=krutrim2 'card.only=[hellaswag,gsm8k,winogrande]' model=fake data=samples limit=3 run_dir=card
        evalkit score part
        evalkit report part detail=all out=again
    """,
    # A fine-tune must not be worse; a job reads exit codes and a summary.
    "ci": """
        evalkit run 'task=[hellaswag,gsm8k]' model=fake data=samples run_dir=base
        evalkit run 'task=[hellaswag,gsm8k]' model=fake data=samples model.seed=1 run_dir=candidate
        evalkit compare base candidate
        evalkit gate base
        evalkit gate base candidate polcy=gate.yaml
        evalkit gate base candidate out=decision junit=junit.xml
        evalkit gate plan base=base flips=5%
        evalkit export base to=baseline out=main.baseline
        evalkit compare main.baseline candidate out=compared
    """,
    # Several runs, one of another program, one page.
    "leaderboard": """
        evalkit run -m task=hellaswag,winogrande model=fake data=samples model.seed=0,1 results_dir=runs
        evalkit run task=mmlu model=fake data=samples model.seed=2 model.name=other run_dir=other
        evalkit import HARNESS out=imported
        evalkit report runs/* other imported/* out=board
        evalkit report runs/* nowhere out=board
        evalkit export other to=model-index
        evalkit export other to=lm-eval out=other.json
    """,
}


@dataclass(frozen=True)
class Step:
    """One command as typed, and what it left on the screen."""

    typed: str
    code: int
    out: str
    err: str
    seconds: float

    @property
    def screen(self) -> str:
        """What a person sees: a terminal shows both streams; errors and where the files are come last."""
        return f"$ {self.typed}\n{self.out}{self.err}" + (f"[exit code {self.code}]\n" if self.code else "")


def play(journey: str, folder: Path) -> list[Step]:
    """Every command of a journey, in this process and in `folder`; without pictures, which take seconds."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        (folder / "mirror").mkdir(exist_ok=True)
        shutil.copytree(here_samples() / "hellaswag", folder / "mirror" / "hellaswag", dirs_exist_ok=True)
        with mock.patch("evalkit.report.formats.there", lambda _: None):  # as where matplotlib is not installed
            return list(_steps(journey))
    finally:
        os.chdir(here)


def here_samples() -> Path:
    """Our own invented rows, laid out as a mirror is."""
    return Path(__file__).resolve().parents[2] / "tasks" / "samples"


def _steps(journey: str) -> Iterator[Step]:
    from evalkit.cli import main

    harness = next(HARNESS.glob("results_*.json"))
    for line in filter(None, (line.strip() for line in JOURNEYS[journey].splitlines())):
        words = shlex.split(line.replace("HARNESS", str(harness)))[1:]
        words = [found for word in words for found in (sorted(glob(word)) if "*" in word else [word])]  # as a shell does
        out, err, started = io.StringIO(), io.StringIO(), time.process_time()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
        yield Step(line, code, out.getvalue(), err.getvalue(), time.process_time() - started)


def main() -> None:
    for journey in sys.argv[1:] or JOURNEYS:
        print(f"\n######## {journey} ########\n")
        with tempfile.TemporaryDirectory() as folder:
            steps = play(journey, Path(folder))
        print("\n".join(step.screen for step in steps))
        slow = ", ".join(f"{step.seconds:.1f} s {step.typed[8:40]}" for step in sorted(steps, key=lambda step: -step.seconds)[:5])
        print(f"slowest: {slow}")
        print(f"[{journey}: {len(steps)} commands, {sum(step.seconds for step in steps):.1f} s of one core]")


if __name__ == "__main__":
    main()
