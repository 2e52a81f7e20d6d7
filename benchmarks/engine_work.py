"""The work that both sides of `engine.py` are given, as plain texts, and the arithmetic it cannot do without.

Imports nothing of either side, so that both environments can read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LETTERS = "ABCDE"
STOPS = ["Question:", "</s>", "<|im_end|>"]


@dataclass(frozen=True)
class Work:
    """One row of the table.

    Attributes:
        docs: documents in full and with `--quick`.
        peer_batch: the peer's best batch size for log-likelihoods; `--sweep` measures it again.
        peer: whether the peer is timed too; its many hours on long generation say nothing new.
    """

    name: str
    file: str
    docs: int
    quick: int
    peer_batch: int
    new_tokens: int = 0
    peer: bool = True


WORKS = {
    "hellaswag": Work("HellaSwag, 0-shot", "hellaswag/validation", 250, 40, 16),
    "csqa_letters": Work("CommonsenseQA, letters", "commonsense_qa/validation", 1221, 160, 16),
    "csqa_texts": Work("CommonsenseQA, answer texts", "commonsense_qa/validation", 600, 80, 16),
    "mmlu": Work("MMLU, 5-shot, 6 subjects", "mmlu/test", 240, 48, 1),
    "gsm8k": Work("GSM8K, 5-shot generation", "gsm8k/test", 40, 24, 1, 256),
    "gsm8k_200": Work("GSM8K, 5-shot generation, 200 prompts", "gsm8k/test", 200, 0, 1, 256, peer=False),
}


def documents(data: Path, key: str, count: int) -> list[dict[str, Any]]:
    """`{"pairs": [[context, continuation], ...]}` or `{"prompt": text}` a document."""
    rows = read(data / f"{WORKS[key].file}.jsonl")
    if key == "mmlu":
        return list(mmlu(rows, read(data / "mmlu" / "dev.jsonl"), count // 6))
    if key.startswith("gsm8k"):
        shots = "".join(f"Question: {r['question']}\nAnswer: {r['answer']}\n\n" for r in read(data / "gsm8k" / "train.jsonl")[:5])
        return [{"prompt": f"{shots}Question: {row['question']}\nAnswer:"} for row in rows[:count]]
    shape = {"hellaswag": hellaswag, "csqa_letters": csqa_letters, "csqa_texts": csqa_texts}[key]
    return [{"pairs": shape(row)} for row in rows[:count]]


def hellaswag(row: dict[str, Any]) -> list[list[str]]:
    stem = f"{row['activity_label']}: {row['ctx']}".replace(" [title]", ". ").replace("  ", " ")
    return [[stem, f" {ending}"] for ending in row["endings"]]


def csqa_letters(row: dict[str, Any]) -> list[list[str]]:
    lines = "".join(f"{label}. {text}\n" for label, text in zip(LETTERS, row["choices"]["text"], strict=True))
    return [[f"Question: {row['question']}\n{lines}Answer:", f" {label}"] for label in LETTERS]


def csqa_texts(row: dict[str, Any]) -> list[list[str]]:
    return [[f"Question: {row['question']}\nAnswer:", f" {text}"] for text in row["choices"]["text"]]


def mmlu(rows: Sequence[dict[str, Any]], dev: Sequence[dict[str, Any]], each: int) -> Iterable[dict[str, Any]]:
    for subject in list(dict.fromkeys(row["subject"] for row in rows))[:6]:
        about = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"
        shots = "".join(f"{question(row)} {LETTERS[row['answer']]}\n\n" for row in dev if row["subject"] == subject)
        for row in [row for row in rows if row["subject"] == subject][:each]:
            yield {"pairs": [[f"{about}{shots}{question(row)}", f" {label}"] for label in LETTERS[:4]]}


def question(row: dict[str, Any]) -> str:
    lines = "".join(f"{label}. {text}\n" for label, text in zip(LETTERS, row["choices"], strict=False))
    return f"{row['question'].strip()}\n{lines}Answer:"


def read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        raise SystemExit(f"{path} does not exist; --data is a folder of <task>/<split>.jsonl, see `evalkit data pull`")
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


@dataclass(frozen=True)
class Shape:
    """What a model computes for a token: multiplications outside embeddings, layers, query width, vocabulary × width."""

    weights: int
    layers: int
    width: int
    projection: int


def distinct(sequences: Iterable[Sequence[int]]) -> tuple[int, int]:
    """Distinct prefix positions of token sequences, and the sum of their positions counted from 1."""
    tokens = reach = 0
    before: Sequence[int] = ()
    for ids in sorted(set(map(tuple, sequences))):
        shared = next((i for i, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), min(len(before), len(ids)))
        tokens += len(ids) - shared
        reach += (len(ids) * (len(ids) + 1) - shared * (shared + 1)) // 2
        before = ids
    return tokens, reach


def flops(shape: Shape, tokens: int, reach: int, asked: int) -> float:
    """Floating-point operations of the least work: every distinct token once, vocabulary only where asked."""
    return 2.0 * shape.weights * tokens + 4.0 * shape.layers * shape.width * reach + 2.0 * shape.projection * asked
