"""Document and shots → request. Templates are data; only a model applies its chat template."""

from evalkit.prompts.base import PromptFormatter
from evalkit.prompts.completion import Completion
from evalkit.prompts.conversation import Conversation
from evalkit.prompts.multiple_choice import MultipleChoice, PartialEvaluation

__all__ = ["Completion", "Conversation", "MultipleChoice", "PartialEvaluation", "PromptFormatter"]
