"""Hosted models: any OpenAI-compatible endpoint."""

from evalkit.models.openai.model import OpenAIModel

__all__ = ["OpenAIModel"]
