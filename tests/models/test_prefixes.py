"""What texts share is read once into the model's own cache, and the numbers and texts stay those of whole sequences."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
import torch

from evalkit.models.base import WorkItem
from evalkit.models.batching import Header, inputs_of, padded_plan
from evalkit.models.hf import HFModel
from evalkit.models.hf.prefixes import CacheSize, rows_of
from evalkit.models.hf.scoring import Scorer
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Request, Response
from tests.models.test_agreement import AGREED, built
from tests.models.test_architectures import CACHED, PLAIN, build, measured, naive, one_thread, requests, some_of  # noqa: F401

NOT_GONE_ON_FROM = ["Mamba", "Jamba", "MiniMax"]  # several tokens behind a cache are read as if nothing stood before them


def model_of(label: str, dtype: torch.dtype = torch.float32) -> Any:
    return built(label).to(dtype) if label in AGREED else build(label, (CACHED | PLAIN)[label], dtype)


def counted(model: Any) -> list[int]:
    """Tokens of every forward pass from now on, padding included."""
    seen: list[int] = []
    model.register_forward_pre_hook(lambda _, args, given: seen.append(given["input_ids"].numel()), with_kwargs=True)
    return seen


@pytest.mark.parametrize("budget", [40, 4096])
@pytest.mark.parametrize("label", ["Bloom", "Mamba2", "FalconH1", "Bamba", "Qwen3Next", "Lfm2"])
def test_numbers_are_those_of_whole_sequences_in_packs_of_any_size(label: str, budget: int) -> None:
    model, items = model_of(label), requests()
    scorer = Scorer(model, pad=0, budget=budget)
    assert scorer.path == "cached"
    found = measured(scorer, items)
    for item, right in zip(items, naive(model, items), strict=True):
        assert found[item.key] == pytest.approx(right, rel=2e-5, abs=2e-5)


def test_a_shared_header_is_read_once() -> None:
    rng = random.Random(0)
    shots = some_of(rng, 300, 300)
    items = [
        WorkItem(f"k{i}", "t", str(i), 0, "loglikelihood", pairs=tuple(((*shots, *some_of(rng, 4, 4)), (word,)) for word in (5, 6)))
        for i in range(20)
    ]
    model = model_of("FalconH1")
    scorer = Scorer(model, pad=0, budget=64)
    seen = counted(model)
    found = measured(scorer, items)
    assert sum(seen) == 300 + 20 * 2 * 4, "the header, and an end for every choice"
    for item, right in zip(items, naive(model, items), strict=True):
        assert found[item.key] == pytest.approx(right, rel=2e-5, abs=2e-5)


def test_a_long_question_is_read_once_for_all_its_choices() -> None:
    rng = random.Random(0)
    items = []
    for number in range(4):
        stem = some_of(rng, 120, 120)
        items.append(
            WorkItem(f"k{number}", "t", str(number), 0, "loglikelihood", pairs=tuple((stem, some_of(rng, 6, 6)) for _ in range(4)))
        )
    model = model_of("Bloom")
    scorer = Scorer(model, pad=0, budget=1024)
    seen = counted(model)
    found = measured(scorer, items)
    assert sum(seen) == 4 * (119 + 4 * 6), "the question without its last token, and four ends"
    for item, right in zip(items, naive(model, items), strict=True):
        assert found[item.key] == pytest.approx(right, rel=2e-5, abs=2e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("label", NOT_GONE_ON_FROM)
def test_a_model_that_does_not_go_on_from_its_cache_reads_everything_whole(label: str, dtype: torch.dtype) -> None:
    """In narrow types too, where rounding hides much."""
    scorer = Scorer(model_of(label, dtype), pad=0, budget=128)
    assert scorer.path == "plain" and "does not go on from its cache" in scorer.why


@pytest.mark.parametrize("label", ["Bloom", "Mamba2", "Bamba", "Zamba2"])
def test_the_others_do_in_narrow_types_too(label: str) -> None:
    assert Scorer(model_of(label, torch.bfloat16), pad=0, budget=128).path == "cached"


def test_windows_that_cannot_be_tried_at_start_are_not_relied_on() -> None:
    model = model_of("Bloom")
    model.config.sliding_window = 5000
    scorer = Scorer(model, pad=0, budget=128)
    assert scorer.path == "plain" and "longer than what can be tried" in scorer.why


def test_a_cache_of_many_rows_leaves_the_one_it_is_made_of() -> None:
    model = model_of("FalconH1")
    scorer = Scorer(model, pad=0, budget=64)
    kept: dict[int, Any] = {}
    header = Header((5, 6, 7, 8, 9), 0)
    cache = scorer.prefixes.behind([header], kept, 64)
    before = scorer.logits([10, 11], slice(None), 5, cache)
    rows_of(cache, 3)
    scorer.untreed([item for item in requests()[:1]], "plain")
    assert torch.equal(before, scorer.logits([10, 11], slice(None), 5, scorer.prefixes.behind([header], kept, 64)))


@pytest.mark.parametrize(("budget", "room"), [(64, 10_000), (400, 900), (4096, 1)])
def test_a_pack_stays_within_its_budget_and_its_room(budget: int, room: int) -> None:
    items, size = requests(), CacheSize(states=50, per_token=0.5)
    waiting, seen = [padded_plan(items, budget, lambda tokens: size.rows(tokens, room))], []
    while waiting:
        header = waiting.pop()
        waiting += header.children
        for pack in header.packs:
            rows = [ids for index in pack for ids in inputs_of(items[index])]
            longest = max(map(len, rows)) - header.length
            assert longest > 0
            assert len(pack) == 1 or (len(rows) * longest <= budget and len(rows) * (50 + 0.5 * (header.length + longest)) <= room)
            seen += pack
    assert sorted(seen) == list(range(len(items)))


@pytest.mark.parametrize(
    ("label", "states", "per_token"), [("Bloom", 0, 3 * 2 * 32 * 4), ("Mamba2", 2 * (64 + 32) * 4 + 2 * 8 * 8 * 8 * 4, 0)]
)
def test_the_size_of_a_cache_is_that_of_its_tensors(label: str, states: int, per_token: int) -> None:
    """Keys and values of three layers 32 wide; the states of two, with a convolution over four tokens."""
    size = Scorer(model_of(label), pad=0, budget=128).prefixes.size
    if label == "Bloom":
        assert (size.states, size.per_token) == (states, per_token)
    else:
        assert size.per_token == 0 and size.states >= states
    assert size.rows(100, 1) == 1 and size.rows(100, 10**9) > 1000


# ---- as a user's checkpoint ----


@pytest.fixture
def hybrid(tiny: Callable[..., Path], tmp_path: Path) -> Path:
    """A checkpoint of a model half recurrent, half attention, with a tokenizer of real words."""
    folder = tmp_path / "hybrid"
    shutil.copytree(tiny(), folder)
    words = json.loads((folder / "config.json").read_text())["vocab_size"]
    _, _, settings = AGREED["FalconH1"]
    model = build("FalconH1", {**settings, "vocab_size": words}, torch.float32)
    model.config.bos_token_id = model.config.eos_token_id = model.generation_config.eos_token_id = None
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    model.save_pretrained(folder)
    return folder


SHOTS = "Question: how many eggs has a boy with two hens? Answer: two. " * 8


def asked() -> list[Request]:
    scored = [
        LoglikelihoodRequest("t", f"s{i}", ((f"{SHOTS} Question: {i}? Answer:", " one"), (f"{SHOTS} Question: {i}? Answer:", " two")))
        for i in range(6)
    ]
    written = [GenerateRequest("t", f"g{i}", f"{SHOTS} Question: {'boy ' * (i % 2)}{i}? Answer:", GenerationParams(6), 1) for i in range(6)]
    return [*scored, *written]


def answered(model: HFModel, done: frozenset[str] = frozenset()) -> dict[str, Response]:
    return {response.key: response for batch in model.answer(model.encode(asked()), done) for response in batch}


def test_texts_and_numbers_of_a_checkpoint_are_those_of_the_plain_path(hybrid: Path) -> None:
    ours, plain = (HFModel("m", path=str(hybrid), dtype="float32", device="cpu") for _ in range(2))
    assert ours._runtime.scorer.path == "cached" and ours._writes_behind_prefixes
    plain._runtime.scorer.path = "plain"
    seen, whole = counted(ours._runtime.model), counted(plain._runtime.model)
    got, right = answered(ours), answered(plain)
    assert got.keys() == right.keys()
    for key, response in right.items():
        assert got[key].text == response.text and got[key].status == response.status
        if response.loglikelihoods:
            assert got[key].loglikelihoods == pytest.approx(response.loglikelihoods, rel=2e-5)
    assert sum(seen) < sum(whole) / 3
    told = ours.describe()
    assert told["scoring_path"] == "cached" and told["scoring_path_reason"] and not told["warnings"]


def test_what_is_done_is_not_read_again_and_the_rest_has_the_same_bytes(hybrid: Path) -> None:
    whole = answered(HFModel("m", path=str(hybrid), dtype="float32", device="cpu"))
    done = frozenset(list(whole)[:3])
    rest = answered(HFModel("m", path=str(hybrid), dtype="float32", device="cpu"), done)
    assert rest.keys() >= whole.keys() - done
    assert all(rest[key] == whole[key] for key in rest)


def test_a_generate_that_reads_the_prompt_again_writes_from_whole_prompts(hybrid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's own preparation of its inputs may not heed a cache it is given."""
    right = answered(HFModel("m", path=str(hybrid), dtype="float32", device="cpu"))
    model = HFModel("m", path=str(hybrid), dtype="float32", device="cpu")
    own = model._runtime.model
    prepare = own.prepare_inputs_for_generation

    @wraps(prepare)
    def forgetful(input_ids: torch.Tensor, **given: Any) -> Any:
        told = prepare(input_ids, **given)
        if 1 < told["input_ids"].shape[1] < input_ids.shape[1]:
            told["input_ids"] = input_ids
            told.pop("position_ids", None)
        return told

    monkeypatch.setattr(own, "prepare_inputs_for_generation", forgetful)
    assert own is model._runtime.model and model._runtime.scorer.path == "cached"
    assert not model._writes_behind_prefixes
    assert {key: response.text for key, response in answered(model).items()} == {key: response.text for key, response in right.items()}


def test_memory_that_ends_halves_the_rows(hybrid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = answered(HFModel("m", path=str(hybrid), dtype="float32", device="cpu"))
    model = HFModel("m", path=str(hybrid), dtype="float32", device="cpu")
    own, limit = model._runtime.model.forward, 40

    @wraps(own)
    def small(input_ids: torch.Tensor, **given: Any) -> Any:
        if input_ids.shape[0] > 1 and input_ids.numel() > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return own(input_ids=input_ids, **given)

    monkeypatch.setattr(model._runtime.model, "forward", small)
    room = model._runtime.scorer.room
    got = answered(model)
    assert model._runtime.scorer.room < room
    for key, response in right.items():
        assert got[key].text == response.text
        if response.loglikelihoods:
            assert got[key].loglikelihoods == pytest.approx(response.loglikelihoods, rel=2e-5)
