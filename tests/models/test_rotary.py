"""Models whose rotary embeddings depend on length: nobody's numbers change by what is read with it."""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from evalkit.models.base import WorkItem
from evalkit.models.hf import rotary as rotary_module
from evalkit.models.hf.generation import Generator
from evalkit.models.hf.model import HFModel
from evalkit.models.hf.plain_generation import generate_plainly
from evalkit.models.hf.rotary import Rotary, reaching
from evalkit.models.hf.scoring import Scorer
from evalkit.types import GenerationParams
from tests.models.test_architectures import GROUPED, VOCABULARY, build, measured, one_thread, some_of  # noqa: F401
from tests.models.test_generation import END, Spelled, alone

ORIGINAL = 64
FACTORS = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.0, 3.0, 9.0, 27.0]}
LONG = {"rope_type": "longrope", "rope_theta": 10000.0, "factor": 8.0, "original_max_position_embeddings": ORIGINAL, **FACTORS}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
BY_LENGTH: dict[str, tuple[str, dict[str, Any]]] = {
    "phi3": ("Phi3", {**GROUPED, "original_max_position_embeddings": ORIGINAL, "rope_parameters": LONG}),
    "phi3, window": ("Phi3", {**GROUPED, "original_max_position_embeddings": ORIGINAL, "rope_parameters": LONG, "sliding_window": 40}),
    "phimoe": ("Phimoe", {**GROUPED, "num_local_experts": 4, "rope_parameters": {**LONG, "short_mscale": 1.2, "long_mscale": 1.6}}),
    "llama, longrope": ("Llama", {**GROUPED, "rope_parameters": LONG}),
    "llama, dynamic": ("Llama", {**GROUPED, "max_position_embeddings": ORIGINAL, "rope_parameters": DYNAMIC}),
    "qwen3, dynamic": ("Qwen3", {**GROUPED, "head_dim": 8, "max_position_embeddings": ORIGINAL, "rope_parameters": DYNAMIC}),
    "stablelm, dynamic": (
        "StableLm",
        {**GROUPED, "max_position_embeddings": ORIGINAL, "partial_rotary_factor": 1.0, "rope_parameters": DYNAMIC},
    ),
}


def by_length(name: str) -> Any:
    dtype = torch.float32 if name == "phimoe" else torch.float64  # experts multiply in no wider type
    return build(*deepcopy(BY_LENGTH[name]), dtype)  # a configuration writes into what it is given


def documents(seed: int = 0) -> list[WorkItem]:
    """Under one header that both sides of the switch share: short ones, long ones, and some whose pairs lie on both sides."""
    rng = random.Random(seed)
    header = some_of(rng, 40, 40)
    items = []
    for number in range(18):
        stem = (*(header if number % 3 else ()), *some_of(rng, *((3, 9), (14, 30), (60, 150))[number % 3 if number < 12 else 1]))
        pairs = tuple((stem, some_of(rng, 1, 9)) for _ in range(3))
        items.append(WorkItem(f"k{number}", "t", str(number), 0, "loglikelihood", pairs=pairs))
    edge = some_of(rng, ORIGINAL - 3, ORIGINAL - 3)  # reads 61 + target - 1 tokens
    pairs = tuple((edge, some_of(rng, size, size)) for size in (1, 3, 4, 5, 9))
    return [*items, WorkItem("edge", "t", "edge", 0, "loglikelihood", pairs=pairs)]


def fresh(name: str, items: list[WorkItem]) -> list[list[float]]:
    """Every pair through a model that has read nothing before: transformers goes on with the factors of the longest text so far."""
    answers = []
    for item in items:
        sums = []
        for context, target in item.pairs:
            model = by_length(name)
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([(context + target)[:-1]]), use_cache=False).logits[0, -len(target) :]
            sums.append(float(logits.double().log_softmax(-1)[range(len(target)), list(target)].sum()))
        answers.append(sums)
    return answers


@pytest.mark.parametrize("name", BY_LENGTH)
def test_company_beyond_the_switch_changes_no_log_likelihood(name: str) -> None:
    items = documents()
    expected, near = fresh(name, items), 1e-4 if name == "phimoe" else 1e-7
    for path, budget in (("tree", 4096), ("tree", 48), ("plain", 4096)):
        scorer = Scorer(by_length(name), pad=0, budget=budget)
        assert scorer.path == "tree"
        scorer.path = path
        found = measured(scorer, items)
        for item, right in zip(items, expected, strict=True):
            assert found[item.key] == pytest.approx(right, rel=near, abs=near), (path, budget, item.key)


