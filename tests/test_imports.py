"""What may import what: cheap commands stay cheap, and imports run one way (DESIGN.md)."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "datasets", "pandas", "matplotlib", "evaluate", "sacrebleu", "pyarrow", "bert_score")

# A module imports only from rooms of a lower rank, or from its own room: DESIGN's list, bottom to top.
RANKS = {
    "types": 0,
    "errors": 0,
    "extras": 0.5,
    "network": 0.5,
    "punkt": 1,
    "fonts": 2,
    "identity": 0,
    "pace": 0,
    "progress": 0.5,
    "languages": 0,
    "text": 1,
    "files": 1,
    "paths": 1,
    "stats": 1,
    "sandbox": 1,
    "results": 1,
    "numbers": 2,
    "prompts": 2,
    "data": 2,
    "models": 2,
    "metrics": 2,
    "task": 3,
    "cluster": 3,
    "cards": 3,
    "store": 4,
    "run": 5,
    "compare": 5,
    "rating": 5,
    "gate": 6,
    "exchange": 7,
    "report": 7,
    "config": 7,
    "api": 8,
    "integrations": 9,
    "commands": 10,
    "cli": 11,
    "__main__": 12,
}


def imported_by(statement: str, *argv: str) -> set[str]:
    """Top-level modules loaded in a fresh interpreter once `statement` has run with `argv`."""
    program = (
        "import sys\n"
        f"sys.argv = {['evalkit', *argv]!r}\n"
        f"try:\n    {statement}\n"
        "except SystemExit as stop:\n"
        "    assert stop.code in (None, 0), stop.code\n"
        "import json\n"
        "print('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPO, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("argv", [("--help",), ("ls", "tasks"), ("ls", "models"), ("ls", "suites"), ("ls", "cards")], ids=" ".join)
def test_quick_commands_load_nothing_heavy(argv: tuple[str, ...]) -> None:
    assert not imported_by("from evalkit.cli import main; sys.exit(main())", *argv) & set(HEAVY)


@pytest.mark.parametrize("module", ["evalkit", "evalkit.task", "evalkit.data", "evalkit.prompts", "evalkit.metrics", "evalkit.models"])
def test_rooms_load_nothing_heavy(module: str) -> None:
    assert not imported_by(f"import {module}") & set(HEAVY)


def test_evaluate_is_lazy() -> None:
    there = "'evalkit.api' in sys.modules"
    program = f"import sys, evalkit; print({there}); assert callable(evalkit.evaluate); print({there})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPO)
    assert done.stdout.split() == ["False", "True"], done.stderr


def imports(path: Path, package: str) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import in a file, function bodies included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            # `from evalkit import data` names a room, `from evalkit.data import load` a thing in one.
            yield from ((node.lineno, f"{module}.{alias.name}" if module == "evalkit" else module) for alias in node.names)


def sources(folder: str) -> list[Path]:
    return sorted(path for path in (REPO / folder).rglob("*.py") if "__pycache__" not in path.parts)


def room(path: Path) -> str:
    return path.relative_to(REPO / "evalkit").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sources("evalkit"), ids=lambda path: str(path.relative_to(REPO)))
def test_imports_run_one_way(path: Path) -> None:
    if path == REPO / "evalkit" / "__init__.py":
        return  # its only import of ours is lazy: test_evaluate_is_lazy
    own = room(path)
    assert own in RANKS, f"evalkit/{own} has no rank; decide which rooms it may import and add it to RANKS"
    package = ".".join(path.relative_to(REPO).parent.parts)
    for line, name in imports(path, package):
        top, _, rest = name.partition(".")
        other = rest.partition(".")[0]
        if top == "evalkit" and other not in ("", own, "__version__"):
            assert other in RANKS, f"{path}:{line} imports {name}, which has no rank; tasks and conf are reached by name, not by import"
            assert RANKS[other] < RANKS[own], f"{path}:{line}: {own} must not import {other}"


def test_the_picture_of_the_rooms_is_the_source_s() -> None:
    """`python docs/draw_architecture.py` draws it again."""
    spec = importlib.util.spec_from_file_location("draw_architecture", REPO / "docs" / "draw_architecture.py")
    assert spec and spec.loader
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    assert (REPO / "docs" / "architecture.svg").read_text(encoding="utf-8") == drawing.picture()


def test_only_compose_imports_hydra() -> None:
    users = {
        str(path.relative_to(REPO))
        for path in (*sources("evalkit"), *sources("tasks"))
        for _, name in imports(path, ".".join(path.relative_to(REPO).parent.parts))
        if name.partition(".")[0] == "hydra"
    }
    assert users == {"evalkit/config/compose.py"}


@pytest.mark.parametrize("path", sources("tasks"), ids=lambda path: str(path.relative_to(REPO)))
def test_tasks_import_only_types_text_and_languages(path: Path) -> None:
    # A wheel has them at evalkit/tasks, so this is the package that relative imports start from.
    package = ".".join(("evalkit", *path.relative_to(REPO).parent.parts))
    for line, name in imports(path, package):
        if name.partition(".")[0] in ("evalkit", "tasks", "conf"):
            allowed = name in ("evalkit.types", "evalkit.text", "evalkit.languages", "evalkit.punkt") or name.startswith("evalkit.tasks.")
            assert allowed, f"{path}:{line} imports {name}; a task may import evalkit.types, text, languages, punkt and its neighbours"
