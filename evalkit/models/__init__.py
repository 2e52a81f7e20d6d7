"""Back ends: one class each behind the protocol of `base`."""

from evalkit.models.base import Capabilities, Model, WorkItem, check_capabilities

__all__ = ["Capabilities", "Model", "WorkItem", "check_capabilities"]
