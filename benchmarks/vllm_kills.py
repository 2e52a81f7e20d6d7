"""A run on vLLM that is killed (kill -9) again and again, at random moments, and continued: its files must be those of an unbroken one.

    python benchmarks/vllm_kills.py --data DIR [--kills 20] [--seed 7] [--workers 3] [--folder DIR]

Needs vLLM in the interpreter's environment. The moments: while the engine starts, while answers come, and, for the last three, when
all answers are there and scores are being written; where a run is over before its moment comes, that is no kill. After every kill
no process of the run may be left, and no answer that was kept may be gone. With `--workers N` N processes share every layer
(`model.tensor_parallel`): one of them is killed every second time, and the run has to end by itself, with one line.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
PROGRAM = "import sys; from evalkit.cli import main; sys.exit(main())"
FILES = ("samples.jsonl", "scores.json", "journal.jsonl")
LAST = 3  # kills when everything is answered
GONE_S = 20.0  # seconds until nothing of a killed run may be left


@dataclass
class Trial:
    """How the run is started."""

    data: str
    limit: int
    workers: int

    def start(self, folder: Path) -> subprocess.Popen[str]:
        words = [
            "model=smollm2_135m",
            "backend=vllm",
            "model.dtype=float32",
            "model.kv_gib=0.5",
            f"model.tensor_parallel={self.workers}",
            "task=[commonsense_qa,gsm8k]",
        ]
        words += ["data=local", f"data.root={self.data}", f"limit={self.limit}", "tasks.gsm8k.prompt.params.max_new_tokens=48"]
        command = [sys.executable, "-c", PROGRAM, "run", *words, f"run_dir={folder}", "progress=none"]
        environment = os.environ | {"PYTHONPATH": str(REPO)}
        return subprocess.Popen(
            command, cwd=REPO, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True, env=environment
        )


def answers(folder: Path) -> set[bytes]:
    """Whole lines of the journal."""
    journal = folder / "journal.jsonl"
    return set(journal.read_bytes().split(b"\n")[:-1]) if journal.exists() else set()


def wait(process: subprocess.Popen[str], until: Callable[[], bool]) -> bool:
    """False where the process ended before."""
    while process.poll() is None:
        if until():
            return True
        time.sleep(0.02)
    return False


def after(seconds: float) -> Callable[[], bool]:
    moment = time.monotonic() + seconds
    return lambda: time.monotonic() >= moment


def group_of(leader: int) -> dict[int, str]:
    """Processes of a run that are alive, with their names."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            if int(fields[2]) == leader and fields[0] != "Z":
                found[int(stat.parent.name)] = name
    return found


def kill(process: subprocess.Popen[str], worker: bool) -> str:
    """The name of what was killed. Raises SystemExit when something of the run outlives it."""
    others = [pid for pid, name in group_of(process.pid).items() if pid != process.pid and "Worker" in name]
    victim = others[0] if worker and others else process.pid
    os.kill(victim, signal.SIGKILL)
    try:
        said = process.communicate(timeout=120)[1]
    except subprocess.TimeoutExpired:
        left = group_of(process.pid)
        raise SystemExit(
            f"{'a worker' if victim != process.pid else 'the run'} was killed, and two minutes later there is {left}"
        ) from None
    end = after(GONE_S)
    while (left := group_of(process.pid)) and not end():
        time.sleep(0.1)
    if left:
        raise SystemExit(f"still there after the kill: {left}")
    if victim != process.pid:
        told = next((line for line in said.splitlines() if line.startswith("error:")), "nothing said")
        return f"a worker; exit code {process.returncode}, {told}"
    return "run"


def whole(trial: Trial, folder: Path) -> tuple[float, float]:
    """An unbroken run: seconds to the first answer, and to the end."""
    began, process = time.monotonic(), trial.start(folder)
    wait(process, lambda: bool(answers(folder)))
    first = time.monotonic() - began
    said = process.communicate()[1]
    if process.returncode:
        raise SystemExit(said)
    return first, time.monotonic() - began


def killed(trial: Trial, folder: Path, chance: random.Random, kills: int, first: float, closing: float, total: int) -> None:
    """Start the run and kill it, `kills` times.

    Args:
        first: seconds to the first answer of an unbroken run.
        closing: seconds that a run takes which has nothing to answer.
    """
    print("| kill | moment | what was killed | answers before | after |\n|---|---|---|---|---|")
    done = 0
    while done < kills:
        before, process = answers(folder), trial.start(folder)
        left = total - len(before)
        if not left or done >= kills - LAST:
            pause = chance.uniform(0, closing if not left else 1.5)
            moment = f"all answered, {pause:.1f} s"
            alive = wait(process, lambda: len(answers(folder)) >= total) and wait(process, after(pause))
        elif chance.random() < 0.4:
            pause = chance.uniform(0, first)
            moment, alive = f"start, {pause:.1f} s", wait(process, after(pause))
        else:
            more = chance.randint(1, max(1, 2 * left // (kills - done)))
            moment, goal = f"{more} new answers", min(total - 1, len(before) + more)
            alive = wait(process, lambda goal=goal: len(answers(folder)) >= goal)  # type: ignore[misc]
        if not alive:
            said = process.communicate()[1]
            if process.returncode:
                raise SystemExit(said)
            continue
        what = kill(process, trial.workers > 1 and done % 2 == 0)
        if lost := before - answers(folder):
            raise SystemExit(f"{len(lost)} answers that were kept are gone")
        done += 1
        print(f"| {done} | {moment} | {what} | {len(before)} | {len(answers(folder))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with the benchmarks' rows, as data=local reads it")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--limit", type=int, default=60, help="documents per task")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the two runs are kept; default: a temporary one")
    parser.add_argument("--workers", type=int, default=1, help="processes that share every layer")
    args = parser.parse_args()
    root = args.folder or Path(tempfile.mkdtemp())
    trial = Trial(str(Path(args.data).resolve()), args.limit, args.workers)
    first, seconds = whole(trial, root / "whole")
    total = len(answers(root / "whole"))
    _, closing = whole(trial, root / "whole")
    print(f"unbroken: {total} answers, the first after {first:.1f} s, all after {seconds:.1f} s", file=sys.stderr)
    killed(trial, root / "cut", random.Random(args.seed), args.kills, first, closing, total)
    last = trial.start(root / "cut")
    said = last.communicate()[1]
    if last.returncode:
        raise SystemExit(said)
    different = [name for name in FILES if (root / "cut" / name).read_bytes() != (root / "whole" / name).read_bytes()]
    print(f"\nfiles that differ from the unbroken run's: {', '.join(different) or 'none'}")
    raise SystemExit(bool(different))


if __name__ == "__main__":
    main()
