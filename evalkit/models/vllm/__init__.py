"""vLLM in this process, or over several GPUs: generation and log-likelihoods."""

from evalkit.models.vllm.model import VLLMModel

__all__ = ["VLLMModel"]
