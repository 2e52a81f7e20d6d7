"""The command line of lm-evaluation-harness, as words of `evalkit run`: for those who come from there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from evalkit.config.compose import quoted
from evalkit.config.explain import names_of, settings_of
from evalkit.errors import did_you_mean

# Flags of the harness that a user of Hydra would not write: one of them says that its words are meant.
OF_HARNESS = (
    *("model_args", "tasks", "num_fewshot", "batch_size", "max_batch_size", "apply_chat_template", "fewshot_as_multiturn"),
    *("system_instruction", "gen_kwargs", "output_path", "log_samples", "include_path", "use_cache", "device"),
    *("confirm_run_unsafe_code", "predict_only", "cache_requests", "wandb_args"),
)
_BACK_ENDS = {
    "hf": "hf",
    "hf-auto": "hf",
    "huggingface": "hf",
    "vllm": "vllm",
    "openai-completions": "openai",
    "local-completions": "openai",
    "openai-chat-completions": "openai",
    "local-chat-completions": "openai",
}
# Names in --model_args, and the setting of a back end; `openai` has another word for the first.
_ARGUMENTS = {
    "pretrained": "path",
    "model": "path",
    "max_model_len": "max_length",
    "tensor_parallel_size": "tensor_parallel",
    "pipeline_parallel_size": "pipeline_parallel",
    "gpu_memory_utilization": "gpu_memory",
    "attn_implementation": "attention",
    "add_bos_token": "add_bos",
    "num_concurrent": "traffic.concurrency",
    "max_retries": "traffic.retries",
    "timeout": "traffic.timeout",
}
_VALUES = {"parallelize": "model.device_map=auto", "load_in_4bit": "model.quantization=bnb4", "load_in_8bit": "model.quantization=bnb8"}
_TASKS = {"truthfulqa_mc1": "truthfulqa", "truthfulqa_mc2": "truthfulqa", "commonsenseqa": "commonsense_qa"}
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty")
_NOT_NEEDED = {
    "batch_size": "batches fit the device by themselves",
    "max_batch_size": "batches fit the device by themselves",
    "log_samples": "samples are always kept",
    "use_cache": "answers are always kept and used again",
    "cache_requests": "requests are always made in seconds",
    "confirm_run_unsafe_code": "programs run in a sandbox",
    "trust_remote_code": "model.trust_remote_code=true, where the checkpoint needs it",
    "include_path": "own tasks are in a folder for --config-dir",
    "verbosity": "-v and -q",
    "seed": "shots are drawn with the task's own seed, and answers are greedy unless a task says otherwise",
}


@dataclass
class _Form:
    """The command as it grows, and what of the harness's has no place in it."""

    words: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        plain = re.fullmatch(r"[\w./:@+-]+", value) or re.fullmatch(r"\[[\w,]+\]", value) or re.fullmatch(r"\{\w+: \w+\}", value)
        self.words.append(f"{name}={value if plain else quoted(value)}")


def is_harness(words: Sequence[str]) -> bool:
    """Whether the words are those of lm-evaluation-harness."""
    return any(name in OF_HARNESS for name in _flags(words))


def evalkit_form(words: Sequence[str]) -> str:
    """One line with the same command in evalkit's words, at its end; what has no place in it is said before.

    Args:
        words: with flags of lm-evaluation-harness (0.4) among them.
    """
    given, form = _flags(words), _Form()
    tasks = _tasks(given.pop("tasks", ""), form)
    _model(given, form)
    if "num_fewshot" in given:
        shots = given.pop("num_fewshot")
        form.words += [f"tasks.{task}.num_fewshot={shots}" for task in tasks]
    _limit(given, form)
    if given.pop("apply_chat_template", None) is not None:
        form.words.append("chat=true")
    if given.pop("fewshot_as_multiturn", None) not in (None, "false", "False"):
        form.words += [f"++tasks.{task}.prompt.multi_turn_shots=true" for task in tasks]
    for name, setting in (("system_instruction", "model.system"), ("output_path", "results_dir")):
        if given.get(name):
            form.add(setting, given.pop(name))
    for name, value in _pairs(given.pop("gen_kwargs", "")):
        if name in _SAMPLING:
            form.add(f"model.sampling.{name}", value)
        elif name != "do_sample":
            form.left_out.append(f"{name} of --gen_kwargs (tasks.NAME.prompt.params of a task that generates)")
    form.left_out += [f"--{name}" + (f" ({_NOT_NEEDED[name]})" if name in _NOT_NEEDED else "") for name in given]
    form.words += [word for word in words if re.match(r"[\w.]+=", word) and not word.startswith("-") and word not in _values(words)]
    said = f"; left out: {', '.join(form.left_out)}" if form.left_out else ""
    return f"these are words of lm-evaluation-harness{said}; evalkit's form: {shlex.join(['evalkit', 'run', *form.words])}"


