"""Everything around the engine: what a start costs, what the runner adds, and how both grow with documents.

    python benchmarks/startup.py --data DIR --model FOLDER [--parts start runner growth] [--markdown docs/performance.md]

- *start*: a fresh process from its first line to its first answer, stage by stage.
- *runner*: `evalkit.run.measure.run` with its journal and its files around the engine; what it adds to the engine's own time.
- *growth*: 5-shot MMLU at 250, 2,500 and 14,042 documents (four requests each) with the real rows' texts and tokenizer, on
  a random model with next to no arithmetic: tokenisation, planning, and everything the engine does besides multiplying.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PARTS = ("start", "runner", "growth")
DOCUMENTS = (250, 2500, 14042)
RUNNER_DOCUMENTS = 250


def start(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of each stage from a process's first line to its first answer. Run in its own process."""
    clock = time.perf_counter
    marks = [("", clock())]

    def stage(name: str, work: Callable[[], Any]) -> Any:
        result = work()
        marks.append((name, clock()))
        return result

    stage("import evalkit", lambda: __import__("evalkit.cli", fromlist=["cli"]))
    compose_module, setup_module = (__import__(f"evalkit.config.{name}", fromlist=[name]) for name in ("compose", "setup"))
    compose, quoted, build = compose_module.compose, compose_module.quoted, setup_module.build
    words = ["model=hf", f"model.path={quoted(args.model)}", "model.dtype=float32", "task=hellaswag", "data=local"]
    parts = stage("configuration", lambda: build(compose([*words, f"data.root={quoted(args.data)}"])))
    runner = __import__("evalkit.run.prepare", fromlist=["runner"])
    task = parts.tasks["hellaswag"]
    prepared = stage("rows and prompts (10,042)", lambda: runner.prepare(task, parts.source, None, None))
    stage("import torch", lambda: __import__("torch"))
    stage("import transformers", lambda: __import__("transformers.models.auto", fromlist=["AutoModelForCausalLM"]).AutoModelForCausalLM)
    model = stage("model object", lambda: parts.model())
    stage("tokenizer", lambda: model.tokenizer)
    items = stage("tokenise 25 documents", lambda: model.encode(prepared.requests[:25]))
    stage("load and first answer", lambda: list(model.answer(items[:1], set())))
    stage("a second answer", lambda: list(model.answer(items[1:2], set())))
    return {name: now - before for (_, before), (name, now) in pairwise(marks)}


class Timed:
    """A model that adds up the seconds spent inside it."""

    def __init__(self, model: Any) -> None:
        self.model, self.name, self.capabilities, self.seconds = model, model.name, model.capabilities, 0.0

    def encode(self, requests: Sequence[Any]) -> list[Any]:
        started = time.perf_counter()
        items = self.model.encode(requests)
        self.seconds += time.perf_counter() - started
        return list(items)

    def answer(self, items: Sequence[Any], done: AbstractSet[str]) -> Iterator[list[Any]]:
        answers = iter(self.model.answer(items, done))
        while True:
            started = time.perf_counter()
            batch = next(answers, None)
            self.seconds += time.perf_counter() - started
            if batch is None:
                return
            yield batch

    def describe(self) -> Any:
        return self.model.describe()


def runner(args: argparse.Namespace) -> dict[str, float]:
    """Seconds of a whole run of HellaSwag, and of the engine inside it; the weights are loaded before."""
    from evalkit.config.compose import compose, quoted
    from evalkit.config.setup import build
    from evalkit.run.measure import run

    words = ["model=hf", f"model.path={quoted(args.model)}", "model.dtype=float32", "model.device=cpu", "task=hellaswag", "data=local"]
    parts = build(compose([*words, f"data.root={quoted(args.data)}"]))
    task = parts.tasks["hellaswag"]
    model = Timed(parts.model())
    with tempfile.TemporaryDirectory() as folder:
        run(model, [task], parts.source, limit=1)
        model.seconds = 0.0
        started = time.perf_counter()
        result = run(model, [task], parts.source, limit=RUNNER_DOCUMENTS, folder=Path(folder) / "run", config=parts.config)
        whole = time.perf_counter() - started
    rows = float(result.manifest["durations_s"]["prepare"])
    return {"engine": model.seconds, "rows and prompts": rows, "journal, scores, files": whole - model.seconds - rows}


