"""Where weights go and in what form: several devices, offload, quantisation, the attention of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.errors import ConfigError, ModelError
from evalkit.extras import need
from evalkit.paths import cache_dir

if TYPE_CHECKING:
    from evalkit.models.checkpoint import Checkpoint

WAYS = ("auto", "balanced", "balanced_low_0", "sequential")
# model.quantization: the package it needs.
QUANTIZATIONS = {"bnb4": "bitsandbytes", "bnb8": "bitsandbytes", "int8": "torchao"}


@dataclass(frozen=True)
class Placement:
    """What `from_pretrained` is told beyond the checkpoint.

    Attributes:
        device_map: None for one device; `auto`, `balanced`, `sequential`, or module -> device (`disk` among them).
        max_memory: device -> bytes or text such as `20GiB`, for `auto` and its like.
        quantization: a key of QUANTIZATIONS; None loads weights as they are, the checkpoint's own quantisation included.
        attention: transformers' name of an attention implementation; None is its choice.

    Raises:
        ConfigError: a word that means none of these.
    """

    device_map: str | Mapping[str, Any] | None = None
    max_memory: Mapping[Any, Any] | None = None
    quantization: str | None = None
    attention: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.device_map, str) and self.device_map not in WAYS:
            raise ConfigError(f"model.device_map={self.device_map!r} is unknown; use {', '.join(WAYS)}, or a mapping of modules to devices")
        if self.quantization is not None and self.quantization not in QUANTIZATIONS:
            raise ConfigError(
                f"model.quantization={self.quantization!r} is unknown; use {', '.join(QUANTIZATIONS)}, "
                "or null (a checkpoint that is quantised itself loads as it is)"
            )
        if self.max_memory and not self.device_map:
            raise ConfigError("model.max_memory says how model.device_map=auto shares weights out; set that too")

    @property
    def plain(self) -> bool:
        """Whether the weights are whole, on one device, and may be laid out again there."""
        return not (self.device_map or self.quantization)

    def arguments(self, checkpoint: Checkpoint, device: str) -> dict[str, Any]:
        """Keyword arguments of `from_pretrained`.

        Raises:
            ModelError: a package is missing; says how to install it.
        """
        given: dict[str, Any] = {"attn_implementation": self.attention} if self.attention else {}
        if self.device_map:
            need("accelerate", "model.device_map", ModelError)
            folder = cache_dir() / "offload" / checkpoint.fingerprint.rpartition(":")[2][:24].replace("/", "_")
            folder.mkdir(parents=True, exist_ok=True)
            spread = self.device_map if isinstance(self.device_map, str) else {str(k): v for k, v in self.device_map.items()}
            given |= {"device_map": spread, "offload_folder": str(folder)}
        if self.max_memory:
            given["max_memory"] = {_device(name): size for name, size in self.max_memory.items()}
        if self.quantization:
            given["quantization_config"] = _quantization(self.quantization)
            given.setdefault("device_map", {"": device})
        return given


def _device(name: Any) -> Any:
    return int(name) if str(name).isdigit() else name


def _quantization(name: str) -> Any:
    package = QUANTIZATIONS[name]
    need(package, f"model.quantization={name}", ModelError)
    if package == "torchao":
        from torchao.quantization import Int8WeightOnlyConfig
        from transformers import TorchAoConfig

        return TorchAoConfig(Int8WeightOnlyConfig())
    import torch
    from transformers import BitsAndBytesConfig

    if name == "bnb8":
        return BitsAndBytesConfig(load_in_8bit=True)
    compute = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=compute)


def quantized_by(config: Any) -> str | None:
    """The method a checkpoint's own configuration says its weights are quantised by; None for whole weights."""
    own = getattr(config, "quantization_config", None)
    method = own.get("quant_method") if isinstance(own, Mapping) else getattr(own, "quant_method", None)
    return None if own is None else str(getattr(method, "value", method) or "a method of its own")


def best_device() -> str:
    """What `device: auto` means here: cuda, xpu, mps or cpu, the first there is."""
    import torch

    for name in ("cuda", "xpu"):
        if (there := getattr(torch, name, None)) is not None and there.is_available():
            return name
    return "mps" if torch.backends.mps.is_available() else "cpu"


def home_of(model: Any) -> Any:
    """The device a model's inputs go to; the CPU where its first weights are fetched for every pass."""
    import torch

    return torch.device("cpu") if model.device.type == "meta" else model.device
