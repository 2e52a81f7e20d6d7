"""A model that is already in memory, as a training loop has it: evaluated where it is, and left as it was found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from evalkit.errors import ModelError
from evalkit.models.base import content_key
from evalkit.models.checkpoint import Checkpoint
from evalkit.models.hf.model import HFModel

_CHUNK = 1 << 22  # numbers hashed at once: 32 MB of multipliers
_MIX = (-7046029254386353131, -4658895280553007687, -7723592293110705685)  # odd 64-bit constants of splitmix64


class LoadedModel(HFModel):
    """A transformers model object with its tokenizer, behind the protocol.

    Its fingerprint is a hash of the weights as they are now, so that answers of one training step are never taken for those
    of another. Make a new one after the weights have changed.

    Args:
        model: a `PreTrainedModel`, also compiled, wrapped in data parallelism, or with LoRA adapters (peft) over it.
        tokenizer: its tokenizer.
        name: as printed in tables; the checkpoint's own name by default.
        options: further settings of `HFModel` (`max_length`, `batch_tokens`, `thinking`, …), but none that loads weights.

    Raises:
        ModelError: no causal language model, no tokenizer, or one whose weights are not all here.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str | None = None, **options: Any) -> None:
        self.given = unwrapped(model)
        if tokenizer is None:
            raise ModelError("a model in memory needs its tokenizer; give tokenizer=AutoTokenizer.from_pretrained(…)")
        wrong = sorted({"path", "revision", "gguf_file", "wheel", "dtype", "device", "peft", "trust_remote_code"} & set(options))
        if wrong:
            raise ModelError(f"{wrong[0]}= says how weights are loaded, and this model is in memory already")
        super().__init__(name or _name(self.given), **options)
        self.tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # a processor has one inside
        self.config = self.given.config
        self.device = str(next(self.given.parameters()).device)
        self.dtype = str(self.given.dtype).removeprefix("torch.")

    @cached_property
    def checkpoint(self) -> Checkpoint:
        weights = weights_hash(self.given)
        return Checkpoint("", None, f"memory:{weights}", f"in memory, {self.config.architectures or type(self.given).__name__}")

    def identity(self) -> dict[str, Any]:
        """With the weights themselves: a folder of answers belongs to one state of the model."""
        return {**super().identity(), "weights": self.checkpoint.fingerprint}

    def _loaded(self, device: str) -> Any:
        return self.given

    def release(self) -> None:
        """Forget what evaluation has built around the model."""
        self.__dict__.pop("_runtime", None)


def unwrapped(model: Any) -> Any:
    """The causal language model inside `torch.compile`, data parallelism and peft; adapters stay active in it.

    Raises:
        ModelError: there is none, or its weights are spread over processes.
    """
    seen = type(model).__name__
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ in ("DistributedDataParallel", "DataParallel", "DeepSpeedEngine"):
            inner = model.module
        if inner is None:
            break
        model = inner
    if hasattr(model, "get_base_model") and hasattr(model, "peft_config"):
        if any(getattr(config, "is_prompt_learning", False) for config in model.peft_config.values()):
            raise ModelError(f"{seen} learns a prompt, which is no part of the weights; save it and give model=hf model.peft=DIR")
        model = model.get_base_model()
    if not hasattr(model, "config") or not hasattr(model, "get_output_embeddings") or not hasattr(model, "parameters"):
        raise ModelError(f"{seen} is no causal language model of transformers; give a PreTrainedModel, a name or a folder")
    if how := _spread(model):
        raise ModelError(f"the weights of {seen} are not all in this process ({how}); save a checkpoint and evaluate that: model.path=DIR")
    return model


def _spread(model: Any) -> str:
    """What keeps weights elsewhere; empty when all of them are here. One process alone could not run such a model: it would wait."""
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        return "FSDP"
    for weight in model.parameters():
        if type(weight).__name__ == "DTensor" or type(getattr(weight, "data", weight)).__name__ == "DTensor":
            return "FSDP or tensor parallelism"
        if hasattr(weight, "ds_id"):
            return "DeepSpeed ZeRO-3"
        if weight.device.type == "meta":
            return "on no device"
    return ""


def _name(model: Any) -> str:
    return str(getattr(model, "name_or_path", "") or type(model).__name__).rstrip("/").rpartition("/")[2]


def weights_hash(model: Any) -> str:
    """A hash of every weight and buffer, with names, shapes and types; computed on the device that holds them.

    Per tensor the sum of its numbers, taken as integers, times multipliers that depend on the place (modulo 2^64): one
    changed bit anywhere changes it, and equal weights on a CPU and on a GPU give equal hashes.
    """
    import torch

    parts = []
    with torch.no_grad():
        for name, tensor in sorted({**dict(model.named_buffers()), **dict(model.named_parameters())}.items()):
            parts += [name, str(tuple(tensor.shape)), str(tensor.dtype), str(_tensor_hash(tensor.detach()))]
    return content_key(*parts)


def _tensor_hash(tensor: Any) -> int:
    import torch

    if not tensor.numel():
        return 0
    whole = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    flat = tensor.contiguous().reshape(-1)
    flat = flat.view(torch.int64) if flat.is_complex() else flat.view(whole[flat.element_size()])
    total = torch.zeros((), dtype=torch.int64, device=flat.device)
    for start in range(0, len(flat), _CHUNK):
        part = flat[start : start + _CHUNK].to(torch.int64)
        places = torch.arange(start + 1, start + 1 + len(part), dtype=torch.int64, device=flat.device) * _MIX[0]
        places = (places ^ (places >> 30)) * _MIX[1]
        places = (places ^ (places >> 27)) * _MIX[2]
        total += (part * (places | 1)).sum()
    return int(total)


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """The model in evaluation mode; afterwards as it was: training mode of every module, buffers, caches, random state, gradients.

    What `torch.compile` made of a module in place is set aside, since it was made for another attention.
    """
    import numpy as np
    import torch
    from transformers import AttentionInterface

    registered = set(AttentionInterface._global_mapping)
    modules = list(model.modules())
    training = [module.training for module in modules]
    compiled = [module.__dict__.get("_compiled_call_impl") for module in modules]
    buffers = [dict(module._buffers) for module in modules]
    use_cache = getattr(model.config, "use_cache", None)
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    on_gpus = [torch.cuda.get_rng_state(device) for device in devices]
    try:
        model.eval()
        for module in modules:
            if module.__dict__.get("_compiled_call_impl") is not None:
                module._compiled_call_impl = None
        yield
    finally:
        for module, was, call, kept in zip(modules, training, compiled, buffers, strict=True):
            module.training = was
            module._buffers.update(kept)
            if call is not None:
                module._compiled_call_impl = call
        if use_cache is not None:
            model.config.use_cache = use_cache
        for ours in set(AttentionInterface._global_mapping) - registered:  # they hold keys and values
            del AttentionInterface._global_mapping[ours]
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        for device, state in zip(devices, on_gpus, strict=True):
            torch.cuda.set_rng_state(state, device)
