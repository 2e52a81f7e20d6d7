"""evalkit inside other programs: a training loop (`EvalCallback`), and trackers of experiments.

from evalkit.integrations import EvalCallback

EvalCallback(["hellaswag", "gsm8k"], limit=200, every=500).attach(trainer)
trainer.train()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.integrations.trainer import EvalCallback

__all__ = ["EvalCallback"]


def __getattr__(name: str) -> Any:
    if name == "EvalCallback":
        from evalkit.integrations.trainer import EvalCallback

        return EvalCallback
    raise AttributeError(f"module 'evalkit.integrations' has no attribute {name!r}")
