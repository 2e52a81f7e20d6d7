"""Every architecture that transformers loads as a decoder, small and random: evalkit's log-likelihoods and greedy texts, next to its own.

    python benchmarks/architectures.py [--only NAME ...] [--but NAME ...] [--json FILE] [--seconds 120]

A configuration is the family's own with its sizes made small; what cannot be made small or built is named with its reason. Prints, for
each, the path, the largest relative difference of a log-likelihood from one sequence at a time, and whether greedy texts are equal to
those that `generate` writes without a cache (and `cached`: false where it writes others with one).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from evalkit.errors import ModelError
from evalkit.models.hf.path_check import cache_differs
from evalkit.models.hf.plain_generation import cached_loglikelihood
from evalkit.models.hf.scoring import Scorer
from tests.models.test_agreement import few, greedy_texts
from tests.models.test_architectures import measured, naive, requests
from tests.models.test_generation import alone

WORDS = 97
LAYERS = 4
MOST = 20_000_000  # parameters; more means that some size is not known below
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "model_dim", "embedding_size", "lru_width", "word_embed_proj_dim"), 32),
    **dict.fromkeys(
        ("intermediate_size", "ffn_dim", "n_inner", "decoder_ffn_dim", "encoder_ffn_dim", "dff", "d_inner", "ffn_hidden_size"), 48
    ),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "decoder_layers", "encoder_layers", "num_layers", "layers"), LAYERS),
    **dict.fromkeys(("num_decoder_layers", "num_encoder_layers"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "decoder_attention_heads", "encoder_attention_heads", "num_heads"), 4),
    **dict.fromkeys(("num_decoder_attention_heads", "num_encoder_attention_heads", "linear_num_value_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "linear_num_key_heads"), 2),
    **dict.fromkeys(
        ("head_dim", "v_head_dim", "kv_lora_rank", "q_lora_rank", "kv_channels", "linear_key_head_dim", "linear_value_head_dim"), 8
    ),
    **dict.fromkeys(("hidden_size_per_layer_input", "mamba_d_state", "mamba_d_head", "mamba_head_dim", "index_head_dim", "state_size"), 8),
    **dict.fromkeys(("ssm_state_size", "mamba_d_ssm_state", "dim_head", "swa_head_dim", "swa_v_head_dim", "linear_head_dim"), 8),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "mamba_num_heads", "mamba_n_heads", "index_n_heads", "rotary_dim"), 4),
    **dict.fromkeys(("n_groups", "mamba_n_groups", "n_group", "topk_group", "n_shared_experts", "num_shared_experts"), 1),
    **dict.fromkeys(("first_k_dense_replace", "num_nextn_predict_layers"), 1),
    **dict.fromkeys(("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts", "ffn_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k", "num_experts_per_token", "moe_top_k", "top_k_experts", "index_topk"), 2),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 24),
    **dict.fromkeys(("moe_shared_expert_intermediate_size", "shared_intermediate_size", "shared_experts_intermediate_size"), 24),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "max_sequence_length"), 512),
    **dict.fromkeys(("sliding_window", "attention_window_size", "window_size", "swa_window_size", "local_attention"), 16),
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), WORDS),
    "attention_chunk_size": 16,
    "mamba_chunk_size": 16,
    "chunk_size": 16,
    "mamba_d_ssm": 32,
    "mamba_expand": 2,
    "head_dim_rope": 4,
}
# What a family's own defaults leave open.
ROPE = {"rope_type": "default", "rope_theta": 10000.0}
WHOLE_HEADS = {"num_key_value_heads": 4, "head_dim": 4}  # one key head per query head; the width is that of the rotary part
BLT_PART = {"num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 48, "hidden_size": 32, "head_dim": 8}
BLT = {
    "patcher_config": {"num_hidden_layers": 2, "vocab_size": 260},
    "encoder_config": {"num_hidden_layers": 1, "vocab_size": 260, "hidden_size_global": 64},
    "decoder_config": {"num_hidden_layers": 2, "vocab_size": 260, "hidden_size_global": 64},
    "global_config": {"num_hidden_layers": 2, "hidden_size": 64, "head_dim": 16},
}
DOTS3_WINDOW = {
    **dict.fromkeys(("head_dim", "kv_lora_rank", "q_lora_rank", "v_head_dim"), 8),
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads", "qk_nope_head_dim", "qk_rope_head_dim"), 4),
}
MORE: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("axk1", "axk2", "deepseek_v3", "deepseek_v32", "glm_moe_dsa", "longcat_flash", "youtu"), WHOLE_HEADS),
    "bailing_hybrid": {
        "num_key_value_heads": 4,
        "num_local_experts": 4,
        "n_group": 1,
        "topk_group": 1,
        "layer_group_size": 2,
        "layer_types": None,
    },
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "rope_parameters": {"sliding_attention": ROPE, "full_attention": ROPE},
    },
    # Its attention takes the base of its rotary embedding from the attention's own configuration, which does not have it by itself.
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "dots3_note_text": {**WHOLE_HEADS, "per_layer_config": dict.fromkeys(("2", "3"), DOTS3_WINDOW)},
    "blt": {
        **{part: BLT_PART | more for part, more in BLT.items()},
        "encoder_hash_byte_group_vocab": 50,
        "vocab_size": 260,
        "sliding_window": None,
    },
    "bamba": {"attn_layer_indices": [1], "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1},
    "deepseek_v2": {"num_key_value_heads": 4, "num_experts_per_tok": 2, "n_routed_experts": 4, "topk_method": "greedy"},
    "dots1": {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1},
    **{family: {"num_key_value_heads": 4} for family in ("glm4_moe_lite", "minicpm3")},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 2},
    "nemotron": {"num_key_value_heads": 2},
    "gemma3n_text": {
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "intermediate_size": [48] * 4,
        "activation_sparsity_pattern": [0.0] * 4,
        "laurel_rank": 4,
        "altup_num_inputs": 2,
        "num_kv_shared_layers": 2,
    },
    "granitemoehybrid": {"layer_types": ["mamba", "attention"] * 2, "mamba_n_heads": 8, "mamba_d_head": 8},
    "gpt_neo": {"attention_types": [[["global", "local"], 2]]},
    "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "kimi_linear": {"num_key_value_heads": 4, "linear_num_heads": 4},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 2},
    "ministral": {"head_dim": 8},
    "qwen4_exp_text": {
        "hc_lowrank": 8,
        "ple_layer_ids": [1],
        "ple_embed_dim": 32,
        "ngram_vocab_size_base": 100,
        "heads_per_ngram": 2,
        "make_ngram_vocab_size_divisible_by": 4,
        "split_ngram_parts": 1,
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 8,
        "indexer_budget": 512,
        "indexer_compress_ratio": 4,
        "rope_parameters": {**ROPE, "partial_rotary_factor": 1.0},
    },
    "reformer": {
        "attention_head_size": 8,
        "attn_layers": ["local"] * 2,
        "axial_pos_shape": [16, 32],
        "axial_pos_embds_dim": [16, 16],
        "hidden_size": 32,
        "feed_forward_size": 48,
    },
    "xlm": {"emb_dim": 32, "causal": True},
    "xmod": {"default_language": "en_XX"},
    "zaya": {"router_hidden_size": 16, "num_experts_per_tok": 1, "layer_types": ["hybrid", "hybrid_sliding"] * 2, "sliding_window": 16},
}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def small(name: str) -> Any:
    """The family's configuration with every size that SIZES knows made small, in its parts (text, pictures, sound) too.

    Raises:
        Exception: whatever the family says against it.
    """
    config_class = CONFIG_MAPPING[name]
    known = config_class().to_dict()
    parts = {part: _sizes(settings) for part, settings in known.items() if part.endswith("_config") and isinstance(settings, dict)}
    given = _sizes(known) | TOKENS | {part: sizes for part, sizes in parts.items() if sizes}
    if "text_config" in parts:
        given["text_config"] = parts["text_config"] | TOKENS | MORE.get(f"{name}_text", {})
    if "is_decoder" in known:
        given["is_decoder"] = True
    return config_class(**given | MORE.get(name, {}))


def _sizes(known: dict[str, Any]) -> dict[str, Any]:
    """Small sizes for what a configuration has."""
    given = {name: value for name, value in SIZES.items() if known.get(name) is not None and not isinstance(known[name], (list, dict))}
    for kind_list in ("layer_types", "mlp_layer_types", "layers_block_type"):
        if isinstance(kinds := known.get(kind_list), list) and kinds:
            # Some of each kind, in their order.
            seen: list[str] = []
            for kind in kinds:
                if seen.count(kind) < max(1, LAYERS // len(set(kinds))):
                    seen.append(kind)
            given[kind_list] = (seen * LAYERS)[:LAYERS]
    if "index_topk" in given:
        given["index_topk"] = 512  # all keys: which are chosen among more is a matter of rounding
    if "model_type" in known:
        given["model_type"] = known["model_type"]
    return given


def tried(name: str) -> dict[str, Any]:
    """What came of one architecture: `path`, `difference`, `texts`; or `refused`, or `not_built` with the reason."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    try:
        config = small(name)
        with torch.device("meta"):
            size = sum(parameter.numel() for parameter in AutoModelForCausalLM.from_config(config).parameters())
        if size > MOST:
            return {"not_built": f"{size:,} parameters"}
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).float().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(8).nan_to_num_(0.0)
        for forced in ("forced_bos_token_id", "forced_eos_token_id"):
            setattr(model.generation_config, forced, None)  # of what a checkpoint suggests evalkit takes the end tokens alone
        items = requests()[:10]
        expected = naive(model, items)
    except Exception as error:  # any family may refuse in its own way
        return {"not_built": f"{type(error).__name__}: {str(error).splitlines()[0][:110] if str(error) else ''}"}
    if any(value != value for sums in expected for value in sums):
        return {"not_built": "its numbers are NaN at random"}
    try:
        scorer = Scorer(model, pad=0, budget=128)
        found = measured(scorer, items)
    except ModelError as error:
        return {"refused": str(error)[:110]}
    gaps = [
        abs(a - b) / max(1.0, abs(b))
        for item, sums in zip(items, expected, strict=True)
        for a, b in zip(found[item.key], sums, strict=True)
    ]
    told = {"path": scorer.path, "difference": max(gaps), "why": scorer.why}
    try:
        right = {item.key: alone(model, item, use_cache=False) for item in few()}
        with_cache = {item.key: alone(model, item) for item in few()}
    except Exception as error:
        return {**told, "texts": f"transformers itself cannot write: {type(error).__name__}"}
    gap = 0.0 if scorer.path == "tree" else cache_differs(scorer, partial(cached_loglikelihood, model, pad=0))
    return {**told, "texts": greedy_texts(model, scorer, use_cache=not gap) == right, "cached": with_cache == right}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--but", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=120.0, help="for one architecture")
    parser.add_argument("--json")
    args = parser.parse_args()
    every: dict[str, Any] = {}
    context = multiprocessing.get_context("fork")
    for name in args.only or [name for name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES if name not in args.but]:
        with context.Pool(1) as pool:  # one that dies or hangs takes nobody with it
            try:
                every[name] = pool.apply_async(tried, (name,)).get(args.seconds)
            except multiprocessing.TimeoutError:
                every[name] = {"not_built": f"no answer in {args.seconds:g} s"}
            except Exception as error:
                every[name] = {"failed": f"{type(error).__name__}: {str(error)[:200]}"}
        print(name, json.dumps(every[name]), flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")
    return int(any("failed" in one or one.get("difference", 0) > 1e-4 for one in every.values()))


if __name__ == "__main__":
    sys.exit(main())
