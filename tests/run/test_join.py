"""Parts of one run, measured separately and joined: the same bytes as the whole, and nothing contradictory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit import cli
from evalkit.cluster import chunks
from evalkit.cluster.model import RayCluster
from evalkit.errors import ConfigError
from evalkit.models.fake import FakeModel

WORDS = ["run", "task=[hellaswag,gsm8k,nq_open]", "data=samples", "model=fake", "progress=none"]
FILES = ("scores.json", "samples.jsonl", "journal.jsonl")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_TOKENS", 2500)
    monkeypatch.setattr(chunks, "CHUNK_TEXTS", 3)


def run(folder: Path, *words: str) -> Path:
    assert cli.main([*WORDS, f"run_dir={folder}", *words]) == 0
    return folder


def merged(*words: object) -> int:
    return cli.main(["merge", *map(str, words)])


def kept(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_parts_make_the_bytes_of_the_whole(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", "shard=1/1")
    parts = [run(tmp_path / f"part{i}", f"shard={i}/3") for i in (1, 2, 3)]
    sizes = [len((part / "journal.jsonl").read_bytes().splitlines()) for part in parts]
    assert sum(sizes) == 36 and min(sizes) > 4
    assert merged(*reversed(parts), f"into={tmp_path / 'joined'}") == 0
    assert kept(tmp_path / "joined") == kept(whole)
    assert merged(*parts, f"into={tmp_path / 'joined'}") == 0  # again: nothing changes
    assert kept(tmp_path / "joined") == kept(whole)
    # The joined run is a run: its command finds nothing left to ask.
    run(tmp_path / "joined")
    assert json.loads((tmp_path / "joined" / "scores.json").read_text())["complete"]


def test_a_missing_part_is_counted_not_scored_as_wrong(tmp_path: Path) -> None:
    part = run(tmp_path / "part", "shard=1/2")
    assert merged(part, f"into={tmp_path / 'joined'}") == 0
    held: Any = json.loads((tmp_path / "joined" / "scores.json").read_text())
    assert held["complete"] is False and sum(task["counts"].get("unanswered", 0) for task in held["tasks"].values()) > 0
    # and the other half of the work continues it
    run(tmp_path / "joined")
    assert json.loads((tmp_path / "joined" / "scores.json").read_text())["complete"]


def test_runs_of_other_tasks_join(tmp_path: Path) -> None:
    one = run(tmp_path / "one", "task=[hellaswag]")
    two = run(tmp_path / "two", "task=[gsm8k,hellaswag]")
    assert merged(one, two, f"into={tmp_path / 'joined'}") == 0
    assert list(json.loads((tmp_path / "joined" / "scores.json").read_text())["tasks"]) == ["hellaswag", "gsm8k"]


def test_two_answers_to_one_request_are_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from evalkit.store.journal import Journal
    from evalkit.types import Response

    one, two = run(tmp_path / "one"), run(tmp_path / "two")
    key = json.loads((two / "plan.jsonl").read_text().splitlines()[-1])["keys"][0]
    (two / "journal.jsonl").unlink()
    with Journal(two) as journal:
        journal.append([Response(key, "ok", text="something else")])
    assert merged(one, two, f"into={tmp_path / 'joined'}") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "two different answers to nq_open/" in error and str(one) in error and str(two) in error and key in error
    assert not (tmp_path / "joined" / "scores.json").exists()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that nothing below changes."""
    folder = tmp_path_factory.mktemp("two")
    return {"run": run(folder / "run"), "other": run(folder / "other", "limit=3")}


@pytest.mark.parametrize(
    ("words", "said"),
    [(["model.seed=3"], "model.seed: 0, now 3"), (["limit=5"], "limit: null, now 5"), (["tasks.gsm8k.num_fewshot=2"], "num_fewshot")],
)
def test_runs_that_are_no_parts_of_one_are_refused(
    two: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    other = run(tmp_path / "two", *words)
    assert merged(two["run"], other, f"into={tmp_path / 'joined'}") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "not parts of one run" in error and said in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{run}"], "needs run directories and into=DIR"),
        (["into={out}"], "needs run directories and into=DIR"),
        (["{run}", "inot={out}"], "did you mean into?"),
        (["{out}", "into={out}"], "no identity.json"),
        (["{run}", "into={other}"], "holds another run"),
    ],
)
def test_wrong_words(two: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    place = {**two, "out": tmp_path / "out"}
    assert merged(*(word.format(**place) for word in words)) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/0"])
def test_no_such_part(tmp_path: Path, capsys: pytest.CaptureFixture[str], shard: str) -> None:
    assert cli.main([*WORDS, f"run_dir={tmp_path}", f"shard={shard}"]) == 2
    assert "give shard=1/8" in capsys.readouterr().err


def test_a_part_is_without_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*WORDS, f"run_dir={tmp_path}", "shard=1/2", "cluster=ray"]) == 2
    assert "without a cluster" in capsys.readouterr().err


def test_a_ceiling_of_costs_is_not_spent_once_per_replica() -> None:
    with pytest.raises(ConfigError, match="every replica would spend it"):
        RayCluster(replicas=2).model(FakeModel, "x", {"max_cost": 1.0})
