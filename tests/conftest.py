"""Shared by the tests: the command line called in this process, and tiny checkpoints made on the spot."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import settings

from evalkit.cards import Card, CardProtocol, RowProtocol, TableProtocol
from evalkit.cards.card import make_card
from evalkit.results import RunResult, TaskResult
from evalkit.types import Summary

# Files of the longest tests, the longest first: begun last, they would leave the other processes waiting.
LONGEST = (
    *("cluster/test_pool.py", "tests/test_cli.py", "run/test_chat_answers.py", "tests/test_golden.py", "tasks/test_pairable.py"),
    *("openai/test_transformers_serve.py", "models/test_real_weights.py", "openai/test_faults.py", "run/test_measure.py"),
    *("first_hour/test_first_hour.py", "sandbox/test_hostile.py", "run/test_answers_file.py", "tasks/test_composed.py"),
)
settings.register_profile("evalkit", deadline=None)  # no test is about speed, and a busy machine is slow
settings.load_profile("evalkit")
os.environ["HF_HUB_OFFLINE"] = "1"  # read by the hub's library when it is imported: no test waits for a network that is not there
os.environ.setdefault("OMP_NUM_THREADS", "1")  # models this small only wait for a second thread
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # passed on by a shell to background jobs: Ctrl-C would be tried on the deaf
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # likewise by nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
TEXT = [
    "A boy wets a muddy bicycle with a hose. He scrubs the frame with a soapy sponge.",
    "Question: Meera buys 3 trays of 12 eggs. How many eggs?\nAnswer: 36\n\n",
    "The capital of India is New Delhi; नई दिल्ली भारत की राजधानी है।",
]


@dataclass(frozen=True)
class Said:
    """What one command left on the screen."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that an error is; fails when there is more or less than that."""
        lines = [line for line in self.err.splitlines() if line.startswith("error:")]
        assert len(lines) == 1 and "Traceback" not in self.err and "Error executing job" not in self.err, self.err
        assert self.err.rstrip().splitlines()[-1] == lines[0], self.err
        return lines[0]


