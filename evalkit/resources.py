"""Folders that travel with the package: configuration, tasks and published scores.

An installed wheel has them inside the package, a checkout beside it.
"""

from __future__ import annotations

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
    """The folder of published score tables, one CSV a model card."""
    return _find(_PACKAGE / "results_published", _PACKAGE.parent / "results" / "published")


def _find(installed: Path, checkout: Path) -> Path:
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise ConfigError(f"{installed} is missing from this installation of evalkit; install it again from a complete wheel or checkout")
