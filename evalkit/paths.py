"""Folders: those that travel with the package (configuration, tasks, published scores), and the user's cache.

An installed wheel has them inside the package, a checkout next to it.
"""

from __future__ import annotations

import os
from pathlib import Path

from evalkit.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent


def conf_dir() -> Path:
    """The folder of the shipped Hydra configuration (`config.yaml`, `task/`, `suite/`, `model/`, `data/`)."""
    return _find(_PACKAGE / "conf", _PACKAGE.parent / "conf")


def tasks_dir() -> Path:
    """The folder of the shipped task modules and of `samples/`, their invented rows."""
    return _find(_PACKAGE / "tasks", _PACKAGE.parent / "tasks")


def published_dir() -> Path:
    """The folder of published scores: a folder per model card, which holds `card.yaml` and `cells.csv`."""
    return _find(_PACKAGE / "results_published", _PACKAGE.parent / "results" / "published")


def cache_dir() -> Path:
    """`$EVALKIT_CACHE`, else `$XDG_CACHE_HOME/evalkit`, else `~/.cache/evalkit`."""
    if explicit := os.environ.get("EVALKIT_CACHE"):
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "evalkit"


def _find(installed: Path, checkout: Path) -> Path:
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise ConfigError(f"{installed} is missing from this installation of evalkit; install it again from a complete wheel or checkout")
