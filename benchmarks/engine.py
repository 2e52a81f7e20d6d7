"""evalkit's engine next to lm-evaluation-harness and next to the machine's own limit: same weights, rows, dtype, threads.

    python benchmarks/engine.py --data DIR --model FOLDER [--quick] [--works mmlu gsm8k_40] [--dtypes float32]
        [--json FILE] [--plot FILE.svg] [--markdown docs/performance.md]

Every side of every work runs in its own process, one after the other: evalkit, the peer, evalkit again, so that a
machine that grows busier or idler meanwhile touches both alike (evalkit's time is the mean of its two). Timed is scoring
alone: tokenisation and the model, after weights are loaded. The peer's batch size is the fastest of several on a slice
(`--quick` takes the one that is usually fastest). Memory is the peak of each process. `docs/performance.md` says more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import engine_page as page
from engine_work import WORKS, Work, render
from memory import available_mb
from parity import HARNESS, peer_python

HERE = Path(__file__).resolve().parent
QUICK_MINUTES = 9.5
START_S = 14.0  # a process before it is timed: imports, weights, the limit's matrices
SLICE = 8  # every eighth document when batch sizes are tried


@dataclass
class Run:
    """One run of the script: where things are, how long steps take here, what is left."""

    args: argparse.Namespace
    python: Path
    folder: Path
    console: Any
    left_s: float = 0.0
    taken_s: float = 0.0
    foreseen_s: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def slowness(self) -> float:
        """Seconds here for a second foreseen."""
        return self.taken_s / self.foreseen_s if self.foreseen_s > 5 else 1.0

    def fits(self, foreseen: float) -> bool:
        """Whether a work would end before the time allowed is over."""
        spent = time.monotonic() - self.started
        return self.args.minutes is None or spent + foreseen * self.slowness <= self.args.minutes * 60

    def step(self, what: str, foreseen: float, command: Sequence[str], job: dict[str, Any]) -> dict[str, Any]:
        """Run one process with a bar for its part and the whole; returns what it wrote."""
        job_file, out, log = (self.folder / name for name in ("job.json", "out.json", "log.txt"))
        job_file.write_text(json.dumps(job, ensure_ascii=False), encoding="utf-8")
        out.unlink(missing_ok=True)
        threads = str(self.args.threads)
        environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "PYTHONPATH": str(HERE.parent)}
        started = time.monotonic()
        with log.open("w", encoding="utf-8") as output, self.console.status("") as status:
            process = subprocess.Popen([*command, str(job_file), str(out)], stdout=output, stderr=output, env=environment)
            try:
                while process.poll() is None:
                    seconds = time.monotonic() - started
                    left = max(0.0, self.left_s * self.slowness - seconds)
                    status.update(f"{what}: {seconds:.0f} s; about {_minutes(left)} left in all")
                    time.sleep(0.1)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        taken = time.monotonic() - started
        self.left_s, self.taken_s, self.foreseen_s = max(0.0, self.left_s - foreseen), self.taken_s + taken, self.foreseen_s + foreseen
        if process.returncode:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
            raise SystemExit(f"{tail}\n{what} failed with exit code {process.returncode}")
        self.console.print(f"{what}: {taken:.0f} s with its start; about {_minutes(self.left_s * self.slowness)} left", highlight=False)
        return dict(json.loads(out.read_text(encoding="utf-8")))


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def foreseen(work: Work, args: argparse.Namespace) -> tuple[float, float, float]:
    """Seconds expected of evalkit (all its runs), of trying the peer's batches, and of the peer, on a machine of two idle cores."""
    documents = work.documents(args.quick)
    ours = args.repeats * (START_S + documents * work.ours_s)
    if args.no_peer:
        return ours, 0.0, 0.0
    peer = documents * work.peer_s
    trials = 0.0 if len(batches(work, args)) == 1 else START_S + peer / SLICE * len(work.batches) * 1.3
    return ours, trials, START_S + peer


def batches(work: Work, args: argparse.Namespace) -> tuple[int, ...]:
    """Batch sizes the peer tries."""
    if args.batches:
        return tuple(args.batches)
    return (work.known,) if args.quick else work.batches


