"""Replicas on a real Ray: the same bytes on any number, and whatever dies, joins, leaves or hangs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from evalkit.cluster import chunks, pool, wire
from evalkit.errors import ConfigError, ModelError

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

REPO = Path(__file__).resolve().parents[2]
TASKS = ["task=[hellaswag,winogrande,gsm8k,nq_open]", "data=samples", "progress=none"]
ODD = "model._target_=tests.cluster.models.Odd"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of two processors each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    made.add_node(num_cpus=2)
    ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many chunks from few documents, and looks often enough for a test."""
    monkeypatch.setattr(chunks, "CHUNK_TOKENS", 2500)
    monkeypatch.setattr(chunks, "CHUNK_TEXTS", 3)
    monkeypatch.setattr(pool, "LOOK_S", 0.1)
    monkeypatch.setattr(pool, "NODES_S", 0.3)


def measure(folder: Path, *words: str) -> Path:
    from evalkit import cli

    code = cli.main(["run", *TASKS, "model=fake", f"run_dir={folder}", "cluster=ray", *words])
    assert code == 0
    return folder


def kept(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("scores.json", "samples.jsonl", "journal.jsonl")}


def told(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text())["model"]["cluster"]


@pytest.fixture(scope="module")
def expected(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one undisturbed replica writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_TOKENS", 2500)
        patch.setattr(chunks, "CHUNK_TEXTS", 3)
        return kept(measure(tmp_path_factory.mktemp("one") / "run", "cluster.replicas=1"))


def replicas() -> list[psutil.Process]:
    """The processes of all replicas on this machine."""
    return [p for p in psutil.process_iter(["cmdline"]) if any("ray::Replica" in part for part in p.info["cmdline"] or ())]


@pytest.mark.parametrize("count", [2, 4])
def test_the_same_bytes_on_any_number(cluster: Any, expected: dict[str, bytes], tmp_path: Path, count: int) -> None:
    folder = measure(tmp_path / "run", f"cluster.replicas={count}", "model.delay=0.02")
    assert kept(folder) == expected
    about = told(folder)
    assert 1 <= len(about["replicas"]) <= count  # on a busy machine the last ones come too late
    assert about["deaths"] == 0 and about["engine"].startswith("ray ")
    assert {"node", "device", "seconds", "tokens_per_second"} <= about["replicas"][0].keys()


def test_a_run_goes_on_with_another_number(cluster: Any, expected: dict[str, bytes], tmp_path: Path) -> None:
    folder = measure(tmp_path / "run", "cluster.replicas=1")
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[::3]))
    assert kept(measure(folder, "cluster.replicas=3")) == expected
    counts = json.loads((folder / "manifest.json").read_text())["counts"]
    assert counts["reused"] == len(lines[::3]) and counts["measured"] == len(lines) - len(lines[::3])
    assert kept(measure(folder, "cluster.replicas=2")) == expected  # nothing is left: no replica is started


def test_random_kills_lose_nothing(cluster: Any, expected: dict[str, bytes], tmp_path: Path) -> None:
    """Six of them at most: where a replica takes longer to start than passes between two kills, the run would never end."""
    chance, stop = random.Random(7), threading.Event()
    earlier = {process.pid for process in replicas()}  # ends with the test before; a process that only waits may be older and become ours

    def killer() -> None:
        kills = 0
        while kills < 6 and not stop.wait(chance.uniform(0.4, 1.2)):
            if found := [process for process in replicas() if process.pid not in earlier]:
                os.kill(chance.choice(found).pid, signal.SIGKILL)
                kills += 1

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("evalkit.cluster.dispatch.TRIES", 10**6)
            patch.setattr(pool, "STARTS", 10**6)
            folder = measure(tmp_path / "run", "cluster.replicas=3", "model.batch_size=1", "model.delay=0.15")
    finally:
        stop.set()
        thread.join()
    assert kept(folder) == expected
    assert told(folder)["deaths"] >= 1


