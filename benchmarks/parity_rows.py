"""Rows of a folder, under the names the peer's task files know them by: `<data>/<task>[/<language>]/<split>.jsonl`.

Runs inside the peer's environment and imports nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]

# path (or path/configuration) in the harness's task file -> folder of rows, and which file stands for which split
ARC_SPLITS = {"train": "train", "validation": "validation", "test": "test"}
LOCAL: dict[str, tuple[str, dict[str, str]]] = {
    "Rowan/hellaswag": ("hellaswag", {"train": "train", "validation": "validation"}),
    "allenai/winogrande": ("winogrande", {"train": "train", "validation": "validation"}),
    "allenai/openbookqa": ("openbookqa", ARC_SPLITS),
    "tau/commonsense_qa": ("commonsense_qa", {"train": "train", "validation": "validation"}),
    "truthfulqa/truthful_qa": ("truthfulqa", {"validation": "validation"}),
    "cais/mmlu": ("mmlu", {"dev": "dev", "test": "test"}),
    "mandarjoshi/trivia_qa": ("triviaqa", {"train": "train", "validation": "validation"}),
    "google-research-datasets/nq_open": ("nq_open", {"train": "train", "validation": "validation"}),
    "openai/gsm8k": ("gsm8k", {"train": "train", "test": "test"}),
    "allenai/ai2_arc/ARC-Challenge": ("arc_challenge", ARC_SPLITS),
    "allenai/ai2_arc/ARC-Easy": ("arc_easy", ARC_SPLITS),
    "google/IFEval": ("ifeval", {"train": "train"}),
    "openai/openai_humaneval": ("humaneval", {"test": "test"}),
    "parity/flores_in": ("flores_in", {"dev": "dev", "test": "test"}),
}
EVAL_SPLIT = {
    "hellaswag": "validation",
    "winogrande": "validation",
    "openbookqa": "test",
    "commonsense_qa": "validation",
    "truthfulqa": "validation",
    "mmlu": "test",
    "triviaqa": "validation",
    "nq_open": "validation",
    "gsm8k": "test",
    "arc_challenge": "test",
    "arc_easy": "test",
    "ifeval": "train",
    "humaneval": "test",
    "flores_in": "test",
}


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON-lines file, in file order."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def local_rows(data: Path, path: str, name: str | None, split: str) -> list[tuple[int, Row]]:
    """(line number from 0, row) of one split as the harness would see it; empty when the folder lacks the file."""
    folder, files = folder_of(path, name)
    if path == "parity/flores_in":
        direction, language = str(name).split("/")
        return list(enumerate(flores_rows(data, direction, language, files[split])))
    base = data / folder
    file = base / f"{files[split]}.jsonl"
    if not file.exists():
        return []
    numbered = list(enumerate(read_rows(file)))
    return [(n, row) for n, row in numbered if row["subject"] == name] if folder == "mmlu" else numbered


def folder_of(path: str, name: str | None) -> tuple[str, dict[str, str]]:
    """Folder, and file of each split, of a data set of the harness; `name` is its configuration."""
    return LOCAL.get(f"{path}/{name}") or LOCAL[path]


def flores_rows(data: Path, direction: str, language: str, stem: str) -> list[Row]:
    """Rows of one language in the wanted direction: the task's own folder, else the one that serves both."""
    folders = (data / f"flores_in_{direction}", data / "flores_in")
    file = next((path for folder in folders if (path := folder / language / f"{stem}.jsonl").exists()), None)
    if file is None:
        raise SystemExit(f"no {language}/{stem}.jsonl in {folders[0]} or {folders[1]}")
    wanted = direction.replace("_", "")
    turned = {"translation_direction": wanted}
    return [
        row if row["translation_direction"] == wanted else {**row, "source": row["target"], "target": row["source"], **turned}
        for row in read_rows(file)
    ]
