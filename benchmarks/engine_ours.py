"""evalkit's half of `engine.py`: one work in its own process, through the model protocol and nothing below it.

Timed are `encode` and `answer`, as the runner calls them. Weights are loaded before, by a request of no work's. The matrices of
the limit are multiplied right before and right after, because processors change their speed from minute to minute.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from engine_work import as_requests
from flops import Counted, Rates, Shape, count, generated, rates, shape_of
from memory import limit_memory, peak_mb

from evalkit.models.base import WorkItem
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Response


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", help="JSON file: what to do")
    parser.add_argument("out", help="JSON file to write")
    args = parser.parse_args()
    job = json.loads(Path(args.job).read_text(encoding="utf-8"))
    limit_memory(job["memory_mb"])
    import torch

    torch.set_num_threads(job["threads"])
    Path(args.out).write_text(json.dumps(measure(job), ensure_ascii=False), encoding="utf-8")
    return 0


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Seconds, memory, answers and the limit of one work."""
    model, params = load(job)
    requests = as_requests(job["work"], job["docs"], params)
    shape = shape_of(model.config)
    speeds = [rates_elsewhere(shape, job)]
    started = time.perf_counter()
    items = model.encode(requests)
    encoded = time.perf_counter()
    responses = {response.key: response for batch in model.answer(items, set()) for response in batch}
    ended = time.perf_counter()
    peak = peak_mb()
    work = counted(items, responses, shape.windows)
    speeds.append(rates(shape, job["dtype"]))
    return {
        "seconds": ended - started,
        "encode_s": encoded - started,
        "peak_mb": peak,
        "answers": [answer(responses[item.key]) for item in items],
        "limit_s": sum(speed.seconds(work, shape) for speed in speeds) / len(speeds),
        "gflops": [[speed.body / 1e9, speed.head / 1e9] for speed in speeds],
        "tokens": work.tokens,
        "path": model.describe().get("scoring_path"),
    }


def load(job: dict[str, Any]) -> tuple[Any, GenerationParams | None]:
    """The model of a job with its weights in memory, and how it is to decode."""
    from evalkit.config.compose import compose, quoted
    from evalkit.config.setup import build

    params = None if job["params"] is None else GenerationParams(**{**job["params"], "stop": tuple(job["params"]["stop"])})
    words = ["model=hf", f"model.path={quoted(job['model'])}", f"model.dtype={job['dtype']}", "model.device=cpu"]
    model = build(compose(words), allow_no_task=True).model()
    for request in warm_up(params):
        list(model.answer(model.encode([request]), set()))
    return model, params


def rates_elsewhere(shape: Shape, job: dict[str, Any]) -> Rates:
    """The machine's rates measured in its own process, whose matrices do not count as the engine's memory."""
    import torch

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=torch.set_num_threads, initargs=(job["threads"],)) as pool:
        return pool.submit(rates, shape, job["dtype"]).result()


def warm_up(params: GenerationParams | None) -> list[LoglikelihoodRequest | GenerateRequest]:
    """A request that loads the weights and shares nothing with any work."""
    text = "~ warm up ~"
    if params is None:
        return [LoglikelihoodRequest("warm_up", "0", ((text, " x"), (text, " y z")))]
    return [GenerateRequest("warm_up", "0", text, GenerationParams(max_new_tokens=2))]


def counted(items: list[WorkItem], responses: dict[str, Response], windows: tuple[int | None, ...]) -> Counted:
    """The distinct work of what was answered."""
    distinct = list({item.key: item for item in items}.values())
    if distinct[0].kind == "generate":
        return generated([item.prompt_ids for item in distinct], [responses[item.key].output_tokens for item in distinct], windows)
    pairs = {pair for item in distinct for pair in item.pairs}
    return count((((context + target)[:-1], len(context) - 1) for context, target in pairs), windows)


def answer(response: Response) -> Any:
    """What is compared: log-likelihoods, or text."""
    return response.text if response.loglikelihoods is None else list(response.loglikelihoods)


if __name__ == "__main__":
    sys.exit(main())