def measure(run: Run, work: Work, dtype: str) -> page.Row:
    """One line of the table: evalkit, the peer, evalkit again."""
    args = run.args
    docs, params = render(work, args.data, args.quick)
    job: dict[str, Any] = {"work": work.name, "dtype": dtype, "model": args.model, "threads": args.threads, "docs": docs}
    job |= {"params": asdict(params) if params else None, "memory_mb": args.memory_mb}
    name = f"{work.label(args.quick)}, {dtype}"
    for_ours, for_trials, for_peer = foreseen(work, args)
    mine = [sys.executable, str(HERE / "engine_ours.py")]
    theirs = [str(run.python), str(HERE / "engine_peer.py")]
    ours = [run.step(f"{name}: evalkit", for_ours / args.repeats, mine, job)]
    peer: dict[str, Any] | None = None
    batch = None
    if not args.no_peer:
        batch = best_batch(run, work, theirs, job, name, for_trials)
        peer = run.step(f"{name}: lm-eval, batch {batch}", for_peer, theirs, job | {"batches": [batch]})
        if peer["tried"][0]["seconds"] is None:
            raise SystemExit(f"{name}: lm-eval ran out of memory at batch {batch}; give smaller ones with --batches")
    ours += [run.step(f"{name}: evalkit again", for_ours / args.repeats, mine, job) for _ in range(args.repeats - 1)]
    return as_row(work.label(args.quick), dtype, ours, peer, batch, docs)


def best_batch(run: Run, work: Work, command: Sequence[str], job: dict[str, Any], name: str, expected: float) -> int:
    """The peer's fastest batch size on a slice of the work."""
    sizes = batches(work, run.args)
    if len(sizes) == 1:
        return sizes[0]
    part = job["docs"][::SLICE]
    what = f"{name}: lm-eval, batches {', '.join(map(str, sizes))} on a slice"
    tried = run.step(what, expected, command, job | {"docs": part, "batches": sizes})
    worked = [t for t in tried["tried"] if t["seconds"] is not None]
    if not worked:
        raise SystemExit(f"{name}: lm-eval ran out of memory at every batch size of {sizes}; give smaller ones with --batches")
    run.console.print("  " + ", ".join(f"batch {t['batch']}: {_seconds(t['seconds'])}" for t in tried["tried"]), highlight=False)
    return int(min(worked, key=lambda t: t["seconds"])["batch"])


def _seconds(value: float | None) -> str:
    return "out of memory" if value is None else f"{value:.1f} s"


