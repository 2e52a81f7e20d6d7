"""What others may import from `evalkit`, and the ways to start it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import evalkit

PUBLIC = {"__version__", "evaluate"}


def test_the_public_names() -> None:
    """A name that comes or goes is a change for everybody who imports us; this list is changed with it."""
    assert set(evalkit.__all__) == PUBLIC and set(evalkit.__all__) <= set(dir(evalkit))
    assert all(getattr(evalkit, name) is not None for name in PUBLIC)


def test_names_that_are_not_ours_say_so() -> None:
    try:
        _ = evalkit.evalute
    except AttributeError as error:
        assert "evalute" in str(error)
    else:
        raise AssertionError("a misspelt name was found")


def test_python_m_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "evalkit", "--version"], capture_output=True, text=True, check=False)
    assert done.stdout == f"evalkit {evalkit.__version__}\n" and done.returncode == 0
    wrong = subprocess.run([sys.executable, "-m", "evalkit", "rnu"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: unknown command 'rnu'")


def test_the_citation_names_this_version() -> None:
    import yaml

    cited = yaml.safe_load((Path(__file__).resolve().parents[1] / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == evalkit.__version__ and cited["title"] == "evalkit" and cited["license"] == "Apache-2.0"
