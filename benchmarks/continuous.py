"""evalkit's loop for texts next to transformers' continuous batching: same weights, prompts, threads and memory for keys and values.

    python benchmarks/continuous.py --data DIR --model FOLDER [--prompts 40] [--markdown docs/engine.md]

GSM8K's prompts behind the same five shots, greedy, float32, each side in its own process. transformers knows no stop strings
here, so every request of its is told in advance to end after as many tokens as evalkit's text took. Times are without start-up.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import engine_page as page
from engine_work import WORKS, as_requests, render
from memory import peak_mb

PAGE = 256  # tokens of a page of transformers' cache
HEAD = ("loop", "time", "peak memory", "texts that differ")


def ours(job: dict[str, Any]) -> dict[str, Any]:
    """Texts by evalkit's loop, and how many tokens each took."""
    from engine_ours import load

    model, params = load(job)
    requests = as_requests("gsm8k", job["docs"], params)
    started = time.perf_counter()
    items = model.encode(requests)
    answers = {answer.key: answer for batch in model.answer(items, set()) for answer in batch}
    taken = time.perf_counter() - started
    found = [answers[item.key] for item in items]
    return {"seconds": taken, "texts": [a.text for a in found], "tokens": [a.output_tokens for a in found], "peak_mb": peak_mb()}


def theirs(job: dict[str, Any]) -> dict[str, Any]:
    """Texts by transformers' continuous batching."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    from transformers.generation.configuration_utils import ContinuousBatchingConfig

    from evalkit.models.hf.generation import tokens_in
    from evalkit.models.hf.model import CPU_BYTES, CPU_TOKENS
    from evalkit.models.hf.sequence import cut_at_stops

    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    sized = ContinuousBatchingConfig(page_size=PAGE, num_blocks=tokens_in(model, CPU_BYTES) // PAGE, max_batch_tokens=CPU_TOKENS)
    settings = GenerationConfig(do_sample=False, eos_token_id=model.generation_config.eos_token_id, pad_token_id=0)
    with model.continuous_batching_context_manager(settings, continuous_batching_config=sized) as manager:
        started = time.perf_counter()
        names = [
            manager.add_request(tokenizer(doc["prompt"])["input_ids"], max_new_tokens=size)
            for doc, size in zip(job["docs"], job["tokens"], strict=True)
        ]
        results: dict[str, Any] = {}
        while len(results) < len(names):
            result = manager.get_result(timeout=1)
            if result is not None and result.is_finished():
                results[result.request_id] = result
            elif result is None and not manager.is_running():
                raise SystemExit("transformers' loop ended before its requests did")
        taken = time.perf_counter() - started
    texts = [cut_at_stops(tokenizer.decode(results[n].generated_tokens, skip_special_tokens=True), job["params"]["stop"]) for n in names]
    return {"seconds": taken, "texts": texts, "peak_mb": peak_mb()}


def run(side: str, job: dict[str, Any], threads: int) -> dict[str, Any]:
    """One side in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        asked, said = Path(folder) / "job.json", Path(folder) / "out.json"
        asked.write_text(json.dumps(job), encoding="utf-8")
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        print(f"{'evalkit' if side == 'ours' else 'transformers'} writes {len(job['docs'])} texts (minutes)", flush=True)
        subprocess.run([sys.executable, __file__, "--side", side, str(asked), str(said)], check=True, env=environment)
        return dict(json.loads(said.read_text(encoding="utf-8")))


def main() -> int:
    if sys.argv[1:2] == ["--side"]:
        side, asked, said = sys.argv[2:5]
        job = json.loads(Path(asked).read_text(encoding="utf-8"))
        Path(said).write_text(json.dumps({"ours": ours, "theirs": theirs}[side](job)), encoding="utf-8")
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of <task>/<split>.jsonl, see `evalkit data pull`")
    parser.add_argument("--model", required=True, help="folder of a Hugging Face checkpoint")
    parser.add_argument("--prompts", type=int, default=40)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--markdown", metavar="PAGE", help="write the table between its markers")
    args = parser.parse_args()
    docs, params = render(next(work for work in WORKS if work.name == "gsm8k_200"), args.data, quick=False)
    assert params is not None
    if args.prompts > len(docs):
        parser.error(f"--prompts {args.prompts}: there are {len(docs)}")
    job: dict[str, Any] = {"model": args.model, "dtype": "float32", "docs": docs[: args.prompts], "params": asdict(params)}
    first = run("ours", job, args.threads)
    other = run("theirs", job | {"tokens": first["tokens"]}, args.threads)
    again = run("ours", job, args.threads)
    theirs_mb, ours_mb = other["peak_mb"], max(first["peak_mb"], again["peak_mb"])
    differ = sum(a != b for a, b in zip(first["texts"], other["texts"], strict=True))
    seconds = (first["seconds"] + again["seconds"]) / 2
    rows = [
        ["evalkit", f"{seconds:.1f} s", f"{ours_mb:,.0f} MB", "–"],
        ["transformers", f"{other['seconds']:.1f} s", f"{theirs_mb:,.0f} MB", f"{differ} of {len(first['texts'])}"],
    ]
    print(*("  ".join(row) for row in rows), sep="\n")
    if args.markdown:
        page.update(Path(args.markdown), "continuous", "continuous", HEAD, rows, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
