"""Token lengths of real benchmarks, and texts of invented words that have them.

`lengths.json` holds numbers only: tokens of each document's context and answers. MMLU's and GSM8K's documents are behind
shots that their subject shares.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine_work import WORKS, as_requests, render

from evalkit.types import GenerationParams, Request

SHIPPED = Path(__file__).resolve().parent / "lengths.json"
KEPT = {"hellaswag": 250, "mmlu": 240, "gsm8k_200": 200}
Lengths = dict[str, list[dict[str, Any]]]  # work -> [{"shared": tokens, "documents": [[own context, answer, …], …]}, …]


def derive(data: str, tokenizer: Any) -> Lengths:
    """Lengths of real rows under a tokenizer. What documents of a subject share is found from their tokens."""
    from flops import common

    found: Lengths = {}
    for work in WORKS:
        if work.name not in KEPT:
            continue
        docs, _ = render(work, data, quick=False)
        contexts = [tokenizer(doc["prompt"] if "prompt" in doc else doc["pairs"][0][0])["input_ids"] for doc in docs]
        answers = [[len(tokenizer(k)["input_ids"]) for _, k in doc.get("pairs", [])] for doc in docs]
        size = work.size if work.subjects or work.name == "gsm8k_200" else 0
        groups: list[dict[str, Any]] = []
        for start in range(0, len(docs), size or len(docs)):
            of_group = contexts[start : start + (size or len(docs))]
            shared = min(common(of_group[0], ids) for ids in of_group[1:]) if size else 0
            own = [[len(ids) - shared, *ends] for ids, ends in zip(of_group, answers[start:], strict=False)]
            groups.append({"shared": shared, "documents": own})
        found[work.name] = groups
    return found


def shipped() -> Lengths:
    """Lengths that travel with the script: SmolLM2's tokenizer on the first documents of each benchmark."""
    return dict(json.loads(SHIPPED.read_text(encoding="utf-8")))


def requests(name: str, groups: Sequence[dict[str, Any]], documents: int, words: int, new_tokens: int) -> list[Request]:
    """So many requests of random words in these shapes, the groups' documents in turn and again from the start."""
    rng = random.Random(0)

    def some(size: int) -> str:
        return " ".join(f"w{rng.randrange(words)}" for _ in range(size))

    docs: list[dict[str, Any]] = []
    while len(docs) < documents:
        for group in groups:
            shared = some(group["shared"])
            for own, *answers in group["documents"][: documents - len(docs)]:
                context = f"{shared} {some(max(1, own))}".strip()
                doc = {"pairs": [[context, " " + some(max(1, size))] for size in answers]} if answers else {"prompt": context}
                docs.append({"id": str(len(docs)), **doc})
    return as_requests(name, docs, None if "pairs" in docs[0] else GenerationParams(max_new_tokens=new_tokens))


def word_tokenizer(words: int) -> Any:
    """A tokenizer made in memory: one token per word `w0`, `w1`, …, and one that ends a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<end>": 0} | {f"w{n}": n + 1 for n in range(words)}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<end>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>", pad_token="<end>", unk_token="<end>")
