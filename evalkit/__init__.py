"""evalkit measures language models on benchmarks and puts the result next to the published one.

`evalkit.evaluate(model, tasks, ...)` is the Python entry; the command line is `evalkit`. Importing
the package is cheap: nothing heavy loads before it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.api import evaluate

__version__ = "0.1.0"
__all__ = ["__version__", "evaluate"]

_here = Path(__file__).resolve().parent
# A wheel carries tasks/ and conf/ inside the package; a checkout keeps them next to it. Either way
# their names are `evalkit.tasks` and `evalkit.conf`.
if not (_here / "tasks").is_dir() and (_here.parent / "pyproject.toml").is_file():
    __path__.append(str(_here.parent))


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        from evalkit.api import evaluate

        return evaluate
    raise AttributeError(f"module 'evalkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
