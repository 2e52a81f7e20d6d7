"""Running code that models wrote where it can do no harm."""

from evalkit.sandbox.base import Executor, Limits, Outcome, Program, SandboxError
from evalkit.sandbox.pool import Pool, bubblewrap_pool, container_pool, unsafe_pool

__all__ = ["Executor", "Limits", "Outcome", "Pool", "Program", "SandboxError", "bubblewrap_pool", "container_pool", "unsafe_pool"]
