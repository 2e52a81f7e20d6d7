"""The peer's half of `engine.py`: lm-evaluation-harness's own model class on given texts. Imports nothing of ours."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def instances(docs: list[dict[str, Any]], new_tokens: int, stops: list[str]) -> tuple[str, list[Any]]:
    from lm_eval.api.instance import Instance

    if "prompt" in docs[0]:
        settings = {"until": stops, "do_sample": False, "temperature": 0.0, "max_gen_toks": new_tokens}
        kind = "generate_until"
        arguments: list[list[tuple[Any, Any]]] = [[(doc["prompt"], settings)] for doc in docs]
    else:
        kind = "loglikelihood"
        arguments = [[tuple(pair) for pair in doc["pairs"]] for doc in docs]
    return kind, [
        Instance(request_type=kind, doc={}, arguments=given, idx=i, metadata=("work", n, 1))
        for n, many in enumerate(arguments)
        for i, given in enumerate(many)
    ]


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    import torch

    torch.set_num_threads(asked["threads"])
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=asked["model"], dtype=asked["dtype"], batch_size=asked["batch"], device="cpu")
    kind, requests = instances(asked["docs"], asked["new_tokens"], asked["stops"])
    started = time.perf_counter()
    answers = getattr(lm, kind)(requests, disable_tqdm=True)
    seconds = time.perf_counter() - started
    if kind == "loglikelihood":
        left = iter(answers)
        answers = [[float(next(left)[0]) for _ in doc["pairs"]] for doc in asked["docs"]]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Path(sys.argv[2]).write_text(json.dumps({"seconds": seconds, "peak_rss_mb": peak, "answers": answers}), encoding="utf-8")


if __name__ == "__main__":
    main()
