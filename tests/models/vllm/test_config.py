"""`backend=` as users type it: one word on every shipped model, refused where it would change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evalkit.config.compose import compose, instantiate
from evalkit.errors import ConfigError
from evalkit.models.hf import HFModel
from evalkit.models.vllm import VLLMModel
from evalkit.paths import conf_dir

OWN_WEIGHTS = sorted(file.stem for file in (conf_dir() / "model").glob("*.yaml") if "${backend}" in file.read_text(encoding="utf-8"))


def model_of(*words: str) -> Any:
    node = compose(words)["model"]
    node.pop("description")
    return instantiate(node, "model")


def test_every_model_on_hf_takes_the_word() -> None:
    others = {"hf", "vllm", "openai", "fake", "claude", "gemini_1_5_flash", "gpt_4o"}
    assert {file.stem for file in (conf_dir() / "model").glob("*.yaml")} == {*OWN_WEIGHTS, *others}


@pytest.mark.parametrize("name", OWN_WEIGHTS)
def test_one_word_changes_what_reads_the_weights_and_nothing_else(name: str) -> None:
    local, same, other = (model_of(f"model={name}", *words) for words in ([], ["backend=hf"], ["backend=vllm"]))
    assert type(local) is type(same) is HFModel and type(other) is VLLMModel
    assert local.identity() == same.identity()
    assert {**local.identity(), "back_end": "vllm"} == other.identity()
    assert local.name == other.name


def test_settings_of_one_back_end_are_settings_of_that_one_alone() -> None:
    assert model_of("model=krutrim2_12b", "backend=vllm", "model.tensor_parallel=4")._speed["tensor_parallel"] == 4
    with pytest.raises(ConfigError, match=r"the model that was chosen has no setting 'tensor_parallel'"):
        compose(["model=krutrim2_12b", "model.tensor_parallel=4"])
    with pytest.raises(ConfigError, match=r"the model that was chosen has no setting 'device_map'"):
        compose(["model=krutrim2_12b", "backend=vllm", "model.device_map=auto"])


@pytest.mark.parametrize(("words", "said"), [
    (["model=fake", "backend=vllm"], "backend=vllm changes nothing: this model runs on fake"),
    (["model=gpt_4o", "backend=hf"], "backend=hf changes nothing: this model runs on openai"),
    (["model=hf", "backend=vllm"], "backend=vllm changes nothing: this model runs on hf"),
    (["model=smollm2_135m", "backend=vlm"], "unknown backend 'vlm'; did you mean vllm?; one of hf, vllm"),
])  # fmt: skip
def test_a_word_that_changes_nothing_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(words)
    assert str(caught.value).startswith(said)


def test_a_run_says_so_too(evalkit: Callable[..., Any]) -> None:
    said = evalkit("run", "task=hellaswag", "data=samples", "model=fake", "backend=vllm")
    assert said.code == 2 and "backend=vllm changes nothing" in said.error


def test_what_weights_lack_is_a_footnote(evalkit: Callable[..., Any], tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HFModel, "notes", ("the checkpoint's weights are quantised: gptq",))
    words = ["task=hellaswag", "data=samples", "limit=2", "model=hf", f"model.path={tiny(max_length=2048)}", "model.device=cpu"]
    assert "weights are quantised: gptq" in " ".join(evalkit("run", *words).out.split())