def _flags(words: Sequence[str]) -> dict[str, str]:
    """Value by flag, without the dashes; empty for a flag alone. `--a b`, `--a=b`."""
    found: dict[str, str] = {}
    for at, word in enumerate(words):
        if not re.match(r"--[A-Za-z]", word):
            continue
        name, equals, value = word[2:].partition("=")
        after = words[at + 1] if at + 1 < len(words) and not re.match(r"--[A-Za-z]", words[at + 1]) else ""
        found[name.replace("-", "_")] = value if equals else after
    return found


def _values(words: Sequence[str]) -> set[str]:
    return set(_flags(words).values())


def _tasks(given: str, form: _Form) -> list[str]:
    known, chosen, headline = names_of("task"), [], list[str]()
    for name in filter(None, (part.strip() for part in given.split(","))):
        ours = _TASKS.get(name, name)
        if ours in known:
            chosen.append(ours)
        else:
            form.left_out.append(f"task {name}, which evalkit does not have (see: evalkit ls tasks){did_you_mean(name, known)}")
        if name == "truthfulqa_mc1":
            headline = ["tasks.truthfulqa.headline=mc1"]
    chosen = list(dict.fromkeys(chosen))
    form.words.append(f"task={chosen[0]}" if len(chosen) == 1 else f"task=[{','.join(chosen)}]" if chosen else "task=NAME")
    form.words += headline
    return chosen


def _model(given: dict[str, str], form: _Form) -> None:
    asked = given.pop("model", "hf")
    back_end = _BACK_ENDS.get(asked)
    if back_end is None:
        form.left_out.append(f"--model {asked} (one of evalkit ls models; hf, vllm and openai take any checkpoint or endpoint)")
        back_end = "hf"
    form.words.append(f"model={back_end}")
    if asked.endswith("completions") and "chat" not in asked:
        form.words.append("model.api=completions")
    settings = settings_of("model", back_end)
    for name, value in _pairs(given.pop("model_args", "")):
        setting = _ARGUMENTS.get(name, name)
        if back_end == "openai":
            setting = {"path": "name"}.get(setting, setting)
            value = re.sub(r"/(chat/)?completions/?$", "", value) if name == "base_url" else value
        if name in _VALUES and value.lower() == "true" and back_end == "hf":
            form.words.append(_VALUES[name])
        elif name == "enable_thinking":
            form.add("model.template_args", f"{{enable_thinking: {value.lower()}}}")
        elif setting.partition(".")[0] in settings:
            form.add(f"model.{setting}", value.lower() if value in ("True", "False") else value)
        else:
            form.left_out.append(f"{name} of --model_args")
    if (device := given.pop("device", "")) and back_end == "hf":
        form.add("model.device", device)


def _limit(given: dict[str, str], form: _Form) -> None:
    if (limit := given.pop("limit", None)) is None:
        return
    if re.fullmatch(r"[1-9]\d*(\.0)?", limit):
        form.words.append(f"limit={limit.removesuffix('.0')}")
    else:
        form.left_out.append(f"--limit {limit} (limit= is a number of documents per task)")


def _pairs(text: str) -> list[tuple[str, str]]:
    """`a=b,c=d`; a comma inside brackets or braces does not end a value."""
    parts = re.split(r",(?![^\[{]*[\]}])", text)
    return [(name.strip(), value.strip()) for name, equals, value in (part.partition("=") for part in parts) if equals]
