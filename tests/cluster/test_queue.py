"""A sweep on a queue: submitit's local executor always, a real one-node Slurm with `make test-slurm`."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
REPO = Path(__file__).resolve().parents[2]
PROGRAM = "from evalkit.cli import main; raise SystemExit(main())"
WORDS = ["run", "-m", "task=[hellaswag,gsm8k]", "data=samples", "model=fake", "model.seed=1,2", "progress=none"]
SLURM = ["slurmctld", "slurmd", "sbatch", "munged"]
CONF = """\
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
KillWait=2
SchedulerParameters=sched_interval=1,requeue_delay=1
NodeName={host} CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def start(folder: Path, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, *WORDS, f"results_dir={folder}", *words]
    return subprocess.Popen(command, cwd=REPO, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **(env or {})})


def kept(folder: Path) -> dict[str, bytes]:
    names = ("scores.json", "samples.jsonl", "journal.jsonl")
    return {f"{run.name}/{name}": (run / name).read_bytes() for run in sorted(folder.glob("fake-*")) for name in names}


def jobs(folder: Path) -> list[dict[str, object]]:
    (sweep,) = (folder / ".sweeps").iterdir()
    return [json.loads(text) for text in (sweep / "jobs.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("plain")
    process = start(folder)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return kept(folder)


def test_a_job_per_model_and_where_its_logs_are(tmp_path: Path, expected: dict[str, bytes]) -> None:
    process = start(tmp_path, "hydra/launcher=submitit_local")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    logs = next(line.split(": ", 1)[1] for line in err.splitlines() if line.startswith("the jobs' logs"))
    assert len([entry for entry in Path(logs).iterdir() if entry.is_dir()]) >= 2
    assert kept(tmp_path) == expected and len(expected) == 6
    assert {str(job["folder"]) for job in jobs(tmp_path)} == {str(run) for run in tmp_path.glob("fake-*")}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Slurm of one node: this machine."""
    if not os.environ.get("EVALKIT_TEST_SLURM"):
        pytest.skip("make test-slurm runs these, as root, with Debian's slurm-wlm and munge")
    assert all(map(shutil.which, SLURM)), "apt-get install slurm-wlm munge"
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    host = platform.node().partition(".")[0]
    (folder / "slurm.conf").write_text(CONF.format(host=host, folder=folder, cpus=os.cpu_count()))
    env = {"SLURM_CONF": str(folder / "slurm.conf")}
    Path("/run/munge").mkdir(exist_ok=True)
    shutil.chown("/run/munge", "munge", "munge")
    if subprocess.run(["pgrep", "-x", "munged"], capture_output=True).returncode:
        subprocess.run(["runuser", "-u", "munge", "--", "munged", "--force"], check=True, capture_output=True)
    for daemon in ("slurmctld", "slurmd"):
        subprocess.run([daemon], check=True, env={**os.environ, **env})
    yield env
    for daemon in ("slurmctld", "slurmd"):
        os.kill(int((folder / f"{daemon}.pid").read_text()), 15)


@pytest.mark.parametrize("stop", ["requeue", "USR2"])
def test_two_models_one_of_them_preempted(slurm: dict[str, str], tmp_path: Path, expected: dict[str, bytes], stop: str) -> None:
    """The queue takes the processor away (SIGTERM, then SIGKILL) or warns first (SIGUSR2); the job goes on where it was."""

    def call(*words: str) -> str:
        return subprocess.run(words, check=True, capture_output=True, text=True, env={**os.environ, **slurm}).stdout

    words = [
        "hydra/launcher=submitit_slurm",
        "hydra.launcher.timeout_min=5",
        "hydra.launcher.cpus_per_task=1",
        "hydra.launcher.max_num_timeout=3",
    ]
    process = start(tmp_path, *words, "model.delay=0.7", "model.batch_size=1", env=slurm)
    deadline = time.monotonic() + 120
    journals: list[Path] = []
    while time.monotonic() < deadline and not any(len(path.read_bytes().splitlines()) >= 4 for path in journals):
        journals = list(tmp_path.glob("fake-*/journal.jsonl"))
        time.sleep(0.1)
    running = call("squeue", "--noheader", "--states=RUNNING", "--format=%i").split()
    assert running and not list(tmp_path.glob("fake-*/scores.json"))
    call("scontrol", "requeue", running[0]) if stop == "requeue" else call("scancel", "--signal=USR2", running[0])
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert kept(tmp_path) == expected
    assert "Restarts=1" in call("scontrol", "show", "job", running[0].partition("_")[0])
    manifests = [json.loads(path.read_text()) for path in tmp_path.glob("fake-*/manifest.json")]
    assert any(manifest["counts"]["reused"] >= 4 for manifest in manifests)


def test_one_job_over_nodes_as_the_page_says(slurm: dict[str, str], tmp_path: Path) -> None:
    """The script of docs/scale.md, letter by letter but for the size of the job and the model."""
    pytest.importorskip("ray")
    page = (REPO / "docs" / "scale.md").read_text(encoding="utf-8")
    script = page.partition("```bash\n")[2].partition("```")[0]
    lines = script.splitlines()
    assert lines[1].startswith("#SBATCH --nodes=4") and lines[-1].startswith("evalkit run card=krutrim2 model=krutrim2_12b ")
    lines[1] = "#SBATCH --nodes=1 --ntasks-per-node=1 -c 2"
    words = "'task=[hellaswag,gsm8k]' data=samples model=fake progress=none"
    lines[-1] = lines[-1].replace("card=krutrim2 model=krutrim2_12b", f"{words} run_dir={tmp_path / 'run'}")
    (tmp_path / "job.sh").write_text("\n".join(lines) + "\n")
    env = {**os.environ, **slurm, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    log = tmp_path / "log"
    done = subprocess.run(
        ["sbatch", "--wait", f"--output={log}", str(tmp_path / "job.sh")], env=env, cwd=REPO, timeout=300, capture_output=True
    )
    assert done.returncode == 0, log.read_text()
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["model"]["cluster"]["replicas"] and json.loads((tmp_path / "run" / "scores.json").read_text())["complete"]
