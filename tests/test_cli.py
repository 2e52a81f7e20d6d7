"""What a user types, and the one line that a mistake is."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

CHAT = "{% for m in messages %}{{ bos_token if loop.first }}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "
SMALL = ["task=hellaswag", "model=fake", "data=samples"]
PROGRAM = [sys.executable, "-c", "import sys; from evalkit.cli import main; sys.exit(main())"]


class Said(Protocol):
    code: int
    out: str
    err: str

    @property
    def error(self) -> str: ...


Evalkit = Callable[..., Said]


def only_run(folder: Path) -> Path:
    (found,) = (folder / "results/runs").iterdir()
    return found


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# ---- what works ----


def test_run_prints_the_table_and_leaves_a_whole_folder(evalkit: Evalkit, tmp_path: Path) -> None:
    said = evalkit("run", *SMALL)
    assert said.code == 0 and "hellaswag" in said.out.lower()
    names = {file.name for file in only_run(tmp_path).iterdir()}
    assert {"config.json", "journal.jsonl", "manifest.json", "plan.jsonl", "samples.jsonl", "scores.json"} <= names
    assert not [name for name in names if name.startswith(".") or name.endswith(".tmp")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results"]
    scores = json.loads((only_run(tmp_path) / "scores.json").read_text())
    assert scores["complete"] and scores["tasks"]["hellaswag"]["n_docs"] == 12
    rows = [json.loads(line) for line in (only_run(tmp_path) / "samples.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rows] == list(range(12)) and rows[0]["pairs"][0][0].startswith("Watering plants: ")


def test_run_writes_the_page_and_says_where(evalkit: Evalkit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pictures, so that matplotlib is not missed; a long page is left to `evalkit report`, in words."""
    said = evalkit("run", *SMALL)
    page = only_run(tmp_path) / "report.html"
    assert said.err.splitlines()[-1] == f"wrote {page.relative_to(tmp_path)}: 12 samples"
    assert "or results/runs/" in said.out.replace("\n  ", " ") and "<figure" not in page.read_text(encoding="utf-8")
    page.unlink()
    assert evalkit("run", *SMALL, "page=false").code == 0 and not page.exists()
    monkeypatch.setattr("evalkit.commands.run.PAGE_SAMPLES", 0)
    monkeypatch.setattr("evalkit.commands.run.PAGE_SHARE", 0)
    said = evalkit("run", *SMALL)
    assert said.err.splitlines()[-1].endswith(f"with pictures: evalkit report {page.parent.relative_to(tmp_path)}") and not page.exists()
    assert evalkit("run", *SMALL, "page=true").code == 0 and page.exists()
    assert "use auto, true or false" in evalkit("run", *SMALL, "page=maybe").error


def test_a_sweep_prints_a_table_each(evalkit: Evalkit, tmp_path: Path) -> None:
    said = evalkit("run", "-m", "task=hellaswag", "model=fake", "model.seed=0,1", "data=samples")
    assert said.code == 0, said.err
    assert len(list((tmp_path / "results/runs").glob("*/scores.json"))) == 2
    assert said.out.count("Measured scores") == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results"]


def test_a_sweep_goes_on_after_a_failed_job(evalkit: Evalkit, tmp_path: Path) -> None:
    said = evalkit("run", "-m", "task=hellaswag", "model=fake", "limit=0,2", "data=samples")
    assert said.code == 2 and said.err.count("error:") == 1 and "limit=0" in said.err
    assert len(list((tmp_path / "results/runs").glob("*/scores.json"))) == 1


@pytest.mark.parametrize("what", ["tasks", "models", "suites", "data"])
def test_ls(evalkit: Evalkit, what: str) -> None:
    said = evalkit("ls", what)
    assert said.code == 0 and all("  " in line for line in said.out.splitlines())
    assert {"tasks": "hellaswag", "models": "krutrim2_12b", "suites": "demo", "data": "local"}[what] in said.out


