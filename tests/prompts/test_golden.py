"""Prompts as lm-evaluation-harness 0.4.13 builds them, byte for byte: recorded by running it on invented rows.

`tests/golden/prompts/<task>.json` holds the rows, the pool of shots and what the harness made of them with its own task
file (a chat template that dumps the messages stands in for a model's). Here: our YAML, to_doc, drawing and formatter.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_method, instantiate
from omegaconf import OmegaConf

from evalkit.data.fewshot import draw
from evalkit.types import Doc, GenerateRequest, Prompt

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden" / "prompts").glob("*.json"))


def config(task: str) -> Any:
    with initialize_config_dir(str(ROOT / "conf"), version_base=None):
        return compose(overrides=[f"+task={task}"]).tasks[task]


def documents(rows: Mapping[str, Sequence[Mapping[str, Any]]], to_doc: Any, split: str) -> list[Doc]:
    docs = []
    for language, of_language in rows.items():
        for number, row in enumerate(of_language):
            doc = to_doc(row)
            docs.append(dataclasses.replace(doc, id=f"{language}/{split}/{number}", language=doc.language or language or None))
    return docs


def plain(prompt: Prompt) -> Any:
    return prompt if isinstance(prompt, str) else [{"role": m.role, "content": m.content} for m in prompt]


def shape(request: Any) -> Any:
    if isinstance(request, GenerateRequest):
        return plain(request.prompt)
    contexts, continuations = [plain(c) for c, _ in request.pairs], [k for _, k in request.pairs]
    if all(c == contexts[0] for c in contexts):
        return {"context": contexts[0], "continuations": continuations}
    assert len(set(continuations)) == 1
    return {"contexts": contexts, "continuation": continuations[0]}


@pytest.mark.parametrize("path", GOLDEN, ids=[p.stem for p in GOLDEN])
def test_prompts_equal_the_harness(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    task = config(path.stem)
    to_doc = get_method(task.data.to_doc)
    docs, pool = documents(golden["evaluated"], to_doc, "eval"), documents(golden["pool"], to_doc, "shots")
    given = {k: v for k, v in OmegaConf.to_container(task.fewshot).items() if k != "_target_"}
    spec = SimpleNamespace(**({"sampler": "lm_eval", "seed": 1234, "extra_draw": False, "by_group": False} | given))
    for case in golden["cases"]:
        prompt = dataclasses.replace(instantiate(task.prompt), multi_turn_shots=case["mode"] == "multi_turn")
        shots = draw(docs, pool, case["num_fewshot"], spec, pool_is_eval=False)
        ours = [shape(prompt.render(path.stem, doc, shots[doc.id], case["mode"] != "text")) for doc in docs]
        assert ours == case["prompts"], f"{case['num_fewshot']} shots, {case['mode']}"


def test_every_task_has_golden_prompts() -> None:
    tasks = {p.stem for p in (ROOT / "conf" / "task").glob("*.yaml")}
    # These have no counterpart in the harness; their prompts are checked in tests/tasks.
    elsewhere = {
        task for task in tasks if task.startswith(("indic_", "crosssum_in", "in22_", "bharatbench_", "ruler_", "flores_doc_", "long_"))
    }
    elsewhere |= {"mmlu_cloze", "commonsense_qa_cloze", "humaneval", "humaneval_instruct"}
    assert tasks - {p.stem for p in GOLDEN} <= elsewhere
