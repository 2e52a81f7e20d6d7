"""Packed weights multiply as plain ones do, and nothing else of a model changes."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM, PhiConfig, PhiForCausalLM

from evalkit.models.hf import onednn_linear
from evalkit.models.hf.onednn_linear import PackedLinear, pack

SMALL = {"vocab_size": 101, "hidden_size": 48, "num_hidden_layers": 2, "intermediate_size": 56, "num_attention_heads": 3}
IDS = torch.arange(5, 38)[None]


def llama(**more: Any) -> Any:
    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(**SMALL, num_key_value_heads=1, **more)).eval()


def phi() -> Any:
    torch.manual_seed(1)
    model = PhiForCausalLM(PhiConfig(**SMALL)).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.bias)
    return model


def mixtral() -> Any:
    torch.manual_seed(1)
    return MixtralForCausalLM(MixtralConfig(**SMALL, num_key_value_heads=1, num_local_experts=4)).eval()


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = model(IDS, use_cache=False).logits
    return result


def plain(model: Any) -> list[torch.nn.Module]:
    return [module for module in model.modules() if type(module) is torch.nn.Linear]


pytestmark = pytest.mark.skipif(not onednn_linear._can_pack(llama()), reason="PyTorch without oneDNN")


@pytest.mark.parametrize("build", [llama, phi, mixtral])
def test_logits_stay_and_plain_matrices_go(build: Any) -> None:
    model = build()
    expected, before = logits(model), plain(model)
    matrices = sum(layer.weight.numel() for layer in before[:-1])  # the last one is the output embedding
    held = sum(parameter.numel() for parameter in model.parameters())
    assert pack(model) == len(before) - 1 > 0
    assert plain(model) == [model.get_output_embeddings()]
    assert sum(parameter.numel() for parameter in model.parameters()) == held - matrices
    torch.testing.assert_close(logits(model), expected, rtol=1e-5, atol=1e-5)


def test_plain_matrices_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not all at the end, when the model would take its memory twice."""
    model = llama()
    weights = [weakref.ref(layer.weight) for layer in plain(model)]
    left = []
    made = PackedLinear.__init__

    def counted(self: PackedLinear, linear: torch.nn.Linear) -> None:
        left.append(sum(weight() is not None for weight in weights))
        made(self, linear)

    monkeypatch.setattr(PackedLinear, "__init__", counted)
    pack(model)
    assert left == list(range(len(weights), 1, -1))


def test_a_layer_used_in_two_places_stays_plain() -> None:
    model = llama()
    model.model.layers[1].mlp.up_proj = model.model.layers[0].mlp.up_proj
    expected = logits(model)
    assert pack(model) == 2 * 7 - 2
    torch.testing.assert_close(logits(model), expected, rtol=1e-5, atol=1e-5)


def test_a_shared_matrix_stays_plain() -> None:
    model = llama()
    first, second = (layer.mlp.up_proj for layer in model.model.layers)
    second.weight = first.weight
    expected = logits(model)
    assert pack(model) == 2 * 7 - 2
    assert model.model.layers[0].mlp.up_proj.weight is model.model.layers[1].mlp.up_proj.weight
    torch.testing.assert_close(logits(model), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_other_dtypes_stay_plain(dtype: torch.dtype) -> None:
    assert pack(llama().to(dtype)) == 0


def test_bfloat16_is_as_near_to_float32_as_plain_weights_are() -> None:
    exact = logits(llama())
    model = llama().to(torch.bfloat16)
    if not onednn_linear._can_pack(model):
        pytest.skip("this processor has no fast bfloat16")
    plain_error = (logits(model).float() - exact).abs().max()
    pack(model)  # fewer than all where the check at load says so
    assert (logits(model).float() - exact).abs().max() <= 3 * plain_error + 1e-3


def test_a_packed_form_that_multiplies_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    model = llama()
    expected, before = logits(model), plain(model)
    monkeypatch.setattr(PackedLinear, "forward", lambda self, states: states.new_zeros(*states.shape[:-1], self.out_features))
    assert pack(model) == 0
    assert plain(model) == before
    assert torch.equal(logits(model), expected)


def test_without_the_library_everything_stays_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert pack(llama()) == 0


@pytest.mark.parametrize("shape", [(0, 48), (48,), (3, 0, 48), (2, 5, 48)])
def test_any_shape_a_linear_layer_takes(shape: tuple[int, ...]) -> None:
    """No tokens too: a mixture's expert that nobody chose."""
    linear = torch.nn.Linear(48, 20)
    states = torch.randn(*shape)
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(linear)(states), linear(states))


def test_whoever_asks_for_the_matrix_gets_it() -> None:
    linear = torch.nn.Linear(48, 20)
    with torch.inference_mode():
        packed = PackedLinear(linear)
        states = torch.randn(3, 48)
        assert torch.equal(packed.weight, linear.weight) and packed.weight.dtype == linear.weight.dtype
        assert torch.equal(packed(states), linear(states)) and packed.packed is None
        packed.weight.div_(2)  # some models scale their own matrices
        torch.testing.assert_close(packed(states), torch.nn.functional.linear(states, linear.weight / 2, linear.bias))


def test_it_is_a_linear_layer() -> None:
    linear = torch.nn.Linear(48, 20)
    packed = PackedLinear(linear)
    assert isinstance(packed, torch.nn.Linear) and repr(packed).endswith("(in_features=48, out_features=20, bias=True)")
    assert packed.packed is not None and {name for name, _ in packed.named_parameters()} == {"bias"}
    assert torch.equal(packed.state_dict()["weight"], linear.weight) and packed.packed is not None
    packed.weight = torch.nn.Parameter(linear.weight.detach() * 2)
    states = torch.randn(3, 48)
    torch.testing.assert_close(packed(states), torch.nn.functional.linear(states, linear.weight * 2, linear.bias))
    with pytest.raises(AttributeError, match="heft"):
        _ = packed.heft


def test_a_multiplication_that_fails_is_done_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    linear = torch.nn.Linear(48, 20)
    packed = PackedLinear(linear)

    def refuse(*_: Any) -> torch.Tensor:
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr(onednn_linear, "_multiply", refuse)
    with torch.inference_mode():
        states = torch.randn(3, 48)
        assert torch.equal(packed(states), linear(states))


RECURRENT: dict[str, dict[str, Any]] = {
    "Mamba": {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "FalconMamba": {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "Rwkv": {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 8, "rescale_every": 3, "context_length": 512},
    "Jamba": {
        **SMALL,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_hidden_layers": 4,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "num_experts": 2,
        "expert_layer_period": 2,
        "mamba_d_state": 4,
        "mamba_dt_rank": 8,
        "use_mamba_kernels": False,
    },
}


@pytest.mark.parametrize("name", RECURRENT)
def test_layers_that_a_model_reads_itself(name: str) -> None:
    model = recurrent(name)
    expected = logits(model)
    assert pack(model) > 0
    torch.testing.assert_close(logits(model), expected, rtol=1e-4, atol=1e-4)
    with torch.inference_mode():
        asked = {"attention_mask": torch.ones_like(IDS), "max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
        assert model.generate(IDS, **asked).tolist() == recurrent(name).generate(IDS, **asked).tolist()


def recurrent(name: str) -> Any:
    torch.manual_seed(1)
    return getattr(transformers, f"{name}ForCausalLM")(getattr(transformers, f"{name}Config")(**RECURRENT[name])).eval()