@pytest.mark.skipif(
    not os.environ.get("EVALKIT_TEST_SLOW"),
    reason="a node has to join in time, which a busy machine cannot promise: EVALKIT_TEST_SLOW=1 runs it",
)
def test_nodes_join_and_leave(cluster: Any, expected: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    running = threading.Thread(target=measure, args=(folder, "cluster.replicas=auto", "model.batch_size=1", "model.delay=0.4"))
    running.start()  # Ray's test cluster can only be changed from the main thread
    time.sleep(1.5)
    joined = cluster.add_node(num_cpus=1)
    time.sleep(2.5)
    cluster.remove_node(joined, allow_graceful=False)
    running.join()
    assert kept(folder) == expected
    assert len(told(folder)["replicas"]) >= 5


def odd(folder: Path, *words: str) -> Path:
    return measure(folder, ODD, "~model.batch_size", "~model.seed", *words)


def scored(folder: Path) -> dict[str, int]:
    scores = json.loads((folder / "scores.json").read_text())
    return {name: task["summaries"][task["headline"]]["n"] for name, task in scores["tasks"].items()}


@pytest.mark.parametrize("how", ["raise", "silent"])
def test_one_document_that_fails_is_named_and_counted(cluster: Any, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = odd(tmp_path / "run", "+model.at=gsm8k/test/3", f"+model.how={how}", "cluster.replicas=2")
    assert scored(folder)["gsm8k"] == 11 and scored(folder)["hellaswag"] == 12
    assert "1 of" in caplog.text and ("cannot read gsm8k/test/3" in caplog.text) is (how == "raise")


def test_a_document_that_kills_replicas_costs_its_chunk_alone(cluster: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = odd(tmp_path / "run", "+model.at=gsm8k/test/3", "+model.how=die", "cluster.replicas=2")
    assert 9 <= scored(folder)["gsm8k"] <= 11 and scored(folder)["nq_open"] == 12
    assert told(folder)["deaths"] == 3 and "3 replicas died while they answered it" in caplog.text


def test_a_replica_that_hangs_is_replaced(cluster: Any, expected: dict[str, bytes], tmp_path: Path) -> None:
    words = ["+model.at=gsm8k/test/3", "+model.how=hang", f"+model.once={tmp_path / 'once'}"]
    folder = odd(tmp_path / "run", *words, "cluster.replicas=1", "cluster.patience=3")
    assert kept(folder) == expected and told(folder)["deaths"] == 1


def test_the_end_does_not_wait_for_one_that_hangs(cluster: Any, expected: dict[str, bytes], tmp_path: Path) -> None:
    words = ["+model.at=gsm8k/test/3", "+model.how=hang", f"+model.once={tmp_path / 'once'}"]
    folder = odd(tmp_path / "run", *words, "cluster.replicas=2")
    assert kept(folder) == expected and told(folder)["chunks_asked_twice"] == 1


def test_a_full_object_store_is_waited_for_and_named(
    cluster: Any,
    expected: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What Ray raises where neither its memory nor the disk behind it has room for a chunk."""
    left, real = [2, 10**9], wire.pack_items

    def full(items: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise ray.exceptions.OutOfDiskError
        return real(items)

    monkeypatch.setattr(pool, "pack_items", full)
    assert kept(measure(tmp_path / "run", "cluster.replicas=1")) == expected
    assert caplog.text.count("object store is full") == 1
    left.pop(0)
    from evalkit import cli

    words = ["run", *TASKS, "model=fake", f"run_dir={tmp_path / 'never'}", "cluster=ray", "cluster.replicas=1", "cluster.patience=0.3"]
    assert cli.main(words) == ModelError.exit_code
    assert "--object-store-memory" in capsys.readouterr().err.splitlines()[-1]


def test_a_model_that_cannot_be_loaded_is_one_line(cluster: Any, tmp_path: Path) -> None:
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.run import measure as room

    words = [*TASKS, "model=fake", ODD, "~model.batch_size", "~model.seed", "+model.fails='weights are damaged'", "cluster=ray"]
    setup = build(compose([*words, "cluster.replicas=2"]))
    with pytest.raises(ModelError, match="weights are damaged"):
        room.run(setup.model(), list(setup.tasks.values()), setup.source)
    assert not replicas() or (time.sleep(3) is None and not replicas())


def test_versions_and_weights_must_agree(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.cluster import replica
    from evalkit.config.compose import compose
    from evalkit.config.setup import build
    from evalkit.run import measure as room

    setup = build(compose([*TASKS, "model=fake", "cluster=ray", "cluster.replicas=1"]))
    here = {**replica.versions(), "torch": "0.0.1"}
    with monkeypatch.context() as patch:
        patch.setattr(pool, "versions", lambda: here)
        with pytest.raises(ConfigError, match=r"torch .*not 0\.0\.1 as here"):
            room.run(setup.model(), list(setup.tasks.values()), setup.source)
    model = setup.model()
    model._local.seed = 5  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="fingerprint fake-0, here fake-5"):
        room.run(model, list(setup.tasks.values()), setup.source)


def test_no_cluster_at_the_address() -> None:
    program = "from evalkit.cli import main; raise SystemExit(main())"
    words = ["run", "task=hellaswag", "data=samples", "model=fake", "cluster=ray", "cluster.address=127.0.0.1:1"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=REPO, timeout=300)
    assert done.returncode == 2 and "no Ray cluster answers there" in done.stderr, done.stderr


def test_a_killed_driver_leaves_no_process_and_the_same_command_continues(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """On its own Ray, with the real sizes of chunks: kill -9 in the middle."""
    program = (
        "from evalkit.cluster import chunks; chunks.CHUNK_TOKENS, chunks.CHUNK_TEXTS = 2500, 3\n"
        "from evalkit.cli import main; raise SystemExit(main())"
    )
    words = ["run", *TASKS, "model=fake", "model.batch_size=1", f"run_dir={tmp_path / 'run'}", "cluster=ray", "cluster.replicas=2"]
    before = {p.pid for p in replicas()}
    driver = subprocess.Popen([sys.executable, "-c", program, *words, "model.delay=0.3"], cwd=REPO, stderr=subprocess.DEVNULL)
    journal = tmp_path / "run" / "journal.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.1)
    driver.kill()
    driver.wait()
    answered = len(journal.read_bytes().splitlines())
    assert 0 < answered < 48
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and {p.pid for p in replicas()} - before:
        time.sleep(0.2)
    assert not {p.pid for p in replicas()} - before
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=REPO, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "run") == expected
