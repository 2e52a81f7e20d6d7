"""Linear layers whose weights lie in the order in which oneDNN multiplies by them.

A plain matrix is rearranged inside every multiplication. Over a thousand tokens nobody notices; a step that writes a few takes longer.
Each plain matrix is let go as soon as its packed form exists, so a model takes no more memory than before.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import torch

from evalkit.models.checkpoint import is_memory
from evalkit.models.hf.allocator import forget, mapped_files

log = logging.getLogger("evalkit")
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.02}  # relative to the largest output
ROWS = 3  # tokens that a packed form is checked on


class PackedLinear(torch.nn.Linear):
    """A linear layer for inference on a CPU. (…, in_features) to (…, out_features).

    Whoever asks for `weight` gets it: the layer is then plain from there on, since code that multiplies by the matrix itself, or
    changes it, does so again. So it is, too, from the first multiplication that the packed form cannot do.
    """

    def __init__(self, linear: torch.nn.Linear) -> None:
        torch.nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        self.packed: torch.Tensor | None = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)

    def __getattr__(self, name: str) -> Any:
        if name == "weight" and self.__dict__.get("packed") is not None:
            self.unpack()
        return super().__getattr__(name)

    def unpack(self) -> None:
        """Become a plain linear layer."""
        with torch.inference_mode(False), torch.no_grad():
            assert self.packed is not None, "it is packed"
            weight = torch.nn.Parameter(self.packed.to_dense().clone(), requires_grad=False)
        self.packed = None
        self.register_parameter("weight", weight)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.packed is not None:
            try:
                return _multiply(input, self.packed, self.bias)
            except RuntimeError as error:
                if is_memory(error):
                    raise
                log.debug("a packed matrix of %d x %d is plain from now on: %s", self.out_features, self.in_features, error)
        return torch.nn.functional.linear(input, self.weight, self.bias)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.packed is not None:
            destination[f"{prefix}weight"] = self.packed.to_dense()


def _multiply(states: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, packed, bias, "none", [], "")
    return result


def pack(model: Any) -> int:
    """Replace a CPU model's linear layers, its output embedding and shared matrices left out; returns how many were replaced.

    None are where oneDNN cannot. From the first on whose result on a few tokens is not the plain one's, all stay plain.
    """
    if not _can_pack(model):
        return 0
    head = model.get_output_embeddings()
    # Names, not layers: a list of these would hold every plain matrix until the last one is packed.
    places = [
        (parent, name)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is torch.nn.Linear and child is not head
    ]
    users = Counter(parameter.data_ptr() for _, parameter in model.named_parameters(remove_duplicate=False))
    files = mapped_files()
    replaced = 0
    with torch.inference_mode():
        for parent, name in places:
            linear = getattr(parent, name)
            if linear.weight.dtype not in TOLERANCE or users[linear.weight.data_ptr()] > 1:
                continue
            packed = PackedLinear(linear)
            if not _agree(linear, packed):
                log.debug("packed weights of %s do not multiply as the plain ones do; the rest stays plain", name)
                return replaced
            setattr(parent, name, packed)
            forget(linear.weight.data_ptr(), linear.weight.nbytes, files)
            replaced += 1
            del linear
    return replaced


def _can_pack(model: Any) -> bool:
    if model.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    operators = torch.ops.mkldnn
    if not all(hasattr(operators, name) for name in ("_reorder_linear_weight", "_linear_pointwise", "_is_mkldnn_bf16_supported")):
        return False
    return model.dtype == torch.float32 or (model.dtype == torch.bfloat16 and bool(operators._is_mkldnn_bf16_supported()))


def _agree(linear: torch.nn.Linear, packed: PackedLinear) -> bool:
    states = torch.linspace(-1, 1, ROWS * linear.in_features, dtype=torch.float32).reshape(1, ROWS, -1).to(linear.weight.dtype)
    plain, other = linear(states).float(), packed(states).float()
    size = max(1.0, float(plain.abs().max()))
    return bool((plain - other).abs().max() <= TOLERANCE[linear.weight.dtype] * size)
