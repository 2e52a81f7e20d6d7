"""Weights on several devices, on disk, quantised: the same answers, never packed, and every word refused that means nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.errors import ConfigError, ModelError
from evalkit.models.hf import HFModel
from evalkit.models.placement import QUANTIZATIONS, Placement, best_device, quantized_by
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Request, Response

Tiny = Callable[..., Path]
WORDS = "one two three four five six seven eight nine ten " * 8
ASKED: list[Request] = [
    *(
        LoglikelihoodRequest("t", str(n), ((f"{WORDS}{n} a b", " c d"), (f"{WORDS}{n} a b", " e"), (f"{WORDS}{n}", " x y z")))
        for n in range(4)
    ),
    *(GenerateRequest("t", str(n), f"{WORDS}{n} a", GenerationParams(10)) for n in range(4)),
]
SPREAD = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk", "model.norm": "cpu", "model.rotary_emb": "cpu"}
SPREAD |= {"lm_head": "disk"}


def ask(model: HFModel) -> list[Response]:
    items = model.encode(ASKED)
    answers = {r.key: r for batch in model.answer(items, set()) for r in batch}
    return [answers[item.key] for item in items]


def hf(folder: Path, **settings: Any) -> HFModel:
    return HFModel("tiny", path=str(folder), dtype="float32", **settings)


def same(got: Sequence[Response], wanted: Sequence[Response]) -> None:
    for one, other in zip(got, wanted, strict=True):
        assert (one.text, one.greedy) == (other.text, other.greedy)
        assert one.loglikelihoods == (None if other.loglikelihoods is None else pytest.approx(other.loglikelihoods, abs=1e-4))


@pytest.mark.parametrize("device_map", [SPREAD, "auto"], ids=["disk", "auto"])
def test_weights_spread_over_memory_and_disk_answer_alike(tiny: Tiny, device_map: Any) -> None:
    model = hf(tiny(), device_map=device_map)
    same(ask(model), ask(hf(tiny(), device="cpu")))
    told = model.describe()
    assert told["scoring_path"] == "tree" and told["device_map"] == device_map
    loaded = model._runtime.model
    if device_map == SPREAD:
        assert loaded.model.layers[1].mlp.up_proj.weight.device.type == "meta"  # fetched for every pass
    assert all(type(module) is __import__("torch").nn.Linear for module in [loaded.model.layers[0].mlp.up_proj])


def test_where_weights_lie_names_no_run(tiny: Tiny) -> None:
    folder = tiny()
    assert hf(folder, device_map="auto").identity() == hf(folder).identity()
    assert hf(folder, device_map="auto").fingerprint == hf(folder).fingerprint


def test_quantisation_and_attention_name_it(tiny: Tiny) -> None:
    folder = tiny()
    plain, quantised = hf(folder), hf(folder, quantization="bnb4")
    assert quantised.identity() == {**plain.identity(), "quantization": "bnb4"}
    assert len({plain.fingerprint, quantised.fingerprint, hf(folder, quantization="int8").fingerprint}) == 3
    assert hf(folder, attention="eager").identity()["attention"] == "eager"
    assert plain.notes == () and quantised.notes == ("the model's weights were quantised as they were loaded: bnb4",)


def test_the_attention_of_transformers_may_be_chosen(tiny: Tiny) -> None:
    model = hf(tiny(), device="cpu", attention="eager")
    same(ask(model), ask(hf(tiny(), device="cpu")))
    assert model._runtime.model.config._attn_implementation == "eager"


@pytest.mark.parametrize("name", sorted(QUANTIZATIONS))
def test_a_quantised_model_answers_or_says_what_to_install(tiny: Tiny, name: str) -> None:
    package = QUANTIZATIONS[name]
    model = hf(tiny(hidden_size=64, intermediate_size=128), device="cpu", quantization=name)
    if importlib.util.find_spec(package) is None:
        with pytest.raises(ModelError, match=f"needs the package {package}, which is not installed; run: pip install 'evalkit-harness"):
            ask(model)
        return
    got, wanted = ask(model), ask(hf(tiny(hidden_size=64, intermediate_size=128), device="cpu"))
    differences = [
        abs(a - b)
        for one, other in zip(got, wanted, strict=True)
        for a, b in zip(one.loglikelihoods or (), other.loglikelihoods or (), strict=True)
    ]
    assert max(differences) > 0 and all(one.text is not None or one.loglikelihoods for one in got)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"device_map": "all"}, "model.device_map='all' is unknown; use auto"),
        ({"quantization": "q4"}, "model.quantization='q4' is unknown; use bnb4"),
        ({"max_memory": {"cpu": "1GiB"}}, "model.max_memory says how"),
        ({"device_map": "auto", "device": "cpu"}, "both say where weights go"),
    ],
)
def test_words_that_mean_nothing_are_refused_at_once(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        HFModel("x", path="p", **settings)


def test_a_checkpoints_own_quantisation_is_a_footnote() -> None:
    assert quantized_by(SimpleNamespace()) is None
    assert quantized_by(SimpleNamespace(quantization_config={"quant_method": "gptq", "bits": 4})) == "gptq"
    assert quantized_by(SimpleNamespace(quantization_config=SimpleNamespace(quant_method="awq"))) == "awq"


def test_arguments_of_from_pretrained(tiny: Tiny) -> None:
    checkpoint = hf(tiny()).checkpoint
    given = Placement("auto", {"0": "70GiB", "cpu": "9GiB"}, None, "sdpa").arguments(checkpoint, "cuda")
    assert given["max_memory"] == {0: "70GiB", "cpu": "9GiB"} and given["attn_implementation"] == "sdpa"
    assert Path(given["offload_folder"]).is_dir()
    assert Placement().arguments(checkpoint, "cpu") == {}


@pytest.mark.parametrize(("there", "wanted"), [(("cuda", "xpu"), "cuda"), (("xpu",), "xpu"), (("mps",), "mps"), ((), "cpu")])
def test_the_first_device_there_is(monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], wanted: str) -> None:
    import torch

    for name in ("cuda", "xpu", "mps"):
        module = torch.backends.mps if name == "mps" else getattr(torch, name)
        monkeypatch.setattr(module, "is_available", lambda name=name: name in there)
    assert best_device() == wanted
