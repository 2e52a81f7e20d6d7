"""`evalkit.evaluate` is the command line's own run, from Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import evalkit as package
from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.data import SamplesSource
from evalkit.errors import ConfigError, ModelError
from evalkit.models.fake import FakeModel
from evalkit.store.scores import to_json


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_give_the_command_lines_scores(evalkit: Callable[..., object], tmp_path: Path) -> None:
    evalkit("run", "task=[hellaswag,gsm8k]", "model=fake", "data=samples", "limit=5")
    (folder,) = (tmp_path / "results/runs").iterdir()
    result = package.evaluate("fake", ["hellaswag", "gsm8k"], limit=5, data="samples", progress=False)
    assert to_json(result) == (folder / "scores.json").read_text()
    assert result.path is not None and result.path.resolve() == folder.resolve() and result.complete
    assert result.manifest["counts"] == {"asked": 10, "reused": 10, "measured": 0}
    assert result.tasks["hellaswag"].score.n == 5


def test_objects_stay_in_memory_and_give_the_same(here: Path) -> None:
    named = package.evaluate("fake", "hellaswag", data="samples", run_dir=here / "run", progress=False)
    task = build(compose(["task=hellaswag"])).tasks["hellaswag"]
    result = package.evaluate(FakeModel(), task, data=SamplesSource(), progress=False)
    assert to_json(result) == to_json(named) and result.path is None
    assert "tasks" not in result.manifest["config"] and result.manifest["config"]["model"] == {"name": "fake"}
    assert [p.name for p in here.iterdir()] == ["run"]


def test_a_model_object_keeps_its_answers_where_told(here: Path, evalkit: Callable[..., object]) -> None:
    package.evaluate(FakeModel("mine", seed=3), ["hellaswag"], data="samples", run_dir="run", progress=False)
    again = package.evaluate(FakeModel("mine", seed=3), ["hellaswag"], data="samples", run_dir="run", progress=False)
    assert again.manifest["counts"]["reused"] == 12
    scores = (here / "run/scores.json").read_text()
    said = evalkit("score", "run")
    assert said.code == 0 and (here / "run/scores.json").read_text() == scores  # type: ignore[attr-defined]
    assert json.loads(scores)["model"] == "mine"


def test_shots_languages_and_what_a_notebook_shows(here: Path) -> None:
    run = package.evaluate("fake", "hellaswag", data="samples", num_fewshot=0, progress=False, limit=4)
    score = run.tasks["hellaswag"].score
    assert str(score) == "acc_norm 0.250, 95% interval 0.046 to 0.699, of 4 documents"
    table = run._repr_html_()
    assert "<td" in table and "0.250 [0.046, 0.699]" in table and "sample rows, not the benchmark" in table and "<script" not in table
    frame = run.to_frame()
    assert frame[frame["headline"].astype(bool) & (frame["level"] == "all")]["value"].tolist() == [0.25]
    task = build(compose(["task=gsm8k"])).tasks["gsm8k"]
    shots = package.evaluate(FakeModel(), [task, "mmlu"], data="samples", num_fewshot=3, progress=False, limit=2)
    assert [result.num_fewshot for result in shots.tasks.values()] == [3, 3]
    indic = package.evaluate("fake", "flores_in_en_xx", data="samples", languages=["hi"], progress=False, limit=2)
    assert list(indic.tasks["flores_in_en_xx"].score.groups) in ([], ["hi"]) and indic.tasks["flores_in_en_xx"].n_docs == 2
    suite = package.evaluate("fake", [], data="samples", overrides=["suite=flores_in"], num_fewshot=0, limit=1, progress=False)
    assert {result.num_fewshot for result in suite.tasks.values()} == {0} and len(suite.tasks) == 2


def test_what_does_not_fit_an_object_is_refused(here: Path) -> None:
    task = build(compose(["task=gsm8k"])).tasks["gsm8k"]
    with pytest.raises(ConfigError, match="languages= is for tasks by name"):
        package.evaluate("fake", task, data="samples", languages=["hi"])
    with pytest.raises(ConfigError, match="system= is for a model by name"):
        package.evaluate(FakeModel(), "gsm8k", data="samples", system="Be brief.")
    with pytest.raises(ConfigError, match=r"has no setting 'system'"):
        package.evaluate("fake", "gsm8k", data="samples", system="Be brief.")


def test_overrides_count(here: Path) -> None:
    words = ["tasks.hellaswag.headline=acc", "limit=3", "model.seed=4"]
    result = package.evaluate("fake", "hellaswag", data="samples", overrides=words, progress=False, run_dir="run")
    assert result.tasks["hellaswag"].headline == "acc" and result.tasks["hellaswag"].n_docs == 3
    assert result.manifest["model"]["fingerprint"] == "fake-4"


def test_tasks_of_python_only_say_so_when_scored_again(here: Path, evalkit: Callable[..., object]) -> None:
    task = build(compose(["task=hellaswag"])).tasks["hellaswag"]
    package.evaluate(FakeModel(), [task], data="samples", run_dir="run", progress=False)
    said = evalkit("score", "run")
    assert said.code == 2 and "score it from Python" in said.error  # type: ignore[attr-defined]


def test_a_checkpoint_folder_with_a_difficult_name(here: Path, tiny: Callable[..., Path]) -> None:
    odd = here / "a b, [c] = 'd'"
    odd.symlink_to(tiny())
    result = package.evaluate(str(odd), "winogrande", limit=2, data="samples", progress=False)
    assert result.model == odd.name and result.tasks["winogrande"].score.n == 2


def test_progress_is_lines_when_nobody_watches(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package.evaluate("fake", "hellaswag", data="samples")
    captured = capsys.readouterr()
    assert captured.err.startswith("12 requests to answer; tokens: ") and "12 requests answered in 1 s" in captured.err and not captured.out


def test_a_suite(here: Path) -> None:
    result = package.evaluate("fake", [], data="samples", overrides=["suite=foundation", "limit=1"], progress=False)
    assert len(result.tasks) == 7 and result.path is not None


def test_mistakes(here: Path) -> None:
    for model, tasks, says in [
        ("fake", "helaswag", "did you mean hellaswag"),
        ("fakee", "mmlu", "did you mean fake"),
        ("fake", [], "no task"),
    ]:
        with pytest.raises(ConfigError, match=says):
            package.evaluate(model, tasks, data="samples", progress=False)
    with pytest.raises(ConfigError, match="limit=0"):
        package.evaluate("fake", "mmlu", limit=0, data="samples", progress=False)
    with pytest.raises(ModelError, match="does not exist"):
        package.evaluate("./nowhere", "mmlu", data="samples", progress=False)
    assert not list(here.iterdir())


def test_inside_an_initialised_hydra(here: Path) -> None:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    (here / "own").mkdir()
    (here / "own/mine.yaml").write_text("answer: 42\n")
    with initialize_config_dir(version_base="1.3", config_dir=str(here / "own")):
        result = package.evaluate("fake", "hellaswag", data="samples", progress=False, run_dir=here / "run")
        with pytest.raises(ConfigError):
            package.evaluate("fake", "helaswag", data="samples", progress=False)
        assert result.complete and compose("mine").answer == 42
    assert not GlobalHydra.instance().is_initialized()
