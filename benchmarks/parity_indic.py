"""Indic log-likelihood tasks next to lm-evaluation-harness: same rows, same prompts, same decisions?

The harness has two of them under other names, `xnli_hi` (indic_xnli_logprob, Hindi) and `xcopa_ta` (indic_copa_cloze, Tamil).
Runs in the harness's own environment, with its own task files, on the rows an evalkit run was made from:

    evalkit run task=indic_xnli_logprob 'languages=[hi]' model=smollm2_135m data=local data.root=DIR limit=100 run_dir=OURS
    python benchmarks/parity_indic.py --task xnli_hi --rows DIR/indic_xnli/hi/test.jsonl --run OURS --model CHECKPOINT
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

OURS = {"xnli_hi": "indic_xnli_logprob", "xcopa_ta": "indic_copa_cloze"}
# One float32 forward pass of another batch shape moves a sum of hundreds of tokens by about this much.
TOLERANCE = 2e-3


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def harness(task: str, rows: list[dict[str, Any]], model: str, threads: int) -> list[dict[str, Any]]:
    """One record a document, in order: pairs, log-likelihoods, accuracy."""
    import datasets
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(threads)
    table = datasets.Dataset.from_list(rows)
    datasets.load_dataset = lambda *_, **__: datasets.DatasetDict({split: table for split in ("train", "validation", "test")})
    lm = HFLM(pretrained=model, dtype="float32", batch_size=1, device="cpu")
    result = lm_eval.simple_evaluate(model=lm, tasks=[task], num_fewshot=0, log_samples=True, bootstrap_iters=0)
    samples = sorted(result["samples"][task], key=lambda sample: sample["doc_id"])
    return [
        {"pairs": [list(a[:2]) for a in s["arguments"]], "lls": [float(r[0][0]) for r in s["resps"]], "acc": float(s["acc"])}
        for s in samples
    ]


def compare(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts of equal prompts and decisions, the largest difference of a log-likelihood, and both accuracies."""
    prompts = decisions = 0
    largest = 0.0
    for mine, other in zip(ours, theirs, strict=True):
        lls = mine["responses"][0]["loglikelihoods"]
        prompts += mine["pairs"] == other["pairs"]
        largest = max([largest, *(abs(a - b) for a, b in zip(lls, other["lls"], strict=True))])
        decisions += max(range(len(lls)), key=lls.__getitem__) == max(range(len(lls)), key=other["lls"].__getitem__)
    n = len(theirs)
    return {
        "documents": n,
        "prompts": prompts,
        "decisions": decisions,
        "largest": largest,
        "ours": sum(mine["scores"]["acc"]["value"] for mine in ours) / n,
        "theirs": sum(other["acc"] for other in theirs) / n,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, choices=sorted(OURS))
    parser.add_argument("--rows", required=True, type=Path, help="the JSON lines the run was made from")
    parser.add_argument("--run", required=True, type=Path, help="folder of the evalkit run")
    parser.add_argument("--model", required=True, help="folder of the same checkpoint")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    ours = [line for line in read(args.run / "samples.jsonl") if line["task"] == OURS[args.task]]
    every = read(args.rows)
    found = compare(ours, harness(args.task, [every[line["row"]] for line in ours], args.model, args.threads))
    n = found["documents"]
    print(f"{args.task}: {n} documents, {found['prompts']} prompts equal, {found['decisions']} decisions equal,")
    print(f"largest log-likelihood difference {found['largest']:.2e}, acc {found['ours']:.4f} here and {found['theirs']:.4f} there")
    return 0 if found["prompts"] == found["decisions"] == n and found["largest"] <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