def growth(args: argparse.Namespace, documents: int) -> dict[str, float]:
    """Seconds and memory of so many documents. Run in its own process, with a model of next to no arithmetic."""
    from memory import peak_mb

    from evalkit.config.compose import compose, quoted
    from evalkit.config.setup import build
    from evalkit.run.prepare import prepare

    words = ["model=hf", f"model.path={quoted(args.model)}", "model.device=cpu", "task=mmlu", "data=local"]
    parts = build(compose([*words, f"data.root={quoted(args.data)}"]))
    prepared = prepare(parts.tasks["mmlu"], parts.source, documents, None)
    model = parts.model()
    list(model.answer(model.encode(prepared.requests[:1]), set()))
    found = {"documents": float(documents), "MB before": peak_mb()}
    clock = time.perf_counter
    marks = [clock()]
    items = model.encode(prepared.requests)
    marks.append(clock())
    found["MB encoded"] = peak_mb()
    done = {item.key for item in items[1:]}
    list(model.answer(items, done))  # the plan is over all items, whatever is left to do
    marks.append(clock())
    found["MB planned"] = peak_mb()
    answered = sum(len(batch) for batch in model.answer(items, set()))
    marks.append(clock())
    assert answered == len({item.key for item in items})
    for name, before, now in zip(("encode", "plan", "answer"), marks, marks[1:], strict=False):
        found[name] = now - before
    found["MB answered"] = peak_mb()
    found["requests"] = float(sum(len(item.pairs) for item in items))
    return found


def apart(args: argparse.Namespace, part: str, model: str, *words: str) -> dict[str, float]:
    """One part in its own process."""
    command = [sys.executable, str(HERE / "startup.py"), "--data", args.data, "--model", model, "--parts", part, "--inside", *words]
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "PYTHONPATH": str(HERE.parent)}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if ran.returncode:
        raise SystemExit(f"{ran.stderr[-2000:]}\n{part} failed with exit code {ran.returncode}")
    return dict(json.loads(ran.stdout.strip().splitlines()[-1]))


def start_lines(args: argparse.Namespace) -> list[tuple[str, ...]]:
    """Stages of a start: the medians of three, the first start of all separately (its files may not be in memory)."""
    import statistics

    runs = [apart(args, "start", args.model) for _ in range(3)]
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return [(name, f"{seconds:.2f} s") for name, seconds in medians.items()] + [("together", f"{sum(medians.values()):.2f} s")]


def runner_lines(args: argparse.Namespace) -> list[tuple[str, ...]]:
    """What a run of HellaSwag spends, in all and as a share of the engine."""
    found = apart(args, "runner", args.model)
    engine = found["engine"]
    return [(name, f"{seconds:.2f} s", f"{seconds / engine:.1%}") for name, seconds in found.items()]


def growth_lines(args: argparse.Namespace) -> list[tuple[str, ...]]:
    """One line a size; seconds a thousand requests show whether time is linear."""
    import tiny

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        model = str(tiny.save(Path(folder) / "tiny", Path(args.model)))
        for documents in args.documents:
            found = apart(args, "growth", model, "--documents", str(documents))
            thousands = found["requests"] / 1000
            per = [f"{found[name]:.1f} s ({found[name] / thousands:.2f})" for name in ("encode", "plan", "answer")]
            memory = [f"{found[f'MB {name}']:,.0f}" for name in ("before", "encoded", "answered")]
            lines.append((f"{found['requests']:,.0f}", *per, " / ".join(memory)))
            print(" ".join(lines[-1]), flush=True)
    return lines


HEADS: dict[str, tuple[str, ...]] = {
    "start": ("stage", "time"),
    "runner": ("part of a run", "time", "of the engine's"),
    "growth": ("requests", "encode (s per 1,000)", "plan (s per 1,000)", "answer (s per 1,000)", "MB: before, encoded, answered"),
}
LINES: dict[str, Callable[[argparse.Namespace], list[tuple[str, ...]]]] = {
    "start": start_lines,
    "runner": runner_lines,
    "growth": growth_lines,
}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of <task>/<split>.jsonl, see `evalkit data pull`")
    parser.add_argument("--model", required=True, help="folder of a Hugging Face checkpoint")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--documents", type=int, nargs="+", default=list(DOCUMENTS), help="sizes of growth")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--markdown", metavar="PAGE", help="write the tables between their markers")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    args.data, args.model = str(Path(args.data).resolve()), str(Path(args.model).resolve())
    return args


def inside(args: argparse.Namespace) -> int:
    """The measured process: one part, its numbers as the last line."""
    part = args.parts[0]
    found = growth(args, args.documents[0]) if part == "growth" else {"start": start, "runner": runner}[part](args)
    print(json.dumps(found))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    if args.inside:
        return inside(args)
    import engine_page as page
    from rich.console import Console
    from rich.table import Table

    for part in args.parts:
        print(f"measuring {part}", flush=True)
        lines = LINES[part](args)
        table = Table(*HEADS[part], title=part, title_justify="left")
        for line in lines:
            table.add_row(*line)
        Console().print(table)
        if args.markdown:
            page.update(Path(args.markdown), part, "startup", HEADS[part], lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
