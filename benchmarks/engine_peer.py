"""The peer's half of `engine.py`: lm-evaluation-harness's own model class on the same texts, in its own process.

Runs inside the peer's environment and imports nothing of ours. Timed are `loglikelihood` and `generate_until`, which
tokenise as evalkit's timed half does. Weights are loaded before.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from memory import limit_memory, peak_mb

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", help="JSON file: what to do")
    parser.add_argument("out", help="JSON file to write")
    args = parser.parse_args()
    job = json.loads(Path(args.job).read_text(encoding="utf-8"))
    limit_memory(job["memory_mb"])
    import torch
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(job["threads"])
    model = HFLM(pretrained=job["model"], dtype=job["dtype"], device="cpu", batch_size=1)
    text = "~ warm up ~"
    ask(model, [{"id": "0", "prompt": text, "pairs": [[text, " x"]]}], {**(job["params"] or {}), "max_new_tokens": 2}, job)
    tried = [trial(model, batch, job) for batch in job["batches"]]
    Path(args.out).write_text(json.dumps({"tried": tried, "peak_mb": peak_mb()}, ensure_ascii=False), encoding="utf-8")
    return 0


def trial(model: Any, batch: int, job: dict[str, Any]) -> dict[str, Any]:
    """Seconds and answers at one batch size; None for seconds where memory did not suffice."""
    model.batch_size_per_gpu = batch
    started = time.perf_counter()
    try:
        answers = ask(model, job["docs"], job["params"], job)
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            raise
        return {"batch": batch, "seconds": None, "answers": []}
    return {"batch": batch, "seconds": time.perf_counter() - started, "answers": answers}


def ask(model: Any, docs: list[dict[str, Any]], params: dict[str, Any] | None, job: dict[str, Any]) -> list[Any]:
    """Log-likelihoods or text of every document, in order."""
    from lm_eval.api.instance import Instance

    if job["params"] is None:
        requests = [Instance("loglikelihood", {}, tuple(pair), n) for n, pair in enumerate(p for doc in docs for p in doc["pairs"])]
        values = iter([float(value) for value, _ in model.loglikelihood(requests, disable_tqdm=True)])
        return [[next(values) for _ in doc["pairs"]] for doc in docs]
    assert params is not None
    decode = {"until": list(params["stop"]), "max_gen_toks": params["max_new_tokens"], "do_sample": False, "temperature": 0.0}
    requests = [Instance("generate_until", {}, (doc["prompt"], dict(decode)), n) for n, doc in enumerate(docs)]
    return list(model.generate_until(requests, disable_tqdm=True))


if __name__ == "__main__":
    sys.exit(main())
