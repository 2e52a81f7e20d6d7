"""The names of a run directory's files, and of the directory itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError
from evalkit.files import read_object
from evalkit.identity import short_hash

CONFIG, IDENTITY, PLAN, JOURNAL = "config.json", "identity.json", "plan.jsonl", "journal.jsonl"
SAMPLES, SCORES, MANIFEST = "samples.jsonl", "scores.json", "manifest.json"
REBUILD = "run the same command again to rebuild it (answers are kept)"


def run_path(results_dir: Path, label: str, identity: Mapping[str, Any]) -> Path:
    """The directory of a run: a readable label plus a hash of all that can change an answer or a score."""
    safe = re.sub(r"[^\w.+-]+", "_", label)[:80]
    return results_dir / f"{safe}-{short_hash(identity)}"


def read_config(folder: Path) -> dict[str, Any]:
    """The resolved configuration a run was made with.

    Raises:
        ConfigError: not a run directory, or the run was measured from Python objects.
        DataError: the file is damaged.
    """
    path = folder / CONFIG
    if not path.exists():
        raise ConfigError(f"{folder} is not a run directory (no {CONFIG}); give a folder under results/runs")
    loaded = read_object(path, REBUILD)
    if not loaded.get("tasks"):
        raise ConfigError(f"{folder} was measured from Python objects, so its settings are not in {CONFIG}; score it from Python")
    return loaded
