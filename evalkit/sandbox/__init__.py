"""Running code that models wrote where it can do no harm."""

from evalkit.sandbox.base import Executor, Limits, Outcome, Program, SandboxError
from evalkit.sandbox.pool import Bubblewrap, Container, Pool, Unsafe

__all__ = ["Bubblewrap", "Container", "Executor", "Limits", "Outcome", "Pool", "Program", "SandboxError", "Unsafe"]