def test_ls_lists_what_can_be_chosen(evalkit: Evalkit, tmp_path: Path) -> None:
    """Files in `base/`, which hold what tasks share, are none of them: neither ours nor those of the user's folder."""
    base = tmp_path / "own" / "task" / "base"
    base.mkdir(parents=True)
    (base / "mine.yaml").write_text("version: 1\n", encoding="utf-8")
    (base.parent / "own_task.yaml").write_text("# @package tasks.own_task\n# My own.\ndefaults: [base/mine@_here_]\n", encoding="utf-8")
    said = evalkit("ls", "tasks", "--config-dir", str(tmp_path / "own"))
    assert said.code == 0 and (CONF / "task" / "base").is_dir()
    assert sorted(line.split()[0] for line in said.out.splitlines()) == sorted([*task_names(), "own_task"])


def task_names() -> list[str]:
    from evalkit.paths import conf_dir

    return sorted(file.stem for file in (conf_dir() / "task").glob("*.yaml"))


CONF = Path(__file__).resolve().parents[1] / "conf"


def shown(said: Said) -> dict[str, str]:
    """What `show` printed of each task; all of a prompt is indented."""
    assert said.code == 0, said.err
    begin, *parts = re.split(r"(?m)^(\w+)(?=: \d+ shots, headline )", said.out)
    assert not begin
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_show_needs_no_model(evalkit: Evalkit) -> None:
    every = f"task=[{','.join(task_names())}]"
    for task, out in (said := shown(evalkit("show", every, "n=2", "data=samples"))).items():
        assert out.count("── ") == 2 and "sample rows, not the benchmark" in out, task
        assert ("[continuation 0]" in out) or ("[generates]" in out) or ("[pair 1] continuation" in out), task
    chat = shown(evalkit("show", every, "n=1", "data=samples", "chat=true"))
    assert list(said) == list(chat) and sorted(said) == task_names()
    for task, out in chat.items():
        # A form that is scored as plain text by its protocol (`chat: false`) stays so.
        plain = yaml.safe_load((CONF / "task" / f"{task}.yaml").read_text(encoding="utf-8")).get("chat") is False
        assert ("[user]" in out) is not plain, task


