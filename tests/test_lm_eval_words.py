"""Those who come from lm-evaluation-harness: its command line gets evalkit's form for an answer, and that form works."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from evalkit.config.compose import compose

HF = ["--model", "hf", "--model_args", "pretrained=org/small,dtype=bfloat16", "--tasks", "hellaswag,gsm8k"]
FORMS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "the usual": (
        [*HF, "--num_fewshot", "5", "--limit", "10"],
        {"model.path": "org/small", "model.dtype": "bfloat16", "limit": 10, "tasks.hellaswag.num_fewshot": 5, "tasks.gsm8k.num_fewshot": 5},
    ),
    "equal signs": (["--model=hf", "--model_args=pretrained=a/b", "--tasks=mmlu", "--limit=7"], {"model.path": "a/b", "limit": 7}),
    "tasks alone": (["--tasks", "mmlu"], {"tasks.mmlu.name": "mmlu", "model.name": "hf"}),
    "a folder with spaces": (["--model_args", "pretrained=/my models/it's", "--tasks", "mmlu"], {"model.path": "/my models/it's"}),
    "a template": ([*HF, "--apply_chat_template"], {"chat": True}),
    "turns": ([*HF, "--fewshot_as_multiturn", "True"], {"tasks.gsm8k.prompt.multi_turn_shots": True}),
    "a system turn": ([*HF, "--system_instruction", "Be brief, please."], {"model.system": "Be brief, please."}),
    "sampling": ([*HF, "--gen_kwargs", "do_sample=True,temperature=0.5,top_p=0.9"], {"model.sampling.temperature": 0.5}),
    "an output": ([*HF, "--output_path", "out/x"], {"results_dir": "out/x"}),
    "a device": ([*HF, "--device", "cuda:0"], {"model.device": "cuda:0"}),
    "several devices": (["--model_args", "pretrained=a/b,parallelize=True", "--tasks", "mmlu"], {"model.device_map": "auto"}),
    "4 bits": (["--model_args", "pretrained=a/b,load_in_4bit=True", "--tasks", "mmlu"], {"model.quantization": "bnb4"}),
    "remote code": (["--model_args", "pretrained=a/b,trust_remote_code=True", "--tasks", "mmlu"], {"model.trust_remote_code": True}),
    "no thinking": (
        ["--model_args", "pretrained=a/b,enable_thinking=False", "--tasks", "mmlu"],
        {"model.template_args": {"enable_thinking": False}},
    ),
    "vLLM": (
        ["--model", "vllm", "--model_args", "pretrained=a/b,tensor_parallel_size=2,max_model_len=4096", "--tasks", "mmlu"],
        {"model.name": "vllm", "model.tensor_parallel": 2, "model.max_length": 4096},
    ),
    "a server": (
        [
            *("--model", "local-completions", "--tasks", "mmlu", "--model_args"),
            "model=q,base_url=http://host:8000/v1/completions,num_concurrent=8,tokenizer=a/b",
        ],
        {"model.api": "completions", "model.base_url": "http://host:8000/v1", "model.name": "q", "model.traffic.concurrency": 8},
    ),
    "a chat server": (
        ["--model", "openai-chat-completions", "--tasks", "gsm8k", "--model_args", "model=gpt-9"],
        {"model.api": "chat", "model.name": "gpt-9"},
    ),
    "another name": (["--tasks", "truthfulqa_mc1,truthfulqa_mc2"], {"tasks.truthfulqa.headline": "mc1"}),
}


def form(said: Any) -> list[str]:
    command = shlex.split(said.error.partition("evalkit's form: ")[2])
    assert command[:2] == ["evalkit", "run"]
    return command[2:]


@pytest.mark.parametrize("case", FORMS)
def test_the_form_means_the_same(evalkit: Callable[..., Any], case: str) -> None:
    words, wanted = FORMS[case]
    said = evalkit("run", *words)
    assert said.code == 2 and not said.out and "words of lm-evaluation-harness" in said.error
    config: Any = compose(form(said))
    for name, value in wanted.items():
        found = config
        for part in name.split("."):
            found = found[part]
        assert found == value, name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "0.1"], "--limit 0.1 (limit= is a number of documents per task)"),
        (["--batch_size", "auto"], "--batch_size (batches fit the device by themselves)"),
        (["--log_samples"], "--log_samples (samples are always kept)"),
        (["--gen_kwargs", "max_gen_toks=99"], "max_gen_toks of --gen_kwargs"),
        (["--model_args", "pretrained=a/b,frobs=3"], "frobs of --model_args"),
        (["--model", "mamba_ssm"], "--model mamba_ssm"),
        (["--tasks", "mmlu,hellaswg"], "task hellaswg, which evalkit does not have (see: evalkit ls tasks); did you mean hellaswag?"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_what_has_no_place_in_it_is_said(evalkit: Callable[..., Any], words: list[str], said: str) -> None:
    error = evalkit("run", "--tasks", "mmlu", *words).error
    before, _, command = error.partition("evalkit's form")
    assert said in before and said.removeprefix("task ").split()[0] not in command


def test_without_the_command_too(evalkit: Callable[..., Any]) -> None:
    said = evalkit(*HF)
    assert said.code == 2 and form(said)[0] == "task=[hellaswag,gsm8k]"


def test_a_name_instead_of_a_command(evalkit: Callable[..., Any]) -> None:
    assert "unknown command 'hellaswag', but a task: evalkit run task=hellaswag model=NAME" in evalkit("hellaswag").error
    assert "unknown command 'task=mmlu'; did you mean evalkit run?" in evalkit("task=mmlu", "model=fake").error
    assert "unknown command 'rnu'; did you mean run?" in evalkit("rnu").error
