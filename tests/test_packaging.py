"""The wheel is self-contained: built, installed in an empty environment, run from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow

# Follows the developers' site-packages for third-party packages only: `addsitedir` is not called,
# so that the .pth file of the editable install is not read and the checkout stays out of sight.
BORROW = "import sys; sys.path.append({path!r})\n"


def call(command: list[str], cwd: Path) -> str:
    """Standard output of a command in a clean environment; its error text on failure."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "EVALKIT_DATA")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPO)], cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel, and borrows only what it depends on."""
    folder = tmp_path_factory.mktemp("environment")
    call([sys.executable, "-m", "venv", "--without-pip", str(folder)], cwd=folder)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin" / "python")]
    call([*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)], cwd=folder)
    (site / "borrowed.pth").write_text(BORROW.format(path=sysconfig.get_path("purelib")), encoding="utf-8")
    return folder / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    return folder


def test_wheel_puts_nothing_beside_the_package(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"evalkit"}


@pytest.mark.parametrize(
    ("folder", "packed", "pattern"),
    [
        ("evalkit", "evalkit", "**/*.py"),
        ("evalkit", "evalkit", "py.typed"),
        ("tasks", "evalkit/tasks", "**/*.py"),
        ("tasks/samples", "evalkit/tasks/samples", "**/*.jsonl"),
        ("tasks/ruler/haystacks", "evalkit/tasks/ruler/haystacks", "*.txt"),
        ("tasks/ruler/languages", "evalkit/tasks/ruler/languages", "*.toml"),
        ("conf", "evalkit/conf", "**/*.yaml"),
        ("results/published", "evalkit/results_published", "*/card.yaml"),
        ("results/published", "evalkit/results_published", "*/cells.csv"),
        ("evalkit/rating", "evalkit/rating", "*.csv"),
        ("evalkit/rating", "evalkit/rating", "*.jsonl"),
        ("evalkit/rating/page", "evalkit/rating/page", "*.[chj]*"),
    ],
)
def test_wheel_carries(names: set[str], folder: str, packed: str, pattern: str) -> None:
    files = {path.relative_to(REPO / folder).as_posix() for path in (REPO / folder).glob(pattern)}
    assert files, f"{folder} holds no {pattern}"
    assert {f"{packed}/{name}" for name in files} <= names


def test_wheel_carries_the_licence(names: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_installed_package_finds_its_own_folders(installed: Path, elsewhere: Path) -> None:
    program = (
        "import evalkit, pathlib, evalkit.tasks.hellaswag\n"
        "from evalkit.paths import conf_dir, published_dir, tasks_dir\n"
        "home = pathlib.Path(evalkit.__file__).parent\n"
        "print([folder.relative_to(home).as_posix() for folder in (conf_dir(), tasks_dir(), published_dir())], home)\n"
    )
    text = call([str(installed / "python"), "-c", program], cwd=elsewhere)
    assert text.startswith("['conf', 'tasks', 'results_published']")
    assert str(REPO / "evalkit") not in text


@pytest.mark.parametrize("argv", [["--help"], ["ls", "tasks"], ["ls", "models"], ["ls", "suites"], ["ls", "cards"]], ids=" ".join)
def test_installed_command_answers(installed: Path, elsewhere: Path, argv: list[str]) -> None:
    text = call([str(installed / "evalkit"), *argv], cwd=elsewhere)
    assert {"--help": "run", "ls tasks": "hellaswag", "ls models": "smollm2_135m", "ls suites": "demo", "ls cards": "krutrim2_hf"}[
        " ".join(argv)
    ] in text


def test_installed_module_answers(installed: Path, elsewhere: Path) -> None:
    assert call([str(installed / "python"), "-m", "evalkit", "--version"], cwd=elsewhere).startswith("evalkit ")


def test_installed_command_runs_a_task(installed: Path, elsewhere: Path) -> None:
    text = call([str(installed / "evalkit"), "run", "task=hellaswag", "model=fake", "data=samples"], cwd=elsewhere)
    assert "hellaswag" in text.lower()
    assert "sample rows, not the benchmark" in text


def test_checkout_finds_its_folders() -> None:
    program = "from evalkit.paths import conf_dir, published_dir, tasks_dir\nprint(conf_dir(), tasks_dir(), published_dir(), sep='\\n')\n"
    found = call([sys.executable, "-c", program], cwd=REPO).split()
    assert found == [str(REPO / "conf"), str(REPO / "tasks"), str(REPO / "results" / "published")]
