"""A replica in this process, without Ray: what it takes of the processor, and what it leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PROGRAM = """
import os, sys
from evalkit.cluster.replica import Replica
from evalkit.models.fake import FakeModel

class Loads(FakeModel):
    def load(self):
        if {imports}:
            import torch
            seen.append(torch.get_num_threads())

seen = []
told = Replica(Loads, 1).ready()
assert told["fingerprint"] == "fake-0" and os.environ["OMP_NUM_THREADS"] == "1", told
assert ("torch" in sys.modules) is {imports}
if {imports}:
    assert [*seen, sys.modules["torch"].get_num_threads()] == [1, 1], seen
"""


def test_threads_are_limited_and_torch_is_not_imported_for_that() -> None:
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    for imports in (False, True):
        command = [sys.executable, "-c", PROGRAM.format(imports=imports)]
        done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=600, env=env)
        assert done.returncode == 0, done.stderr
