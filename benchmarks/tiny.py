"""A causal language model with next to no arithmetic, so that what is left to measure is everything else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


def config(vocabulary: int, **changes: Any) -> Any:
    """A Llama configuration two layers deep and 32 wide, with grouped heads."""
    from transformers import LlamaConfig

    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaConfig(**{"vocab_size": vocabulary, "max_position_embeddings": 8192, "tie_word_embeddings": True, **size, **changes})


def save(folder: Path, like: Path) -> Path:
    """Write such a model with random weights and the tokenizer of the checkpoint folder `like`.

    Returns:
        The folder.
    """
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    known = AutoConfig.from_pretrained(like).get_text_config()
    special = {name: getattr(known, name, None) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    LlamaForCausalLM(config(known.vocab_size, **special)).save_pretrained(folder)
    for file in like.iterdir():
        if "token" in file.name or file.suffix == ".jinja":
            shutil.copy(file, folder)
    return folder
