"""A model in memory is measured as the saved one would be, and left exactly as it was; inside a real Trainer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AttentionInterface, AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

import evalkit
from evalkit.errors import ConfigError, ModelError
from evalkit.integrations import EvalCallback
from evalkit.models.hf.loaded import LoadedModel, unwrapped, weights_hash

pytestmark = pytest.mark.slow
TASKS = ["hellaswag", "gsm8k"]
SETTINGS: dict[str, Any] = {
    "data": "samples",
    "limit": 6,
    "progress": False,
    "overrides": ["tasks.gsm8k.num_fewshot=0", "tasks.gsm8k.prompt.params.max_new_tokens=20"],
}


@pytest.fixture
def loaded(tiny: Any) -> tuple[Any, Any, Path]:
    folder = tiny()
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder), folder


def scores(result: Any) -> dict[str, float | None]:
    return {name: task.score.value for name, task in result.tasks.items()}


def values(folder: Path) -> list[Any]:
    """Log-likelihoods and texts, by document."""
    from evalkit.store import load_run

    return [(s["task"], s["doc"], [(r.get("loglikelihoods"), r.get("text")) for r in s["responses"]]) for s in load_run(folder).samples()]


def test_memory_and_folder_agree(loaded: tuple[Any, Any, Path], tmp_path: Path) -> None:
    model, tokenizer, folder = loaded
    here = evalkit.evaluate(model, TASKS, tokenizer=tokenizer, run_dir=tmp_path / "memory", **SETTINGS)
    there = evalkit.evaluate(str(folder), TASKS, run_dir=tmp_path / "folder", **SETTINGS)
    assert scores(here) == scores(there)
    for ours, theirs in zip(values(tmp_path / "memory"), values(tmp_path / "folder"), strict=True):
        assert ours[:2] == theirs[:2]
        for (a, text), (b, other) in zip(ours[2], theirs[2], strict=True):
            assert text == other and (a == b or a == pytest.approx(b, rel=1e-5))


def test_everything_is_as_it_was(loaded: tuple[Any, Any, Path]) -> None:
    model, tokenizer, _ = loaded
    model.train()
    model.model.layers[1].eval()  # frozen by hand
    model.config.use_cache = False
    model.activation_checkpointing_enable()
    before = {name: (tensor.data_ptr(), tensor.clone()) for name, tensor in model.state_dict().items()}
    training = [module.training for module in model.modules()]
    kinds = [type(module) for module in model.modules()]
    registered = set(AttentionInterface._global_mapping)
    side, attention = tokenizer.padding_side, model.config._attn_implementation
    torch.manual_seed(3), random.seed(3), np.random.seed(3)
    expected = torch.rand(2).tolist(), random.random(), float(np.random.rand())
    torch.manual_seed(3), random.seed(3), np.random.seed(3)
    evalkit.evaluate(model, TASKS, tokenizer=tokenizer, **SETTINGS)
    assert (torch.rand(2).tolist(), random.random(), float(np.random.rand())) == expected
    assert [module.training for module in model.modules()] == training and [type(module) for module in model.modules()] == kinds
    assert (tokenizer.padding_side, model.config._attn_implementation, model.config.use_cache) == (side, attention, False)
    assert all(tensor.data_ptr() == before[name][0] and torch.equal(tensor, before[name][1]) for name, tensor in model.state_dict().items())
    ids = tokenizer("a boy wets", return_tensors="pt").input_ids
    model(input_ids=ids, labels=ids).loss.backward()  # nothing in it is left from inference
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)
    assert set(AttentionInterface._global_mapping) == registered


def test_an_error_leaves_it_as_it_was_too(loaded: tuple[Any, Any, Path]) -> None:
    model, tokenizer, _ = loaded
    model.train()
    with pytest.raises(ConfigError):
        evalkit.evaluate(model, "hellaswagg", tokenizer=tokenizer, data="samples", progress=False)
    assert model.training


def test_the_fingerprint_is_of_the_weights(loaded: tuple[Any, Any, Path], tiny: Any) -> None:
    model, tokenizer, folder = loaded
    first = weights_hash(model)
    assert weights_hash(AutoModelForCausalLM.from_pretrained(folder)) == first
    assert weights_hash(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)) != first
    assert weights_hash(AutoModelForCausalLM.from_pretrained(tiny(seed=1))) != first
    with torch.no_grad():
        weight = model.model.layers[1].mlp.down_proj.weight
        kept = weight.clone()
        for change in ("one bit", "swapped", "moved"):
            weight.copy_(kept)
            if change == "one bit":
                weight[3, 5] = torch.nextafter(weight[3, 5], torch.tensor(9.0))
            elif change == "swapped":
                weight[0, 0], weight[7, 9] = kept[7, 9], kept[0, 0]
            else:  # differences that add up to nothing, as +1 -2 +1
                bits = weight.view(torch.int32)
                bits[0, 0:3] += torch.tensor([1, -2, 1], dtype=torch.int32)
            assert weights_hash(model) != first, change
        weight.copy_(kept)
    assert weights_hash(model) == first
    held = LoadedModel(model, tokenizer)
    assert held.identity()["weights"] == f"memory:{first}" and held.fingerprint


def test_answers_of_one_step_are_never_those_of_another(loaded: tuple[Any, Any, Path], tmp_path: Path) -> None:
    model, tokenizer, _ = loaded
    evalkit.evaluate(model, "hellaswag", tokenizer=tokenizer, run_dir=tmp_path / "run", data="samples", limit=4, progress=False)
    with torch.no_grad():
        model.lm_head.weight.mul_(0.5)
    with pytest.raises(ConfigError):  # another model's folder
        evalkit.evaluate(model, "hellaswag", tokenizer=tokenizer, run_dir=tmp_path / "run", data="samples", limit=4, progress=False)


@pytest.mark.parametrize("kind", ["lora", "compiled", "compiled in place", "parallel", "half"])
def test_wrapped_models(kind: str, loaded: tuple[Any, Any, Path]) -> None:
    model, tokenizer, folder = loaded
    plain = scores(evalkit.evaluate(str(folder), TASKS, **SETTINGS))
    wrapped = model
    if kind == "lora":
        peft = pytest.importorskip("peft")
        wrapped = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    elif kind == "compiled":
        wrapped = torch.compile(model)
    elif kind == "compiled in place":
        model.compile()
    elif kind == "parallel":
        wrapped = torch.nn.DataParallel(model)
    else:
        wrapped = model.bfloat16()
    before = weights_hash(unwrapped(wrapped))
    found = scores(evalkit.evaluate(wrapped, TASKS, tokenizer=tokenizer, **SETTINGS))
    assert found == plain or kind == "half"
    if kind == "lora":
        with torch.no_grad():
            for name, weight in wrapped.named_parameters():
                if "lora_B" in name:
                    weight.normal_(std=2.0)
        assert weights_hash(unwrapped(wrapped)) != before
        assert any("lora_A" in name for name, _ in wrapped.named_parameters())
        changed = LoadedModel(wrapped, tokenizer)
        assert changed.fingerprint != LoadedModel(AutoModelForCausalLM.from_pretrained(folder), tokenizer).fingerprint
    if kind == "compiled in place":
        assert model._compiled_call_impl is not None


def test_what_cannot_be_measured_is_said(loaded: tuple[Any, Any, Path]) -> None:
    model, tokenizer, folder = loaded
    with pytest.raises(ModelError, match="needs its tokenizer"):
        evalkit.evaluate(model, "hellaswag", data="samples")
    with pytest.raises(ModelError, match="Linear is no causal language model"):
        evalkit.evaluate(torch.nn.Linear(2, 2), "hellaswag", tokenizer=tokenizer, data="samples")
    with pytest.raises(ConfigError, match="tokenizer= belongs to a transformers model"):
        evalkit.evaluate(str(folder), "hellaswag", tokenizer=tokenizer, data="samples")
    with pytest.raises(ModelError, match="dtype= says how weights are loaded"):
        LoadedModel(model, tokenizer, dtype="float32")
    with pytest.raises(ConfigError, match="every=0"):
        EvalCallback("hellaswag", every=0)


def test_a_model_that_is_spread_over_processes_is_refused(loaded: tuple[Any, Any, Path], tmp_path: Path) -> None:
    """One process alone would wait for the others for ever."""
    from torch.distributed.fsdp import fully_shard

    model, _, folder = loaded
    engine = type("DeepSpeedEngine", (torch.nn.Module,), {})()
    engine.module = model
    assert unwrapped(engine) is model  # ZeRO-1 and 2 keep the weights whole
    next(model.parameters()).ds_id = 0
    with pytest.raises(ModelError, match=r"not all in this process \(DeepSpeed ZeRO-3\); save a checkpoint"):
        unwrapped(engine)
    torch.distributed.init_process_group("gloo", store=torch.distributed.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    try:
        mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (1,))
        sharded = fully_shard(AutoModelForCausalLM.from_pretrained(folder), mesh=mesh)
        with pytest.raises(ModelError, match=r"not all in this process \(FSDP"):
            unwrapped(sharded)
    finally:
        torch.distributed.destroy_process_group()


class Rows(torch.utils.data.Dataset):
    def __init__(self, tokenizer: Any) -> None:
        self.ids = tokenizer("A boy wets a muddy bicycle with a hose.").input_ids

    def __len__(self) -> int:
        return 8

    def __getitem__(self, place: int) -> dict[str, Any]:
        return {"input_ids": self.ids, "labels": self.ids}


def trainer(loaded: tuple[Any, Any, Path], folder: Path, **more: Any) -> Trainer:
    model, tokenizer, _ = loaded
    tokenizer.pad_token = tokenizer.eos_token
    about: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": 4,
        "per_device_train_batch_size": 2,
        "report_to": [],
        "logging_steps": 1,
        "disable_tqdm": True,
        "use_cpu": True,
        "save_strategy": "no",
        "learning_rate": 0.01,
        "seed": 5,
    }
    rows = Rows(tokenizer)
    return Trainer(model=model, args=TrainingArguments(**about | more), train_dataset=rows, eval_dataset=rows, processing_class=tokenizer)


def test_a_real_trainer(loaded: tuple[Any, Any, Path], tmp_path: Path) -> None:
    """Training goes on as if nobody had looked; the scores are in the log, and are those of the weights at that step."""
    model, tokenizer, _ = loaded
    start = {name: weight.clone() for name, weight in model.state_dict().items()}
    alone = trainer(loaded, tmp_path / "alone")
    alone.train()
    losses = [line["loss"] for line in alone.state.log_history if "loss" in line]
    model.load_state_dict(start)
    watched = trainer(loaded, tmp_path / "watched")
    settings = {name: value for name, value in SETTINGS.items() if name != "progress"}
    callback = EvalCallback(TASKS, every=2, run_dir=tmp_path / "runs", **settings).attach(watched)
    watched.train()
    assert [line["loss"] for line in watched.state.log_history if "loss" in line] == losses
    assert [step for step, _ in callback.results] == [2, 4]
    logged = [line for line in watched.state.log_history if "eval_hellaswag" in line]
    assert [line["step"] for line in logged] == [2, 4] and all("eval_hellaswag_stderr" in line for line in logged)
    assert logged[-1]["eval_hellaswag"] == scores(evalkit.evaluate(model, TASKS, tokenizer=tokenizer, **SETTINGS))["hellaswag"]
    runs = [values(tmp_path / "runs" / f"step-{step}") for step in (2, 4)]
    assert runs[0] != runs[1] and (tmp_path / "runs" / "step-4" / "scores.json").exists()


def test_the_trainer_s_own_evaluation(loaded: tuple[Any, Any, Path], tmp_path: Path) -> None:
    """Without `every` the Trainer's evaluations are when it measures, and its metrics have the scores."""
    made = trainer(loaded, tmp_path, eval_strategy="steps", eval_steps=2, activation_checkpointing=True)
    callback = EvalCallback("hellaswag", data="samples", limit=4, prefix="bench")
    made.add_callback(callback)
    made.train()
    assert [step for step, _ in callback.results] == [2, 4]
    assert [line["step"] for line in made.state.log_history if "bench_hellaswag" in line] == [2, 4]
    assert "bench_hellaswag" in made.evaluate()