Evalkit = Callable[..., Said]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of the longest tests first (with xdist's --no-loadscope-reorder), everything else in its order."""

    def place(item: pytest.Item) -> int:
        return next((i for i, name in enumerate(LONGEST) if item.path.as_posix().endswith(f"/{name}")), len(LONGEST))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's cache, nor asks a network. Weights are converted once for all processes of a run of the tests."""
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache-of-evalkit"
    cache.mkdir(exist_ok=True)
    wanted = {"EVALKIT_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def evalkit(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evalkit:
    """`evalkit("run", "task=hellaswag", …)` in an empty folder, in this process."""
    from evalkit.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Said:
        capfd.readouterr()
        code = main(list(words))
        captured = capfd.readouterr()
        return Said(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a random Llama of two layers with a byte-level BPE tokenizer; the same arguments give the same folder."""
    made: dict[str, Path] = {}

    def make(seed: int = 0, bos: bool = True, template: str | None = None, max_length: int = 512, **config: Any) -> Path:
        name = repr((seed, bos, template, max_length, sorted(config.items())))
        if name not in made:
            folder = tmp_path_factory.mktemp("checkpoint")
            save_tiny(folder, seed, bos, template, max_length, config)
            made[name] = folder
        return made[name]

    return make


def save_tiny(folder: Path, seed: int, bos: bool, template: str | None, max_length: int, config: dict[str, Any]) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<s>", "</s>"] if bos else ["</s>"]
    tokenizer.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", **({"bos_token": "<s>"} if bos else {}))
    if template:
        fast.chat_template = template
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    ids = {"bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id, "pad_token_id": None}
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=len(fast), max_position_embeddings=max_length, initializer_range=0.5, **ids, **sizes | config)
    )
    model.save_pretrained(folder)


class SavedRuns:
    """Writes run directories as `evalkit run` leaves them, from values alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, name: str, tasks: Mapping[str, Sequence[float | None]], *, model: str = "", column: str | None = None, **more: Any
    ) -> Path:
        """`tasks`: value a document. `more`: prompt, clusters, languages, stats, metric, and fields of the result and summary."""
        from evalkit.metrics.base import mean_summary
        from evalkit.results import RunResult, TaskResult
        from evalkit.store.scores import to_json
        from evalkit.types import SampleScore

        metric, stats = more.get("metric", "acc"), more.get("stats")
        clusters, languages = more.get("clusters"), more.get("languages")
        results, lines = {}, []
        for task, values in tasks.items():
            scores = [
                SampleScore(f"test/{i}", v, cluster=clusters and clusters[i], language=languages and languages[i])
                for i, v in enumerate(values)
            ]
            summary = replace(mean_summary(metric, scores, ["invented"]), **more.get("summary", {}))
            fields = {"num_fewshot": 0, "version": 1, "n_docs": len(values), "n_total": len(values), "rows_sha256": "0" * 64}
            results[task] = TaskResult(task, metric, summaries={metric: summary}, **{**fields, **more.get("result", {})})
            for i, score in enumerate(scores):
                verdict = {"value": score.value, "prediction": "x", "flags": [], **({"stats": stats[i]} if stats is not None else {})}
                labels = {"language": score.language, "cluster": score.cluster}
                line = {"task": task, "doc": score.doc_id, "row": i, **{k: v for k, v in labels.items() if v}}
                lines.append({**line, "prompt": more.get("prompt", "?"), "target": "y", "responses": [], "scores": {metric: verdict}})
        folder = self.folder / name
        folder.mkdir()
        (folder / "scores.json").write_text(to_json(RunResult(model or name, results, more.get("complete", True))), encoding="utf-8")
        (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        config = {"model": {"name": name}, "card": {"name": "krutrim2", "column": column}}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return folder


@pytest.fixture
def saved_runs(tmp_path: Path) -> SavedRuns:
    return SavedRuns(tmp_path)


CELLS = """table,row,column,score,note
english_code_math,hellaswag,Alpha-7B,0.70,
english_code_math,hellaswag,Beta-12B-Instruct,0.95,10-shot
english_code_math,gsm8k,Alpha-7B,,-
english_code_math,gsm8k,Beta-12B-Instruct,,TBD
indic,flores_in_en_xx,Alpha-7B,0.41,
"""
TABLES = {
    "english_code_math": TableProtocol(
        "English / Code / Math",
        {
            "hellaswag": RowProtocol("Hellaswag", printed_metric="Accuracy", shots=0),
            "gsm8k": RowProtocol("GSM8K", printed_metric="EM", shots=0),
        },
    ),
    "indic": TableProtocol("Indic", {"flores_in_en_xx": RowProtocol("Flores en-xx", printed_metric="chrF++", shots=1)}),
}


def card(**more: Any) -> Card:
    """An invented card: two tables, three rows."""
    about = CardProtocol("tiny card", "first edition", "printed nowhere", TABLES, columns={"Alpha-7B": ("alpha",)})
    return make_card(msgspec.structs.replace(about, **more), CELLS, name="tiny", where="cells.csv")


def summary(metric: str = "acc", value: float | None = 0.425, n: int = 200, **more: Any) -> Summary:
    fields: dict[str, Any] = {"stderr": 0.035, "ci": (0.3587, 0.4943), "signature": f"{metric}|mean"}
    return Summary(metric=metric, value=value, n=n, **{**fields, **more})


def task(name: str = "hellaswag", *summaries: Summary, **more: Any) -> TaskResult:
    found = summaries or (summary("acc_norm"), summary("acc", 0.38))
    fields: dict[str, Any] = {"num_fewshot": 0, "version": 1, "n_docs": 200, "n_total": 10042, "source": "invented rows"}
    return TaskResult(task=name, headline=found[0].metric, summaries={s.metric: s for s in found}, **{**fields, **more})


def run(*tasks: TaskResult, model: str = "tiny-model", complete: bool = True) -> RunResult:
    return RunResult(model=model, tasks={t.task: t for t in tasks}, complete=complete)


def languages() -> TaskResult:
    groups = {"hi": summary("chrF++", 0.3, 10), "ta": summary("chrF++", 0.2, 10)}
    return task("flores_in_en_xx", summary("chrF++", 0.26, 20, groups=groups, macro=0.25), num_fewshot=1, n_docs=20, n_total=24)


@pytest.fixture
def make() -> SimpleNamespace:
    """The builders above, by name."""
    return SimpleNamespace(card=card(), card_of=card, summary=summary, task=task, run=run, languages=languages)
