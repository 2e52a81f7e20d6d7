"""What it is worth to read shared prefixes once into a model's own cache: the cached path and the plain one, in turns.

    python benchmarks/own_caches.py --data DIR --tokenizer FOLDER [--families falcon_h1 qwen3_next bloom] [--documents 120]

A model of each family with random weights (its own configuration, 256 wide, six layers) answers MMLU with five shots and HellaSwag,
and writes 32 tokens for GSM8K prompts with five shots, on one thread. Prints tokens per pass, padding included, processor seconds,
and how far numbers and texts of the two paths differ.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from evalkit.config.compose import compose, quoted
from evalkit.config.setup import build
from evalkit.models.hf.loaded import LoadedModel
from evalkit.run.prepare import prepare
from evalkit.types import Response

WIDE: dict[str, dict[str, Any]] = {
    "falcon_h1": {"mamba_d_ssm": 512, "mamba_n_heads": 16, "mamba_d_head": 32, "mamba_n_groups": 1, "mamba_d_state": 32},
    "qwen3_next": {
        **{"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 256, "shared_expert_intermediate_size": 256},
        **{"linear_num_value_heads": 8, "linear_num_key_heads": 4, "linear_key_head_dim": 32, "linear_value_head_dim": 32},
        "layer_types": ["linear_attention", "linear_attention", "full_attention"] * 2,
    },
    "bloom": {"n_layer": 6, "n_head": 8},
}
SIZE = {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 2}


def model_of(family: str, words: int) -> Any:
    """Random weights, wide enough for attention to matter."""
    config_class = CONFIG_MAPPING[family]
    known = config_class().to_dict()
    size = {name: value for name, value in (SIZE | {"head_dim": 32}).items() if name in known}
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config_class(**size | WIDE[family], vocab_size=words)).float().eval()


def requests_of(task: str, data: str, documents: int, *words: str) -> Sequence[Any]:
    """The first requests of a task, as evalkit renders them."""
    parts = build(compose([f"task={task}", "data=local", f"data.root={quoted(data)}", *words]))
    return prepare(parts.tasks[task], parts.source, None, None).requests[:documents]


def measured(model: LoadedModel, requests: Sequence[Any]) -> tuple[dict[str, Response], int, float]:
    """Answers, tokens of all passes, processor seconds."""
    items = model.encode(requests)
    read = [0]

    def count(_: Any, __: Any, given: dict[str, Any]) -> None:
        read[0] += given["input_ids"].numel()

    hook = model.given.register_forward_pre_hook(count, with_kwargs=True)
    began = time.process_time()
    answers = {answer.key: answer for batch in model.answer(items, set()) for answer in batch}
    took = time.process_time() - began
    hook.remove()
    return answers, read[0], took


def apart(ours: Response, theirs: Response) -> float:
    """The largest difference of a log-likelihood; 1 for another text."""
    pairs = zip(ours.loglikelihoods or (), theirs.loglikelihoods or (), strict=True)
    return max([abs(a - b) for a, b in pairs] + [float(ours.text != theirs.text)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--families", nargs="*", default=sorted(WIDE))
    parser.add_argument("--documents", type=int, default=120)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    shots = ("tasks.gsm8k.num_fewshot=5", "tasks.gsm8k.prompt.params.max_new_tokens=32", "tasks.gsm8k.fewshot.sampler=first_n")
    works = {
        "MMLU 5-shot": requests_of("mmlu", args.data, args.documents),
        "HellaSwag 0-shot": requests_of("hellaswag", args.data, args.documents // 2),
        "GSM8K 5-shot, 32 tokens": requests_of("gsm8k", args.data, max(1, args.documents // 6), *shots),
    }
    print("| family | work | tokens, plain | tokens, cached | seconds, plain | seconds, cached | ratio | largest difference |")
    print("|---|---|---|---|---|---|---|---|")
    for family in args.families:
        both = [LoadedModel(model_of(family, len(tokenizer)), tokenizer) for _ in range(2)]
        if both[0]._runtime.scorer.path != "cached":
            raise SystemExit(f"{family} takes the {both[0]._runtime.scorer.path} path: {both[0]._runtime.scorer.why}")
        both[1]._runtime.scorer.path = "plain"
        for title, requests in works.items():
            (ours, read, took), (theirs, whole, slow) = (measured(model, requests) for model in both)
            gap = max(apart(ours[key], theirs[key]) for key in ours)
            print(
                f"| {family} | {title}, {len(requests)} | {whole:,} | {read:,} | {slow:.1f} | {took:.1f} | {slow / took:.1f} | {gap:.1g} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
