"""Each tracker is told the scores, and one that fails costs nothing but a line."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.integrations.trackers import checked, send, tracked
from evalkit.store import load_run
from tests.conftest import Evalkit


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **functions: Any) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    for key, value in functions.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """The three clients' calls, written down."""
    said: dict[str, list[Any]] = {"wandb": [], "mlflow": [], "trackio": []}

    def note(name: str, what: str) -> Any:
        return lambda *args, **named: said[name].append((what, args, named))

    @contextmanager
    def init(**named: Any) -> Any:
        note("wandb", "init")(**named)
        yield SimpleNamespace(log=note("wandb", "log"), log_artifact=note("wandb", "log_artifact"))

    @contextmanager
    def start_run(**named: Any) -> Any:
        note("mlflow", "start_run")(**named)
        yield

    artifact = lambda *args, **named: SimpleNamespace(add_file=note("wandb", "add_file"))  # noqa: E731
    stand_in(monkeypatch, "wandb", init=init, Artifact=artifact)
    calls = {name: note("mlflow", name) for name in ("set_experiment", "log_params", "log_metrics", "log_artifact")}
    stand_in(monkeypatch, "mlflow", start_run=start_run, **calls)
    stand_in(monkeypatch, "trackio", **{name: note("trackio", name) for name in ("init", "log", "finish")})
    return said


def test_a_run_tells_every_tracker(clients: dict[str, list[Any]], evalkit: Evalkit) -> None:
    said = evalkit("run", "task=hellaswag", "model=fake", "data=samples", "run_dir=out", "track=[wandb,mlflow,trackio]")
    assert said.code == 0 and "warning" not in said.err, said.err
    score = load_run(Path("out")).result.tasks["hellaswag"].score
    logged = [
        next(args[0] for what, args, _ in clients["wandb"] if what == "log"),
        next(args[0] for what, args, _ in clients["mlflow"] if what == "log_metrics"),
        next(args[0] for what, args, _ in clients["trackio"] if what == "log"),
    ]
    for scores in logged:
        assert scores["hellaswag/acc_norm"] == score.value and scores["hellaswag/acc_norm_stderr"] == score.stderr
        assert score.ci and scores["hellaswag/acc_norm_ci_low"] == score.ci[0] and scores["hellaswag/acc_norm_n"] == score.n
    files = [args[0] for what, args, _ in clients["wandb"] if what == "add_file"]
    assert files == [args[0] for what, args, _ in clients["mlflow"] if what == "log_artifact"]
    assert [Path(file).name for file in files] == ["scores.json", "report.md", "report.html"]
    assert clients["trackio"][0][2]["config"]["report"].startswith("# fake") and clients["trackio"][-1][0] == "finish"
    again = evalkit("run", "task=hellaswag", "model=fake", "data=samples", "run_dir=out")  # tracking names no other run
    assert again.code == 0 and len(clients["wandb"]) == len([*files]) + 3


def test_tensorboard_writes_events(make: SimpleNamespace, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert send(["tensorboard"], tracked(make.run(make.task()), "# table", tmp_path)) == []
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Scalars("hellaswag/acc_norm")[0].value == pytest.approx(0.425)


def test_a_tracker_that_fails_is_a_warning(clients: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch, evalkit: Evalkit) -> None:
    def init(**_: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(sys.modules["wandb"], "init", init)
    said = evalkit("run", "task=hellaswag", "model=fake", "data=samples", "run_dir=out", "track=[wandb,mlflow]")
    assert said.code == 0 and "track=wandb failed (OSError: no network); the scores are in out" in said.err
    assert any(what == "log_metrics" for what, _, _ in clients["mlflow"])


def test_what_is_not_there_is_said_before_anything_is_measured(evalkit: Evalkit, monkeypatch: pytest.MonkeyPatch) -> None:
    found = evalkit("run", "task=hellaswag", "model=fake", "data=samples", "run_dir=out", "track=wandbb")
    assert found.code == 2 and "track=wandbb is unknown; did you mean wandb?" in found.error and not Path("out").exists()
    monkeypatch.setattr("evalkit.extras.find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"track=mlflow needs the package mlflow, which is not installed; run: pip install 'evalkit-harness\[mlflow\]'"
    ):
        checked(["mlflow"])
    assert checked([]) == ()


def test_no_number_is_not_told(make: SimpleNamespace, tmp_path: Path) -> None:
    told = tracked(make.run(make.task("t", make.summary(value=None, stderr=None, ci=None))), "", tmp_path)
    assert told.scores == {"t/acc_n": 200.0} and told.files == ()
