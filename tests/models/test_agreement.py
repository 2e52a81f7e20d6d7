"""Every architecture in the table of docs/engine.md: numbers and texts are those of transformers, one at a time."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch

from evalkit.models.base import WorkItem
from evalkit.models.hf.generation import Generator
from evalkit.models.hf.plain_generation import generate_plainly
from evalkit.models.hf.scoring import Scorer
from evalkit.types import GenerationParams
from tests.models.test_architectures import GROUPED, SMALL, build, measured, naive, one_thread, requests  # noqa: F401
from tests.models.test_generation import END, Spelled, alone, prompts

EXPERTS = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
GEMMA = {
    **GROUPED,
    "head_dim": 8,
    "sliding_window": 16,
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "vocab_size_per_layer_input": 97,
    "hidden_size_per_layer_input": 8,
}
AGREED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Llama llama3": (
        "Llama",
        "tree",
        {
            **GROUPED,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    ),
    "Llama yarn": (
        "Llama",
        "tree",
        {**GROUPED, "rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}},
    ),
    "Qwen2 window": ("Qwen2", "tree", {**GROUPED, "use_sliding_window": True, "sliding_window": 20, "max_window_layers": 1}),
    "Mixtral": ("Mixtral", "tree", {**GROUPED, **EXPERTS}),
    "Qwen3Moe": ("Qwen3Moe", "tree", {**GROUPED, **EXPERTS, "head_dim": 8}),
    "Gemma": ("Gemma", "tree", {**GROUPED, "head_dim": 8}),
    "Olmo2": ("Olmo2", "tree", {**GROUPED}),
    "Granite": ("Granite", "tree", {**GROUPED, "logits_scaling": 2.0, "attention_multiplier": 0.2}),
    "Cohere2": ("Cohere2", "tree", {**GROUPED, "sliding_window": 16}),
    "Cohere": ("Cohere", "tree", {**GROUPED}),
    "DeepseekV3": (
        "DeepseekV3",
        "tree",
        {
            **GROUPED,
            "num_key_value_heads": 4,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "n_group": 2,
            "topk_group": 1,
            "kv_lora_rank": 8,
            "q_lora_rank": 8,
            "qk_rope_head_dim": 4,
            "qk_nope_head_dim": 4,
            "v_head_dim": 8,
            "first_k_dense_replace": 1,
        },
    ),
    "Dots1": (
        "Dots1",
        "tree",
        {
            **GROUPED,
            "head_dim": 8,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "n_group": 1,
            "topk_group": 1,
            "n_shared_experts": 1,
            "first_k_dense_replace": 1,
        },
    ),
    "GPTJ": ("GPTJ", "cached", {"vocab_size": 97, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512, "rotary_dim": 4}),
    "GPTNeo": (
        "GPTNeo",
        "cached",
        {
            "vocab_size": 97,
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 16,
            "max_position_embeddings": 512,
        },
    ),
    "GPTBigCode": ("GPTBigCode", "tree", {"vocab_size": 97, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512}),
    "Mpt": ("Mpt", "cached", {"vocab_size": 97, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 512}),
    "SmolLM3": ("SmolLM3", "tree", {**GROUPED}),
    "Starcoder2": ("Starcoder2", "tree", {**GROUPED, "sliding_window": 20}),
    "Nemotron": ("Nemotron", "tree", {**GROUPED}),
    "Glm4": ("Glm4", "tree", {**GROUPED, "head_dim": 8}),
    "Exaone4": ("Exaone4", "tree", {**GROUPED, "sliding_window": 16, "sliding_window_pattern": 2}),
    "Mamba2": (
        "Mamba2",
        "cached",
        {
            "vocab_size": 97,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "state_size": 8,
            "num_heads": 8,
            "head_dim": 8,
            "n_groups": 2,
            "expand": 2,
        },
    ),
    "DiffLlama": ("DiffLlama", "tree", {**GROUPED}),
    "GptOss": ("GptOss", "tree", {**GROUPED, "head_dim": 8, "sliding_window": 16, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "RecurrentGemma": ("RecurrentGemma", "plain", {**GROUPED, "lru_width": 32, "attention_window_size": 16, "head_dim": 8}),
    "Lfm2": ("Lfm2", "cached", {**GROUPED, "layer_types": ["conv", "full_attention", "conv"]}),
    "FalconH1": (
        "FalconH1",
        "cached",
        {
            **GROUPED,
            "mamba_d_ssm": 32,
            "mamba_n_heads": 4,
            "mamba_d_head": 8,
            "mamba_n_groups": 1,
            "mamba_d_state": 8,
            "mamba_chunk_size": 16,
        },
    ),
    "Bamba": (
        "Bamba",
        "cached",
        {
            **GROUPED,
            "attn_layer_indices": [1],
            "mamba_n_heads": 8,
            "mamba_d_head": 8,
            "mamba_n_groups": 1,
            "mamba_d_state": 8,
            "mamba_chunk_size": 16,
        },
    ),
    "Zamba2": (
        "Zamba2",
        "cached",
        {
            **GROUPED,
            "num_key_value_heads": 4,
            "mamba_d_state": 8,
            "mamba_ngroups": 1,
            "n_mamba_heads": 4,
            "mamba_headdim": 16,
            "attention_head_dim": 16,
            "layers_block_type": ["mamba", "hybrid", "mamba"],
            "chunk_size": 16,
            "num_mem_blocks": 1,
        },
    ),
    "MiniMax": (
        "MiniMax",
        "plain",
        {**GROUPED, **EXPERTS, "head_dim": 8, "block_size": 16, "layer_types": ["linear_attention", "full_attention", "linear_attention"]},
    ),
    "Qwen3Next": (
        "Qwen3Next",
        "cached",
        {
            **GROUPED,
            **EXPERTS,
            "head_dim": 8,
            "shared_expert_intermediate_size": 24,
            "linear_num_value_heads": 4,
            "linear_num_key_heads": 2,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "layer_types": ["linear_attention", "full_attention", "linear_attention"],
        },
    ),
    "HrmText": (
        "HrmText",
        "tree",
        {**SMALL, "num_hidden_layers": 4, "head_dim": 8, "max_position_embeddings": 512},  # each layer is called several times
    ),
    "Llama4": (
        "Llama4Text",
        "tree",
        {
            **GROUPED,
            "num_hidden_layers": 4,
            "head_dim": 8,
            "intermediate_size_mlp": 48,
            "num_local_experts": 4,
            "num_experts_per_tok": 1,
            "attention_chunk_size": 32,
            "no_rope_layers": [1, 1, 1, 0],
        },
    ),
    "Rwkv": ("Rwkv", "plain", {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "context_length": 512}),
    "Jamba": (
        "Jamba",
        "plain",
        {
            **GROUPED,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "num_experts": 2,
            "mamba_d_state": 4,
            "mamba_dt_rank": 8,
            "use_mamba_kernels": False,
        },
    ),
    "Falcon": ("Falcon", "cached", {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}),
    "StableLm": ("StableLm", "tree", {**GROUPED, "partial_rotary_factor": 1.0}),
    "Persimmon": ("Persimmon", "tree", {**SMALL, "max_position_embeddings": 512}),
    "Olmo": ("Olmo", "tree", {**GROUPED}),
    "Olmo3": ("Olmo3", "tree", {**GROUPED, "sliding_window": 16}),
    "Olmoe": ("Olmoe", "tree", {**GROUPED, **EXPERTS}),
    "Ernie4_5": ("Ernie4_5", "tree", {**GROUPED, "head_dim": 8}),
    "Arcee": ("Arcee", "tree", {**GROUPED}),
    "SeedOss": ("SeedOss", "tree", {**GROUPED, "head_dim": 8}),
    "HunYuanDenseV1": ("HunYuanDenseV1", "tree", {**GROUPED, "head_dim": 8}),
    "Helium": ("Helium", "tree", {**GROUPED, "head_dim": 8}),
    "Apertus": ("Apertus", "tree", {**GROUPED}),
    "XGLM": (
        "XGLM",
        "cached",
        {"vocab_size": 97, "d_model": 32, "ffn_dim": 48, "num_layers": 2, "attention_heads": 4, "max_position_embeddings": 512},
    ),
    "CodeGen": ("CodeGen", "cached", {"vocab_size": 97, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, "rotary_dim": 4}),
    "BioGpt": ("BioGpt", "tree", {**SMALL, "max_position_embeddings": 512}),
    "JetMoe": ("JetMoe", "cached", {**GROUPED, "kv_channels": 8, "num_local_experts": 4}),
    "VaultGemma": ("VaultGemma", "tree", {**GROUPED, "head_dim": 8, "sliding_window": 16}),
    "Gemma3n": (
        "Gemma3nText",
        "tree",
        {
            **GEMMA,
            "intermediate_size": [48] * 4,
            "laurel_rank": 4,
            "altup_num_inputs": 2,
            "num_kv_shared_layers": 2,
            "activation_sparsity_pattern": [0.0] * 4,
        },
    ),
    # Its layers group their heads in two ways.
    "Gemma4": (
        "Gemma4Text",
        "tree",
        {**GEMMA, "global_head_dim": 8, "num_kv_shared_layers": 0, "num_global_key_value_heads": 1, "attention_k_eq_v": True},
    ),
}


def built(label: str) -> Any:
    name, _, settings = AGREED[label]
    return build(name, deepcopy(settings), torch.float32)


def few() -> list[WorkItem]:
    items = [item for item in prompts() if item.params and item.params.temperature == 0][:6]
    return [replace(item, params=GenerationParams(6)) for item in items]


@pytest.mark.parametrize("label", AGREED)
def test_numbers_and_texts_are_those_of_one_at_a_time(label: str) -> None:
    model, items = built(label), requests()[:10]
    scorer = Scorer(model, pad=0, budget=128)
    assert scorer.path == AGREED[label][1], scorer.why
    found = measured(scorer, items)
    for item, right in zip(items, naive(model, items), strict=True):
        assert found[item.key] == pytest.approx(right, rel=2e-5, abs=2e-5)
    assert greedy_texts(model, scorer) == {item.key: alone(model, item) for item in few()}


def greedy_texts(model: Any, scorer: Scorer, use_cache: bool = True) -> dict[str, str | None]:
    """What the path that scores writes for `few`, by key."""
    if scorer.path == "tree":
        writer = Generator(scorer.forward, Spelled(), END, room=4000, budget=256, most=8, fill=32)
        return {answer.key: answer.text for batch in writer.run(few()) for answer in batch}
    batches = (batch for item in few() for batch in generate_plainly(model, Spelled(), [item], pad=0, eos=END, use_cache=use_cache))
    return {answer.key: answer.text for batch in batches for answer in batch}
