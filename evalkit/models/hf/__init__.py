"""Hugging Face `AutoModelForCausalLM` checkpoints, run in this process."""

from evalkit.models.hf.model import HFModel

__all__ = ["HFModel"]