def as_row(
    label: str, dtype: str, ours: Sequence[dict[str, Any]], peer: dict[str, Any] | None, batch: int | None, docs: Sequence[dict[str, Any]]
) -> page.Row:
    """What the processes wrote, as a line of the table."""
    taken = sum(o["seconds"] for o in ours) / len(ours)
    limit = sum(o["limit_s"] for o in ours) / len(ours)
    theirs = peer["tried"][0] if peer else None
    apart, differ = page.differences(ours[0]["answers"], theirs["answers"], docs) if theirs else (None, None)
    return page.Row(
        work=label,
        dtype=dtype,
        evalkit_s=taken,
        peer_s=theirs["seconds"] if theirs else None,
        ratio_peer=theirs["seconds"] / taken if theirs else None,
        limit_s=limit,
        ratio_limit=taken / limit,
        peak_rss_mb=max(o["peak_mb"] for o in ours),
        peer_peak_rss_mb=peer["peak_mb"] if peer else None,
        max_abs_diff=apart,
        decisions_differ=differ,
        batch=batch,
        documents=len(docs),
    )


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [work.name for work in WORKS]
    parser.add_argument("--data", required=True, help="folder of <task>/<split>.jsonl, see `evalkit data pull`")
    parser.add_argument("--model", required=True, help="folder of a Hugging Face checkpoint")
    parser.add_argument("--works", nargs="+", choices=names, metavar="WORK", help=f"default: all but gsm8k_drawn of {', '.join(names)}")
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"])
    parser.add_argument("--quick", action="store_true", help=f"small slices, one batch size, {QUICK_MINUTES} minutes at most")
    parser.add_argument("--minutes", type=float, help="start no work that would not end within so many minutes, and name it")
    parser.add_argument("--batches", type=int, nargs="+", metavar="N", help="the peer's batch sizes, for every work")
    parser.add_argument("--repeats", type=int, help="runs of evalkit, one before the peer's and the rest after it; default 2, quick 1")
    parser.add_argument("--no-peer", action="store_true", help="evalkit and the limit alone")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--memory-mb", type=float, help="what a process may take; default: most of what is free")
    parser.add_argument("--peer-python", help="an interpreter that has lm_eval; default: one made in the user's cache")
    parser.add_argument("--json", metavar="FILE", help="write the rows")
    parser.add_argument("--merge", action="store_true", help="keep what --json FILE and --markdown PAGE have and this run has not")
    parser.add_argument("--plot", metavar="FILE", help="draw the rows, merged ones too")
    parser.add_argument("--markdown", metavar="PAGE", help="write the table between its markers")
    parser.add_argument("--table", default="engine", help="the name in those markers: a machine's own table (default: %(default)s)")
    args = parser.parse_args(argv)
    args.data, args.model = str(Path(args.data).resolve()), str(Path(args.model).resolve())
    if not list(Path(args.model).glob("*.safetensors")):
        parser.error(f"--model {args.model} holds no .safetensors; give the folder of a checkpoint")
    if args.merge and not args.json:
        parser.error("--merge needs --json FILE, whose rows it keeps")
    args.repeats = args.repeats or (1 if args.quick else 2)
    args.minutes = args.minutes or (QUICK_MINUTES if args.quick else None)
    args.memory_mb = args.memory_mb or (0.8 * free if (free := available_mb()) else None)
    return args


def wanted(args: argparse.Namespace) -> tuple[list[tuple[Work, str]], list[str]]:
    """(work, dtype) in order, and the labels of the rows that --quick leaves out by design."""
    works = [work for work in WORKS if (work.name in args.works if args.works else not work.optional)]
    cut = [f"{work.label(False)} (too long for --quick)" for work in works if not work.documents(args.quick)]
    return [(work, dtype) for dtype in args.dtypes for work in works if work.documents(args.quick)], cut


def main(argv: Sequence[str] | None = None) -> int:
    from rich.console import Console

    args = parse(argv)
    python = peer_python(args.peer_python) if not args.no_peer else Path(sys.executable)
    todo, cut = wanted(args)
    rows: list[page.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        run = Run(args, python, Path(folder), Console() if sys.stdout.isatty() else Console(width=page.WIDE))
        run.left_s = sum(sum(foreseen(work, args)) for work, _ in todo)
        run.console.print(f"{len(todo)} rows on {page.machine(args.threads)}; lm-eval {HARNESS}", highlight=False)
        for work, dtype in todo:
            expected = sum(foreseen(work, args))
            if run.fits(expected):
                rows.append(measure(run, work, dtype))
                write(args, rows)
            else:
                run.left_s -= expected
                cut.append(f"{work.label(args.quick)}, {dtype} (would end after {args.minutes:g} minutes)")
    page.show(rows, run.console)
    if args.quick:
        run.console.print("--quick measures slices; they share less, so ratios are lower than whole works'", highlight=False)
    for label in cut:
        run.console.print(f"not measured: {label}", highlight=False)
    return 0


def write(args: argparse.Namespace, rows: Sequence[page.Row]) -> None:
    """Everything measured so far, after each work: an interrupted run loses one."""
    if args.json:
        page.write_json(Path(args.json), rows, args.merge)
    if args.plot:
        known = json.loads(Path(args.json).read_text(encoding="utf-8")) if args.json else [row.as_json() for row in rows]
        page.plot(Path(args.plot), known)
    if args.markdown:
        page.update(Path(args.markdown), args.table, "engine", page.HEAD, [page.cells(row) for row in rows], 2 if args.merge else 0)


if __name__ == "__main__":
    sys.exit(main())