def prompts() -> list[WorkItem]:
    """Short, long, and some that outgrow the switch while they are written."""
    rng = random.Random(3)
    header = some_of(rng, 34, 34)
    sizes = [(3, 9)] * 3 + [(22, 29)] * 4 + [(40, 90)] * 3
    return [
        WorkItem(f"g{i}", "t", str(i), 0, "generate", prompt_ids=(*header, *some_of(rng, *size)), params=GenerationParams(12))
        for i, size in enumerate(sizes)
    ]


@pytest.mark.parametrize("name", BY_LENGTH)
def test_nor_a_text(name: str) -> None:
    model = by_length(name)
    scorer, items = Scorer(model, pad=0, budget=256), prompts()
    rotary = scorer.forward.rotary
    kinds = {item.key: rotary.class_of_text(item) for item in items}
    assert set(kinds.values()) == ({0, None} if rotary.grows_from else {0, None, ORIGINAL + 1})
    writer = Generator(scorer.forward, Spelled(), END, room=4000, budget=256, most=8, fill=32)
    found: dict[str, str | None] = {}
    for kind in set(kinds.values()) - {None}:
        mine = [item for item in items if kinds[item.key] == kind]
        found |= {answer.key: answer.text for batch in writer.run(mine, kind or 0) for answer in batch}
    for item in items:
        if kinds[item.key] is None:
            found |= {answer.key: answer.text for batch in generate_plainly(model, Spelled(), [item], pad=0, eos=END) for answer in batch}
    assert found == {item.key: alone(by_length(name), item) for item in items}


def test_a_switch_with_nothing_told_about_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's own code may do the same under another name."""
    monkeypatch.setattr(rotary_module, "SWITCHED", ())
    scorer = Scorer(by_length("phi3"), pad=0, budget=256)
    assert scorer.path == "single" and "length" in scorer.why


@pytest.mark.parametrize(("length", "classes"), [(1, (0, 0)), (64, (0, 0)), (65, (65, 65)), (100, (65, 100))])
def test_classes(length: int, classes: tuple[int, int]) -> None:
    assert (Rotary(by_length("phi3")).class_of(length), Rotary(by_length("llama, dynamic")).class_of(length)) == classes


def test_layers_may_have_settings_of_their_own() -> None:
    layers = {"full_attention": {**LONG}, "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}
    config = type("Config", (), {"rope_parameters": layers, "max_position_embeddings": 512})()
    config.get_text_config = lambda: config
    model = type("Model", (), {"config": config, "modules": lambda self: iter(())})()
    assert Rotary(model).switches == [ORIGINAL] and Rotary(model).grows_from is None


def test_nothing_is_placed_behind_a_pass_that_reaches_so_far() -> None:
    from evalkit.models.hf.attention import chain

    assert reaching([chain(range(30))], 40, 65) is None
    far = reaching([chain([1, 2]), chain([3, 4])], 40, 65)
    assert far is not None and far[0] == chain([1, 2])
    assert far[1].depths == (0, 1, 24) and far[1].parents == (-1, 0, 1)


@pytest.mark.parametrize("rope", [LONG, DYNAMIC])
def test_the_whole_model_answers_by_length(tiny: Callable[..., Path], rope: dict[str, Any]) -> None:
    """Through the front door: log-likelihoods and texts, short, long and outgrowing, whoever else is asked."""
    folder = tiny(max_length=512 if rope is LONG else ORIGINAL, rope_parameters=deepcopy(rope))
    items = [*documents()[1:6], documents()[-1], *prompts()[::2]]
    together = {answer.key: answer for batch in HFModel("m", path=str(folder), max_length=512).answer(items, set()) for answer in batch}
    assert together.keys() == {item.key for item in items}
    for item in items:
        ((answer,),) = HFModel("m", path=str(folder), max_length=512).answer([item], set())
        assert answer.text == together[item.key].text
        assert (answer.loglikelihoods or ()) == pytest.approx(together[item.key].loglikelihoods or (), rel=1e-4)
        for (context, target), value in zip(item.pairs, answer.loglikelihoods or (), strict=True):
            theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
            logits = theirs(torch.tensor([(context + target)[:-1]])).logits[0, -len(target) :].detach()
            right = float(logits.double().log_softmax(-1)[range(len(target)), list(target)].sum())
            assert value == pytest.approx(right, rel=1e-4, abs=1e-4)
