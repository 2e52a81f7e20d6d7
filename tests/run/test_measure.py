"""Kill it, resume it, change what is behind a name: scores end the same or are asked again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.config.compose import compose
from evalkit.config.setup import Setup, build
from evalkit.errors import ConfigError, JournalError, ModelError
from evalkit.models.base import Capabilities, WorkItem
from evalkit.models.fake import FakeModel
from evalkit.results import RunResult
from evalkit.run.measure import run
from evalkit.run.prepare import prepare, run_identity
from evalkit.run.rescore import rescore
from evalkit.store.journal import NAME, Journal, read
from evalkit.store.plan import Plan
from evalkit.store.scores import to_json
from evalkit.types import Request, Response

RUN = [sys.executable, "-c", "import sys; from evalkit.cli import main; sys.exit(main())", "run"]
WORDS = ["task=[flores_in_en_xx,hellaswag,gsm8k]", "data=samples", "model=fake", "model.batch_size=4", "model._target_=slow_model.Slow"]
SLOW = '''
import time
from pathlib import Path
from evalkit.models.fake import FakeModel

class Slow(FakeModel):
    """Leaves a line a request before answering it."""

    def _one(self, item):
        with Path("asked.txt").open("a") as file:
            file.write(item.key + "\\n")
        time.sleep(0.01)
        return super()._one(item)
'''


def parts(*words: str) -> Setup:
    return build(compose(["data=samples", *words]))


def measure(model: object, *words: str, folder: Path | None = None) -> RunResult:
    chosen = parts(*words)
    how = chosen.settings
    return run(
        model,  # type: ignore[arg-type]
        list(chosen.tasks.values()),
        chosen.source,
        limit=how.limit,
        chat=how.chat,
        folder=folder,
        config=chosen.config,
        overwrite=how.overwrite,
    )


def folder_of(*words: str) -> Path:
    setup = parts(*words)
    how = setup.settings
    return setup.folder(run_identity(setup.model(), list(setup.tasks.values()), setup.source, how.limit, how.chat))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file() and file.name not in ("lock", "manifest.json")}


def only_run(folder: Path) -> Path:
    (found,) = (folder / "results/runs").iterdir()
    return found


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def start(folder: Path, words: Sequence[str] = WORDS) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / "slow_model.py").write_text(SLOW)
    return subprocess.Popen([*RUN, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def journal_of(folder: Path) -> Path | None:
    return next((folder / "results/runs").glob(f"*/{NAME}"), None)


def test_killed_at_any_moment_the_same_command_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole")
    expected_out, _ = whole.communicate(timeout=120)
    assert whole.returncode == 0
    folder, chance, kills = tmp_path / "killed", random.Random(7), 3
    for kill in range(kills):
        process = start(folder)
        wait_for(lambda: (j := journal_of(folder)) is not None and lines(j) > 25 * kill)  # noqa: B023
        time.sleep(chance.uniform(0, 0.2))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if kill == 1:  # and once the power fails in the middle of a line
            journal = journal_of(folder)
            assert journal is not None
            journal.write_bytes(journal.read_bytes()[:-9])
    last = start(folder)
    out, err = last.communicate(timeout=120)
    assert last.returncode == 0, err
    assert out == expected_out and "already answered" in err
    assert contents(only_run(folder)) == contents(only_run(tmp_path / "whole"))
    once = lines(tmp_path / "whole/asked.txt")
    assert once < lines(folder / "asked.txt") + 1
    assert lines(folder / "asked.txt") <= once + (kills + 1) * 4  # a batch of four each; the torn answer was one more


def test_ctrl_c_saves_and_says_how_to_continue(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_for(lambda: (j := journal_of(tmp_path)) is not None and lines(j) > 8)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("interrupted:") and "same command again" in err and "Traceback" not in err
    assert 8 < lines(only_run(tmp_path) / NAME) < 112
    assert not (only_run(tmp_path) / "scores.json").exists()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_queue_that_ends_the_job_loses_nothing(tmp_path: Path, sent: signal.Signals) -> None:
    process = start(tmp_path)
    wait_for(lambda: (j := journal_of(tmp_path)) is not None and lines(j) > 8)
    process.send_signal(sent)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + sent, err
    assert err.splitlines()[-1].startswith(f"ended by {sent.name}: every finished answer is saved") and "Traceback" not in err
    assert lines(only_run(tmp_path) / NAME) > 8 and not (only_run(tmp_path) / "scores.json").exists()


def test_two_processes_on_one_run_directory(tmp_path: Path) -> None:
    first = start(tmp_path)
    try:
        wait_for(lambda: (j := journal_of(tmp_path)) is not None and lines(j) > 4)
        os.killpg(first.pid, signal.SIGSTOP)
        second = start(tmp_path)
        _, err = second.communicate(timeout=60)
        assert second.returncode == 5
        assert f"in use by process {first.pid} on " in err and err.count("error:") == 1
    finally:
        os.killpg(first.pid, signal.SIGCONT)
        _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err


def test_a_second_run_asks_nothing_and_leaves_every_byte(evalkit: Callable[..., object], tmp_path: Path) -> None:
    words = ["run", "task=[mmlu,nq_open]", "model=fake", "data=samples"]
    first = evalkit(*words)
    folder = only_run(tmp_path)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir() if file.name == "manifest.json"}
    bytes_before = contents(folder)
    second = evalkit(*words)
    assert first.out == second.out  # type: ignore[attr-defined]
    assert contents(folder) == bytes_before
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir() if file.name == "manifest.json"} == before
    counts = json.loads((folder / "manifest.json").read_text())["counts"]
    assert counts["reused"] == 0 and counts["measured"] == counts["asked"] == 24


def test_the_manifest_names_what_produced_the_run(evalkit: Callable[..., object], tmp_path: Path) -> None:
    evalkit("run", "task=mmlu", "model=fake", "data=samples")
    manifest = json.loads((only_run(tmp_path) / "manifest.json").read_text())
    assert manifest["evalkit"]["version"] and manifest["packages"]["hydra-core"] and manifest["hardware"]["cores"]
    assert manifest["model"]["fingerprint"] == "fake-0" and manifest["config"]["limit"] is None
    task = manifest["tasks"]["mmlu"]
    assert task["num_fewshot"] == 5 and task["fewshot_seed"] == 1234 and len(task["rows_sha256"]) == 64 and "sample rows" in task["source"]
    assert set(manifest["durations_s"]) == {"prepare", "encode", "answer", "score"}


def test_other_weights_under_the_same_name_never_meet_old_answers(tmp_path: Path) -> None:
    first = measure(FakeModel(), "task=hellaswag", folder=tmp_path)
    changed = FakeModel(seed=1)
    second = measure(changed, "task=hellaswag", "overwrite=true", folder=tmp_path)
    assert second.manifest["counts"] == {"asked": 12, "reused": 0, "measured": 12}
    assert len(read(tmp_path / NAME)[0]) == 24
    assert to_json(second) == to_json(measure(FakeModel(seed=1), "task=hellaswag"))
    back = measure(FakeModel(), "task=hellaswag", "overwrite=true", folder=tmp_path)
    assert back.manifest["counts"]["reused"] == 12 and to_json(back) == to_json(first)


def test_other_weights_in_the_same_folder_never_meet_old_answers(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    from evalkit.models.hf import HFModel

    checkpoint, folder = tmp_path / "checkpoint", tmp_path / "run"
    logliks = []
    for seed in (0, 1):
        shutil.copytree(tiny(seed), checkpoint, dirs_exist_ok=True)
        result = measure(HFModel("same", path=str(checkpoint), dtype="float32"), "task=winogrande", folder=folder)
        assert result.manifest["counts"] == {"asked": 12, "reused": 0, "measured": 12}
        logliks.append([json.loads(line)["responses"] for line in (folder / "samples.jsonl").read_text().splitlines()])
    assert logliks[0] != logliks[1]
    again = measure(HFModel("same", path=str(checkpoint), dtype="float32"), "task=winogrande", folder=folder)
    assert again.manifest["counts"]["reused"] == 12
    changed = measure(HFModel("same", path=str(checkpoint), dtype="bfloat16"), "task=winogrande", "overwrite=true", folder=folder)
    assert changed.manifest["counts"]["reused"] == 0


def test_another_prompt_is_asked_again(tmp_path: Path) -> None:
    measure(FakeModel(), "task=hellaswag", folder=tmp_path)
    other = "tasks.hellaswag.prompt.template='{activity_label} {query}'"
    result = measure(FakeModel(), "task=hellaswag", other, "overwrite=true", folder=tmp_path)
    assert result.manifest["counts"]["reused"] == 0


def test_another_metric_needs_no_model(tmp_path: Path) -> None:
    first = measure(FakeModel(), "task=hellaswag", folder=tmp_path)
    tasks = parts("task=hellaswag", "tasks.hellaswag.headline=acc").tasks
    (tmp_path / "scores.json").unlink()
    result = rescore(tmp_path, list(tasks.values()), "fake")
    assert result.tasks["hellaswag"].headline == "acc" and result.complete
    assert result.tasks["hellaswag"].score == first.tasks["hellaswag"].summaries["acc"]
    same = rescore(tmp_path, list(parts("task=hellaswag").tasks.values()), "fake")
    assert to_json(same) == to_json(first) == (tmp_path / "scores.json").read_text()


def test_rescoring_refuses_what_was_not_measured(tmp_path: Path) -> None:
    measure(FakeModel(), "task=hellaswag", folder=tmp_path)
    with pytest.raises(ConfigError, match="no answers for gsm8k; it has: hellaswag"):
        rescore(tmp_path, list(parts("task=gsm8k").tasks.values()), "fake")
    with pytest.raises(ConfigError, match="not a run directory"):
        rescore(tmp_path / "nowhere", [], "fake")
    assert not (tmp_path / "nowhere").exists()
    with Journal(tmp_path), pytest.raises(JournalError, match=f"process {os.getpid()}"):
        rescore(tmp_path, list(parts("task=hellaswag").tasks.values()), "fake")


def test_task_order_changes_no_score() -> None:
    one, other = (measure(FakeModel(), f"task=[{tasks}]") for tasks in ("mmlu,gsm8k,nq_open", "nq_open,mmlu,gsm8k"))
    assert list(one.tasks) != list(other.tasks)
    assert dict(one.tasks) == dict(other.tasks)


@pytest.mark.parametrize("task", ["mmlu", "nq_open", "flores_in_xx_en"])
def test_a_limit_changes_no_prompt(task: str) -> None:
    chosen = parts(f"task={task}")
    whole = {r.doc_id: r for r in prepare(chosen.tasks[task], chosen.source, None, None).requests}
    some = prepare(chosen.tasks[task], chosen.source, 5, None).requests
    assert len(some) == 5 and all(whole[request.doc_id] == request for request in some)


class Flaky(FakeModel):
    """Fails on some documents: with an error, or with a log-likelihood that is no number."""

    bad: Mapping[str, Response] = {}

    def answer(self, items: Sequence[WorkItem], done: object) -> Iterator[list[Response]]:
        wanted = {item.key: self.bad[item.doc_id] for item in items if item.doc_id in self.bad}
        for batch in super().answer(items, done):  # type: ignore[arg-type]
            yield [replace(wanted[r.key], key=r.key) if r.key in wanted else r for r in batch]


def test_a_failed_answer_is_not_a_wrong_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = Flaky()
    nan = Response("", "ok", (-1.0, float("nan"), -2.0, -3.0))
    model.bad = {"validation/2": Response("", "error", error="connection reset"), "validation/5": nan}
    result = measure(model, "task=hellaswag", folder=tmp_path)
    score = result.tasks["hellaswag"].score
    assert (score.n, score.n_not_measured, result.complete) == (10, 2, False)
    assert result.tasks["hellaswag"].counts["unanswered"] == 2
    assert "2 of 12 requests failed" in caplog.text and "connection reset" in caplog.text
    values = [json.loads(line)["scores"]["acc_norm"]["value"] for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert values[2] is None and values[5] is None and None not in values[:2] + values[3:5] + values[6:]
    assert "NaN" not in (tmp_path / "samples.jsonl").read_text()
    fixed = measure(FakeModel(), "task=hellaswag", folder=tmp_path)
    assert fixed.manifest["counts"] == {"asked": 12, "reused": 10, "measured": 2} and fixed.complete
    assert to_json(fixed) == to_json(measure(FakeModel(), "task=hellaswag"))


def test_one_missing_sample_leaves_its_document_unmeasured() -> None:
    answers = {key: Response(key, "ok", text=key) for key in "abc"}
    assert Plan({}, {"task": {"whole": ["a", "b"], "part": ["c", "d"]}}).answers("task", answers) == {"whole": [answers["a"], answers["b"]]}


class CannotScore(FakeModel):
    def __init__(self) -> None:
        super().__init__("api")
        self.capabilities = Capabilities(loglikelihood=False, generate=True, chat=False)

    def encode(self, requests: Sequence[Request]) -> list[WorkItem]:
        raise AssertionError("asked for work before the capabilities were looked at")


def test_what_a_model_cannot_do_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="api has no prompt log-probabilities, which task hellaswag needs"):
        measure(CannotScore(), "task=hellaswag", folder=tmp_path / "run")
    with pytest.raises(ModelError, match="no chat template, and task gsm8k"):
        measure(CannotScore(), "task=gsm8k", "chat=true", folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_scores_of_other_answers_do_not_outlive_a_new_plan(tmp_path: Path) -> None:
    class Stops(FakeModel):
        def answer(self, items: Sequence[WorkItem], done: object) -> Iterator[list[Response]]:
            yield next(super().answer(items, done))  # type: ignore[arg-type]
            raise KeyboardInterrupt

    measure(FakeModel(), "task=hellaswag", folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        measure(Stops(seed=2, batch_size=3), "task=hellaswag", "overwrite=true", folder=tmp_path)
    assert not (tmp_path / "scores.json").exists()
    partial = rescore(tmp_path, list(parts("task=hellaswag").tasks.values()), "fake", save=False)
    assert (partial.complete, partial.tasks["hellaswag"].score.n) == (False, 3)
    assert not (tmp_path / "scores.json").exists()


def test_throughput_settings_do_not_move_a_run() -> None:
    place = folder_of("task=hellaswag", "model=hf", "model.path=x")
    assert folder_of("task=hellaswag", "model=hf", "model.path=x", "model.device=cpu", "model.batch_tokens=7", "progress=none") == place
    assert folder_of("task=hellaswag", "model=hf", "model.path=y") != place
    assert parts("task=hellaswag", "model=hf", "model.path=x", "limit=3").folder != place
    assert parts("task=hellaswag", "model=hf", "model.path=y").folder != place
