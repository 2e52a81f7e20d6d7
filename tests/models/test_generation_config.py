"""What a checkpoint suggests is not applied, on either path, except end tokens; the manifest names it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.models.hf import HFModel
from evalkit.types import GenerateRequest, GenerationParams, Response

SUGGESTED: dict[str, Any] = {
    "repetition_penalty": 1.8,
    "stop_strings": ["e"],
    "do_sample": True,
    "temperature": 0.6,
    "top_p": 0.95,
    "top_k": 20,
    "min_p": 0.1,
    "no_repeat_ngram_size": 2,
    "suppress_tokens": [46, 48],
    "forced_bos_token_id": 5,
    "bad_words_ids": [[270]],
    "max_length": 12,
    "min_new_tokens": 5,
    "max_time": 0.0001,
    "num_beams": 1,
    "guidance_scale": 2.0,
    "prompt_lookup_num_tokens": 3,
    "cache_implementation": "static",
}
PARAMS = GenerationParams(24)


@pytest.fixture(params=["tree", "plain"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def checkpoint(tiny: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    def of(suggested: dict[str, Any], **config: Any) -> Path:
        folder = tmp_path / "checkpoint"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tiny(), folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        if suggested:
            (folder / "generation_config.json").write_text(json.dumps(suggested))
        about = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(about | config))
        return folder

    return of


def write(folder: Path, path: str, params: GenerationParams = PARAMS, **settings: Any) -> tuple[Response, HFModel]:
    model = HFModel("m", path=str(folder), **settings)
    model._runtime.scorer.path = path
    ((response,),) = model.answer(model.encode([GenerateRequest("t", "d", "A boy went up", params)]), set())
    return response, model


def test_nothing_is_applied_that_nobody_asked_for(checkpoint: Callable[..., Path], path: str) -> None:
    expected, plain = write(checkpoint({}), path)
    assert expected.output_tokens == 24 and plain.describe()["generation_config"]["not_applied"] == {}
    got, model = write(checkpoint(SUGGESTED), path)
    assert (got.text, got.status, got.output_tokens) == (expected.text, expected.status, 24)
    told = model.describe()["generation_config"]
    assert set(told["not_applied"]) >= {"repetition_penalty", "stop_strings", "temperature", "top_k", "suppress_tokens"}
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("name", SUGGESTED)
def test_each_suggestion_alone(checkpoint: Callable[..., Path], name: str) -> None:
    expected, _ = write(checkpoint({}), "plain")
    got, model = write(checkpoint({name: SUGGESTED[name]}), "plain")
    assert got.text == expected.text
    if name != "num_beams":  # which is one everywhere
        assert name in model.describe()["generation_config"]["not_applied"]


def test_what_an_old_config_json_suggests_is_not_applied_either(checkpoint: Callable[..., Path], path: str) -> None:
    expected, _ = write(checkpoint({}), path)
    got, model = write(checkpoint({}, repetition_penalty=1.8, temperature=0.5), path)
    assert got.text == expected.text
    assert model.describe()["generation_config"]["not_applied"] == {"repetition_penalty": 1.8, "temperature": 0.5}


def test_end_tokens_are_taken(checkpoint: Callable[..., Path], path: str) -> None:
    free, model = write(checkpoint({}), path)
    assert free.text is not None
    ids = model.tokenizer(free.text, add_special_tokens=False).input_ids
    got, model = write(checkpoint({"eos_token_id": [1, ids[4]], "repetition_penalty": 1.8}), path)
    assert got.finish == "stop" and got.output_tokens <= 5
    assert model.describe()["generation_config"]["applied"] == {"eos_token_id": sorted({1, ids[4]})}


def test_what_was_asked_for_is_applied(checkpoint: Callable[..., Path], path: str) -> None:
    free, _ = write(checkpoint(SUGGESTED), path)
    asked, model = write(checkpoint(SUGGESTED), path, sampling={"repetition_penalty": 1.8})
    assert asked.text != free.text
    told = model.describe()["generation_config"]
    assert told["applied"]["repetition_penalty"] == 1.8 and "repetition_penalty" not in told["not_applied"]
    assert write(checkpoint({}), path, GenerationParams(24, repetition_penalty=1.8))[0].text == asked.text