def test_hydras_own_flags(evalkit: Evalkit) -> None:
    job = evalkit("run", "--cfg", "job", "task=hellaswag", "model=fake")
    assert job.code == 0 and "acc_norm" in job.out and not job.err
    done = subprocess.run([*PROGRAM, "run", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "hellaswag" in done.stdout and "Traceback" not in done.stderr


def test_help_and_version(evalkit: Evalkit) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        assert evalkit(*words).out.startswith("evalkit measures language models")
    assert evalkit("--version").out.startswith("evalkit 0.")


def test_nothing_is_left_behind_in_the_process(evalkit: Evalkit) -> None:
    from hydra.core.global_hydra import GlobalHydra

    argv = list(sys.argv)
    evalkit("run", *SMALL)
    evalkit("run", "task=helaswag", "model=fake")
    evalkit("show", "task=hellaswag", "data=samples")
    assert not GlobalHydra.instance().is_initialized() and sys.argv == argv


# ---- wrong words ----

BAD = {
    "unknown command": (["rnu"], 2, "unknown command 'rnu'; did you mean run?"),
    "unknown task": (["run", "task=helaswag", "model=fake"], 2, "unknown task 'helaswag'; did you mean hellaswag?"),
    "unknown task in a list": (["run", "task=[mmlu,gsm9k]", "model=fake"], 2, "unknown task 'gsm9k'; did you mean gsm8k?"),
    "unknown task to show": (["show", "task=mmul"], 2, "unknown task 'mmul'; did you mean mmlu?"),
    "unknown model": (["run", "task=mmlu", "model=smolm2_135m"], 2, "unknown model 'smolm2_135m'; did you mean smollm2_135m?"),
    "unknown suite": (["run", "suite=demmo", "model=fake"], 2, "unknown suite 'demmo'; did you mean demo?"),
    "unknown data": (["run", "task=mmlu", "model=fake", "data=loacl"], 2, "unknown data 'loacl'; did you mean local?"),
    "unknown list": (["ls", "taskz"], 2, "did you mean tasks?"),
    "typo at the top": (["run", "limt=5", *SMALL], 2, "no setting 'limt'; did you mean limit?"),
    "typo below": (["run", "tasks.hellaswag.num_fewshots=0", *SMALL], 2, "did you mean tasks.hellaswag.num_fewshot?"),
    "typo in the model": (["run", "model.sed=1", *SMALL], 2, "did you mean model.seed?"),
    "typo in what a base gives": (["run", "tasks.hellaswag.headlin=acc", *SMALL], 2, "did you mean tasks.hellaswag.headline?"),
    "typo in what two bases give": (
        ["run", "task=bharatbench_ner", "model=fake", "data=samples", "tasks.bharatbench_ner.averag=size"],
        2,
        "did you mean tasks.bharatbench_ner.average?",
    ),
    "not an override": (["run", "limit", *SMALL], 2, "limit"),
    "half an override": (["run", "limit=[1", *SMALL], 2, "limit"),
    "unknown launcher": (["run", "-m", "hydra/launcher=foo", *SMALL], 2, "unknown hydra 'launcher/foo'"),
    "a flag to show": (["show", "-m", "task=mmlu"], 2, "'-m' cannot be read as NAME=VALUE"),
    "no model": (["run", "task=mmlu", "data=samples"], 2, "no model was chosen; give model=NAME"),
    "no task": (["run", "model=fake", "data=samples"], 2, "no task was chosen; give task=NAME"),
    "no task to show": (["show", "data=samples"], 2, "no task was chosen"),
    "zero limit": (["run", "limit=0", *SMALL], 2, "limit=0 "),
    "negative limit": (["run", "limit=-3", *SMALL], 2, "limit=-3 "),
    "limit of no number": (["run", "limit=nan", *SMALL], 2, "limit=nan "),
    "half a document": (["run", "limit=1.5", *SMALL], 2, "limit=1.5 "),
    "limit in words": (["run", "limit=abc", *SMALL], 2, "limit=abc "),
    "limit true": (["run", "limit=true", *SMALL], 2, "limit=True "),
    "chat maybe": (["run", "chat=maybe", *SMALL], 2, "chat=maybe "),
    "n of nothing": (["show", "task=mmlu", "n=0", "data=samples"], 2, "n='0'"),
    "progress": (["run", "progress=loud", *SMALL], 2, "progress=loud"),
    "negative shots": (["run", "tasks.hellaswag.num_fewshot=-1", *SMALL], 2, "num_fewshot=-1 is not a number of shots"),
    "shots in words": (["run", "tasks.hellaswag.num_fewshot=many", *SMALL], 2, "num_fewshot=many"),
    "headline": (["run", "tasks.hellaswag.headline=f1", *SMALL], 2, "headline 'f1' is not one of its metrics: acc, acc_norm"),
    "language": (["run", "task=flores_in_en_xx", "model=fake", "data=samples", "languages=[hi,fr]"], 2, "has no language fr; it has "),
    "one language": (["run", "task=flores_in_en_xx", "model=fake", "data=samples", "languages=xx"], 2, "has no language xx; it has "),
    "no class": (["run", "model._target_=evalkit.models.fake.Fakee", *SMALL], 2, "Fakee"),
    "no argument": (["run", "+model.speed=9", *SMALL], 2, "speed"),
    "no results folder": (["run", "results_dir=null", *SMALL], 2, "results_dir is empty"),
    "data folder": (["run", "task=mmlu", "model=fake", "data=local", "data.root=nowhere"], 3, "data folder nowhere does not exist"),
    "data without root": (["run", "task=mmlu", "model=fake", "data=local"], 2, "data=local needs a folder: add data.root=DIR"),
    "model path": (["run", "task=mmlu", "data=samples", "model=hf", "model.path=/no/such"], 4, "model.path=/no/such does not exist"),
    "no model path": (["run", "task=mmlu", "data=samples", "model=hf"], 4, "model.path is not set"),
    "chat cannot score": (["run", "task=mmlu", "data=samples", "model=gpt_4o"], 4, "gpt_4o has no prompt log-probabilities"),
    "hosted without a name": (["run", "task=mmlu", "data=samples", "model=openai"], 2, "model.name is not set"),
    "report on nothing": (["report"], 2, "needs at least one run directory"),
    "report on no run": (["report", "nowhere"], 2, "nowhere is not a run directory"),
    "score nothing": (["score"], 2, "needs a run directory, or task=NAME responses=FILE"),
    "score no run": (["score", "nowhere"], 2, "nowhere is not a run directory"),
    "score no file": (["score", "task=gsm8k", "responses=no.jsonl", "data=samples"], 3, "no.jsonl does not exist"),
    "data": (["data"], 2, "the only action is pull"),
    "data push": (["data", "push"], 2, "the only action is pull"),
    "pull to nowhere": (["data", "pull", "task=mmlu"], 2, "needs data.root=DIR"),
    "config dir": (["ls", "tasks", "--config-dir", "nowhere"], 2, "nowhere: no such folder"),
    "tasks for task": (["run", "tasks=hellaswag", "model=fake"], 2, "chosen by task=; write task=hellaswag"),
    "tasks in a list": (["run", "tasks=hellaswag,mmlu", "model=fake"], 2, "write 'task=[hellaswag,mmlu]'"),
    "tasks to show": (["show", "tasks=mmlu"], 2, "write task=mmlu"),
    "models for model": (["run", "models=fake", "task=mmlu"], 2, "write model=fake"),
    "a task alone": (["run", "hellaswag", "model=fake"], 2, "hellaswag is a task; write task=hellaswag"),
    "a task alone to show": (["show", "hellaswag"], 2, "hellaswag is a task; write task=hellaswag"),
    "a model alone": (["run", "task=mmlu", "smollm2_135m"], 2, "smollm2_135m is a model; write model=smollm2_135m"),
    "a suite alone": (["run", "demo", "model=fake"], 2, "demo is a suite; write suite=demo"),
    "a card alone": (["run", "krutrim2", "model=fake"], 2, "krutrim2 is a card; write card=krutrim2"),
    "a misspelt task alone": (["run", "helaswag", "model=fake"], 2, "'helaswag' is no NAME=VALUE word; did you mean task=hellaswag?"),
    "a setting alone": (["run", "limit", *SMALL], 2, "limit needs a value; write limit=VALUE"),
    "a choice of nothing": (["show", "task=hellaswag", "card=null"], 2, "card=null chooses no card; leave the word out, or name one"),
    "a word of no sense": (["run", "qwrtz", *SMALL], 2, "'qwrtz' cannot be read as NAME=VALUE"),
    "a flag for a task": (["run", "--task", "hellaswag", "model=fake"], 2, "--task is no flag: settings are NAME=VALUE words; write task="),
    "a flag with a sign": (["run", "--task=hellaswag", "model=fake"], 2, "write task=hellaswag"),
    "a flag to show a task": (["show", "--task", "hellaswag"], 2, "write task=hellaswag"),
    "a flag for a limit": (["run", *SMALL, "--limit", "5"], 2, "write limit=5"),
    "a flag of a dash": (["run", *SMALL, "--results-dir", "out"], 2, "write results_dir=out"),
    "a flag without value": (["run", *SMALL, "--limit"], 2, "write limit=VALUE"),
    "a misspelt flag": (["run", *SMALL, "--multrun"], 2, "unknown flag --multrun; did you mean --multirun?"),
    "an unknown flag": (["run", *SMALL, "--frobnicate"], 2, "unknown flag --frobnicate; settings are NAME=VALUE words"),
    "a model of no sense": (["run", "task=mmlu", "model=nope", "data=samples"], 2, "unknown model 'nope' (see: evalkit ls models)"),
    "languages of none": (["run", "languages=hi", *SMALL], 2, "languages=hi changes nothing: hellaswag has no languages"),
    "languages to show": (["show", "task=mmlu", "data=samples", "languages=[hi,ta]"], 2, "languages=hi,ta changes nothing"),
    "a limit to show": (["show", "task=mmlu", "limit=5"], 2, "limit=5: show prints a few documents per task, of which n=…"),
    "a limit to pull": (["data", "pull", "task=mmlu", "limit=5", "data.root=x"], 2, "limit=5: data pull copies whole splits"),
    "a misspelt word": (["run", "langauges=hi", *SMALL], 2, "no setting 'langauges'; did you mean languages?"),
    "ls of more": (["ls", "tasks", "models"], 2, "takes no further word"),
    "tasks without brackets": (["run", "task=hellaswag,mmlu", "model=fake"], 2, "several in one run are 'task=[hellaswag,mmlu]', and runs"),
    "a list with a space": (["run", "task=[hellaswag,", "mmlu]", "model=fake"], 2, "write lists without spaces and in quotes"),
    "a setting of a task": (["run", *SMALL, "num_fewshot=5"], 2, "it belongs to the task: tasks.NAME.num_fewshot=VALUE"),
    "a setting of the model": (["run", *SMALL, "device=cuda"], 2, "it belongs to the model: model.device=VALUE"),
    "a setting of another model": (["run", *SMALL, "model.path=x"], 2, "model.path: the model that was chosen has no setting 'path'"),
    "a setting of another task": (["run", *SMALL, "tasks.mmlu.num_fewshot=5"], 2, "the task mmlu was not chosen; choose it with task="),
    "an added setting of one": (["run", *SMALL, "+tasks.mmlu.num_fewshot=5"], 2, "the task mmlu was not chosen; choose it with task="),
    "a batch size": (["run", *SMALL, "batch_size=4"], 2, "batches fit the device by themselves"),
    "an output folder": (["run", *SMALL, "out=DIR"], 2, "it is results_dir=DIR, or run_dir=DIR for this run alone"),
    "a flag of one letter": (["run", *SMALL, "-n", "3"], 2, "unknown flag -n; settings are NAME=VALUE words"),
    "an empty folder": (["run", *SMALL, "run_dir="], 2, "run_dir= is empty"),
    "two runs to score": (["score", "a", "b"], 2, "takes one run directory, not a b"),
    "a misspelt file of answers": (["score", "task=gsm8k", "response=x"], 2, "did you mean responses?"),
    "one run twice": (["report", "a", "./a"], 2, "a is given twice"),
    "a flag to report": (["report", "a", "--out=x"], 2, "write out=x"),
    "an unknown flag to report": (["report", "a", "-o", "x"], 2, "unknown flag -o"),
    "merge into nothing": (["merge", "a", "into="], 2, "into= is empty"),
    "export without a form": (["export", "a"], 2, "to= says in which form"),
    "import of nothing": (["import", "no.json"], 3, "no.json cannot be read (it does not exist)"),
    "help of nothing": (["help", "reprot"], 2, "no help of 'reprot'; did you mean report?"),
    "a flag in front": (["--task", "hellaswag"], 2, "write task=hellaswag, behind a command: evalkit run"),
    "version": (["version"], 2, "did you mean --version?"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_one_line(evalkit: Evalkit, tmp_path: Path, case: str) -> None:
    words, code, says = BAD[case]
    said = evalkit(*words)
    assert says in said.error and said.code == code and not said.out, said
    assert not (tmp_path / "results").exists()


def test_a_task_next_to_a_suite_leaves_the_suite_s_settings_of_others(evalkit: Evalkit) -> None:
    said = evalkit("run", "suite=demo", *SMALL, "limit=2")
    assert said.code == 0 and "Hellaswag" in said.out and "GSM8K" not in said.out, said.err


def test_an_unexpected_fault_is_not_hidden(evalkit: Evalkit, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.models.fake import FakeModel

    monkeypatch.setattr(FakeModel, "_one", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evalkit("run", *SMALL)


# ---- rows ----


def test_a_row_without_its_field(evalkit: Evalkit, tmp_path: Path) -> None:
    row = {"activity_label": "a", "ctx_a": "b", "ctx_b": "c", "endings": ["d", "e", "f", "g"], "label": "0"}
    write_jsonl(tmp_path / "rows/hellaswag/validation.jsonl", [row, {k: v for k, v in row.items() if k != "endings"}])
    said = evalkit("run", "task=hellaswag", "model=fake", "data=local", "data.root=rows")
    assert said.code == 3 and "endings" in said.error and "validation.jsonl:2" in said.error


def test_bad_rows_and_files(evalkit: Evalkit, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows/hellaswag/validation.jsonl", [])
    words = ["run", "task=hellaswag", "model=fake", "data=local", "data.root=rows"]
    assert evalkit(*words).code == 3
    path.write_text("{}\n{oops\n")
    assert "validation.jsonl:2" in evalkit(*words).error
    path.unlink()
    assert "no file rows/hellaswag/validation.jsonl" in evalkit(*words).error


def test_pulled_rows_give_the_same_scores(evalkit: Evalkit, tmp_path: Path) -> None:
    pulled = evalkit("data", "pull", "task=[mmlu,flores_in_en_xx]", "languages=[hi,ta]", "data=samples", "data.root=mirror")
    assert pulled.code == 0, pulled.err
    assert pulled.out.count("mirror") >= 5 and (tmp_path / "mirror/mmlu/test.jsonl").is_file()
    again = evalkit("data", "pull", "task=[mmlu,flores_in_en_xx]", "languages=[hi,ta]", "data=samples", "data.root=mirror")
    assert again.code == 0
    scores = []
    for source in (["data=samples"], ["data=local", "data.root=mirror"]):
        said = evalkit("run", "task=[mmlu,flores_in_en_xx]", "languages=[hi,ta]", "model=fake", *source, "run_dir=" + source[0][5:])
        assert said.code == 0, said.err
        found = json.loads((tmp_path / source[0][5:] / "scores.json").read_text())["tasks"]
        scores.append({name: (task["summaries"], task["rows_sha256"], task["sample_rows"]) for name, task in found.items()})
    assert scores[0] == scores[1]


# ---- models ----


def test_a_model_without_a_template_asked_to_chat(evalkit: Evalkit, tiny: Callable[..., Path], tmp_path: Path) -> None:
    said = evalkit("run", "task=gsm8k", "data=samples", "model=hf", f"model.path={tiny()}", "chat=true")
    assert said.code == 4 and "hf has no chat template, and task gsm8k is asked to chat; use tasks.gsm8k.chat=false" in said.error
    assert not (tmp_path / "results").exists()


def test_a_context_longer_than_the_model_is_counted_and_shown(evalkit: Evalkit, tiny: Callable[..., Path], tmp_path: Path) -> None:
    words = ["data=samples", "model=hf", f"model.path={tiny(max_length=64)}", "model.dtype=float32", "limit=2"]
    said = evalkit("run", "task=mmlu", *words)
    assert said.code == 0, said.err
    scores = json.loads((only_run(tmp_path) / "scores.json").read_text())
    assert scores["tasks"]["mmlu"]["counts"]["truncated"] == 2
    assert "2 cut on the left (longer than the model reads)" in " ".join(said.out.split())
    refused = evalkit("run", "task=gsm8k", *words)
    assert refused.code == 4 and "task gsm8k asks for 512 new tokens, but the model holds 64" in refused.error


def test_a_gguf_that_is_not_one(evalkit: Evalkit, tmp_path: Path) -> None:
    (tmp_path / "weights.gguf").write_text("<!doctype html>")
    said = evalkit("run", "task=mmlu", "data=samples", "model=hf", "model.path=weights.gguf")
    assert said.code == 4 and "weights.gguf is not a GGUF file" in said.error


# ---- folders ----


def test_a_results_folder_that_cannot_be_written(evalkit: Evalkit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in ("file/runs", "/proc/runs"):
        said = evalkit("run", *SMALL, f"results_dir={place}")
        assert said.code == 5 and place in said.error and "results_dir=DIR" in said.error
        swept = evalkit("run", "-m", *SMALL, f"results_dir={place}")
        assert swept.code in (2, 5) and place in swept.error
    scored = evalkit(
        "score",
        "task=gsm8k",
        f"responses={write_jsonl(tmp_path / 'r.jsonl', [{'id': 0, 'response': 'a'}])}",
        "data=samples",
        "run_dir=file/x",
    )
    assert scored.code == 5 and "file/x" in scored.error


def test_a_damaged_journal_is_refused_and_left_alone(evalkit: Evalkit, tmp_path: Path) -> None:
    evalkit("run", *SMALL)
    journal = only_run(tmp_path) / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"greedy", b"gr33dy", 1))
    before = journal.read_bytes()
    for words in (["run", *SMALL], ["score", str(journal.parent)]):
        said = evalkit(*words)
        assert said.code == 5 and "journal.jsonl:1 is damaged" in said.error
    assert journal.read_bytes() == before


# ---- report and score ----


def test_report_redraws_one_and_many(evalkit: Evalkit, tmp_path: Path) -> None:
    first = evalkit("run", *SMALL, "run_dir=a")
    evalkit("run", *SMALL, "run_dir=b", "model.seed=1", "model.name=other")
    before = {file.name: file.read_bytes() for file in (tmp_path / "a").iterdir() if file.name != "report.html"}  # without pictures so far
    again = evalkit("report", "a")
    assert again.code == 0 and again.out == first.out
    after = {str(file.relative_to(tmp_path / "a")): file.read_bytes() for file in (tmp_path / "a").rglob("*") if file.is_file()}
    assert {name: after[name] for name in before} == before
    assert {"report.html", "plots/intervals-1.svg", "plots/intervals-1.png"} <= after.keys() - before.keys()
    evalkit("report", "a")
    assert {str(file.relative_to(tmp_path / "a")): file.read_bytes() for file in (tmp_path / "a").rglob("*") if file.is_file()} == after
    both = evalkit("report", "a", "b", "out=both")
    assert both.code == 0 and "fake" in both.out and "other" in both.out and any((tmp_path / "both").iterdir())
    assert "is damaged" in broken(evalkit, tmp_path, "config.json") and "scores.json" in broken(evalkit, tmp_path, "scores.json")


def broken(evalkit: Evalkit, tmp_path: Path, name: str) -> str:
    whole = (tmp_path / "b" / name).read_bytes()
    (tmp_path / "b" / name).write_text("{")
    said = evalkit("score" if name == "config.json" else "report", "b")
    (tmp_path / "b" / name).write_bytes(whole)
    assert said.code in (2, 3)
    return said.error


def test_a_run_killed_midway_is_reported_as_unfinished(evalkit: Evalkit, tmp_path: Path) -> None:
    words = [*SMALL, "model.batch_size=1", "model.delay=0.2", "run_dir=run"]
    process = subprocess.Popen([*PROGRAM, "run", *words], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = tmp_path / "run/journal.jsonl"
    end = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)  # alive, and no further before the report is written
    running = evalkit("report", "run", "out=elsewhere")
    assert running.code == 0, running.err
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = sorted(file.name for file in (tmp_path / "run").iterdir())
    killed = evalkit("report", "run", "out=elsewhere")
    assert killed.code == 0 and "unfinished" in killed.out.lower()
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == before
    scored = evalkit("score", "run")
    assert scored.code == 0 and json.loads((tmp_path / "run/scores.json").read_text())["complete"] is False
    assert evalkit("run", *words).code == 0
    assert json.loads((tmp_path / "run/scores.json").read_text())["complete"] is True


def test_score_a_run_again_with_another_headline(evalkit: Evalkit, tmp_path: Path) -> None:
    first = evalkit("run", *SMALL, "run_dir=run")
    scores = (tmp_path / "run/scores.json").read_bytes()
    assert evalkit("score", "run").out == first.out and (tmp_path / "run/scores.json").read_bytes() == scores
    assert evalkit("score", "run", "tasks.hellaswag.headline=acc").code == 0
    assert json.loads((tmp_path / "run/scores.json").read_text())["tasks"]["hellaswag"]["headline"] == "acc"
    typo = evalkit("score", "run", "tasks.hellaswag.headlin=acc")
    assert typo.code == 2 and "did you mean tasks.hellaswag.headline?" in typo.error
    wrong = evalkit("score", "run", "tasks.hellaswag.headline=f1")
    assert wrong.code == 2 and "is not one of its metrics" in wrong.error


@pytest.mark.parametrize(
    "word", ["limit=5", "chat=true", "languages=hi", "data=samples", "limt=5", "model.path=x", "tasks.hellaswag.num_fewshot=0"]
)
def test_what_cannot_change_a_saved_answer_is_not_taken(evalkit: Evalkit, tmp_path: Path, word: str) -> None:
    evalkit("run", *SMALL, "run_dir=run")
    before = {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()}
    said = evalkit("score", "run", word)
    assert said.code == 2 and f"{word}: the answers of a run are there, so this changes nothing" in said.error
    assert {file.name: file.read_bytes() for file in (tmp_path / "run").iterdir()} == before


def test_languages_of_some_of_the_tasks_are_said(evalkit: Evalkit, caplog: pytest.LogCaptureFixture) -> None:
    said = evalkit("show", "task=[flores_in_en_xx,mmlu]", "data=samples", "languages=hi", "n=1")
    assert said.code == 0, said.err
    assert [record.getMessage() for record in caplog.records] == ["languages=hi leaves these as they are, which have no languages: mmlu"]


GOLD = ["31", "48"]  # of the first two sample rows of gsm8k


def test_score_answers_made_elsewhere(evalkit: Evalkit, tmp_path: Path) -> None:
    by_index = [{"id": i, "response": f"So the answer is {gold}."} for i, gold in enumerate(GOLD)] + [{"id": "2", "response": "no idea"}]
    by_id = [{"id": f"test/{row['id']}", "response": [row["response"]]} for row in by_index]
    outputs = []
    for name, rows in (("index", by_index), ("id", by_id)):
        (tmp_path / f"by_{name}").mkdir()
        file = write_jsonl(tmp_path / f"by_{name}/answers.jsonl", rows)
        said = evalkit("score", "task=gsm8k", f"responses={file}", "data=samples", f"run_dir={name}", "name=theirs")
        assert said.code == 0, said.err
        scores = json.loads((tmp_path / name / "scores.json").read_text())
        summary = scores["tasks"]["gsm8k"]["summaries"]["flexible_extract"]
        assert (summary["n"], summary["n_not_measured"], summary["n_invalid"]) == (3, 9, 1) and abs(summary["value"] - 2 / 3) < 1e-12
        assert scores["model"] == "theirs" and scores["complete"]  # nothing to continue: the five are counted
        outputs.append(said.out.replace(f"{name}/report.md", "report.md"))
    assert outputs[0].split() == outputs[1].split()
    assert (tmp_path / "id/samples.jsonl").read_bytes() == (tmp_path / "index/samples.jsonl").read_bytes()
    mixed = write_jsonl(tmp_path / "mixed.jsonl", [{"id": 0, "response": ["31", "32", ""]}])
    assert evalkit("score", "task=gsm8k", f"responses={mixed}", "data=samples").code == 0
    (folder,) = (tmp_path / "results/runs").iterdir()
    assert folder.name.startswith("mixed-gsm8k-")
    assert evalkit("report", str(folder)).code == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{oops", ":2: not valid JSON"),
        ('{"id": 1}', ":2: expected"),
        ('{"response": "a"}', ":2: expected"),
        ("7", ":2: expected"),
        ('{"id": 0, "response": "a"}', ":2: document 0 was answered on an earlier line"),
        ('{"id": 12, "response": "a"}', ":2: row 12 is out of range; the rows of test go from 0 to 11"),
        ('{"id": -1, "response": "a"}', ":2: no document has the id -1"),
        ('{"id": "dev/1", "response": "a"}', ":2: no document has the id 'dev/1'"),
        ('{"id": true, "response": "a"}', ":2: no document has the id True"),
        ('{"id": 1, "response": 5}', ":2: response must be a text or a list of texts"),
        ('{"id": 1, "response": []}', ":2: response must be a text or a list of texts"),
        ('{"id": 1, "response": ["a", 5]}', ":2: response must be a text or a list of texts"),
        ('{"id": [1], "response": "a"}', ":2: no document has the id [1]"),
        ('{"id": null, "response": "a"}', ":2: no document has the id None"),
        ('{"id": 1.5, "response": "a"}', ":2: no document has the id 1.5"),
        ("\xff", ":2: not valid JSON"),
    ],
)
def test_a_bad_line_of_answers(evalkit: Evalkit, tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(b'{"id": 0, "response": "31"}\n' + line.encode("latin-1") + b"\n")
    said = evalkit("score", "task=gsm8k", f"responses={file}", "data=samples")
    assert said.code == 3 and f"answers.jsonl{says}" in said.error
    assert not (tmp_path / "results").exists()


def test_answers_that_cannot_be_scored(evalkit: Evalkit, tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "answers.jsonl", [{"id": 0, "response": "A"}])
    assert "ranks choices by log-likelihood" in evalkit("score", "task=hellaswag", f"responses={file}", "data=samples").error
    assert "answers to one task; 2 were chosen" in evalkit("score", "task=[gsm8k,mmlu]", f"responses={file}", "data=samples").error
    assert "no task was chosen" in evalkit("score", f"responses={file}", "data=samples").error
    file.write_text("")
    assert "answers none of the 12 documents" in evalkit("score", "task=gsm8k", f"responses={file}", "data=samples").error


# ---- a real process ----


def test_a_real_process_fails_in_one_line(tmp_path: Path) -> None:
    for words in (["run", "task=helaswag", "model=fake"], ["run", "limit=0", *SMALL], ["run", "model._target_=evalkit.nothing", *SMALL]):
        done = subprocess.run([*PROGRAM, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and not done.stdout
        assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("error: "), done.stderr


def test_a_closed_pipe_is_no_fault(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PROGRAM, "ls", "tasks"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
