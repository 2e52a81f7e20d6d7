"""One rule for a checkpoint's `generation_config`: end tokens are taken from it, and nothing else.

A score should not depend on what a checkpoint's authors suggest for conversations, or on which path a model takes. So what a
task or `model.sampling` asks for is applied, what a checkpoint suggests is not, and the manifest names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.models.checkpoint import Checkpoint

# Of tokens, of files and of what is handed back: no suggestion how to decode.
NO_SUGGESTION = frozenset(
    {"bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "transformers_version", "use_cache"}
    | {"output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate"}
)
# Values that change nothing.
NEUTRAL = {"do_sample": False, "num_beams": 1, "temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1.0, "length_penalty": 1.0}


def load_suggested(checkpoint: Checkpoint) -> Any:
    """The checkpoint's generation configuration; where it has no file of it, what its `config.json` and its family's defaults say."""
    from transformers import AutoConfig, GenerationConfig, PretrainedConfig

    if not checkpoint.path:  # a model in memory, which no file says anything of
        return GenerationConfig()
    try:
        return GenerationConfig.from_pretrained(checkpoint.path, revision=checkpoint.revision)
    except (OSError, ValueError, TypeError, KeyError):  # none there, or one that cannot be read: transformers then goes on without it
        told, _ = PretrainedConfig.get_config_dict(checkpoint.path, revision=checkpoint.revision)
    suggested = GenerationConfig.from_model_config(dict(told))
    try:  # Bart's class suggests a forced end token that no file of a checkpoint names
        family = GenerationConfig.from_model_config(AutoConfig.for_model(**told)).to_dict()
    except (ValueError, TypeError, KeyError):  # a family of the checkpoint's own
        return suggested
    for name, value in family.items():
        if value is not None and getattr(suggested, name, None) is None:
            setattr(suggested, name, value)
    return suggested


def applied_and_not(checkpoint: Checkpoint, asked: Mapping[str, Any]) -> dict[str, Any]:
    """For the manifest: what of the checkpoint's suggestions holds in a run, and what does not.

    Args:
        asked: what `model.sampling` sets.
    """
    suggested = load_suggested(checkpoint)
    told, ends = suggestions(suggested), sorted(end_tokens(suggested.eos_token_id))
    same = {name: value for name, value in told.items() if asked.get(name) == value}
    return {
        "applied": ({"eos_token_id": ends} if ends else {}) | same,
        "not_applied": {name: value for name, value in told.items() if name not in same},
    }


def end_tokens(*suggested: Any) -> frozenset[int]:
    """The ids in any number of `eos_token_id` values: None, one id or a list."""
    return frozenset(
        token for value in suggested for token in (value if isinstance(value, (list, tuple)) else [value]) if token is not None
    )


def suggestions(suggested: Any) -> dict[str, Any]:
    """What a generation configuration says about decoding, as plain JSON; values that change nothing are left out."""
    told: dict[str, Any] = {name: value for name, value in suggested.to_diff_dict().items() if value is not None}
    return {
        name: _plain(value)
        for name, value in sorted(told.items())
        if name not in NO_SUGGESTION and not name.startswith("_") and NEUTRAL.get(name) != value
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str, list, dict)) else str(value)
