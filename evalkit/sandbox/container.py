"""The same fork server in a container, for machines where bubblewrap cannot work; engine and image are the user's choice."""

from __future__ import annotations

import shutil

from evalkit.sandbox.base import SandboxError
from evalkit.sandbox.bubblewrap import INSIDE
from evalkit.sandbox.worker import Launch

# The fork server makes namespaces for every program, then drops this capability in the program's process.
NEEDED = ("SYS_ADMIN", "SETPCAP")


def launch(engine: str, image: str) -> Launch:
    """Raises SandboxError when the engine is not installed."""
    if not shutil.which(engine):
        raise SandboxError(f"sandbox.engine={engine}: no such program on PATH; give docker or podman")
    command = [
        engine, "run", "--rm", "--interactive", "--network", "none", "--read-only", "--tmpfs", "/tmp:ro", "--user", "65534:65534",
        "--cap-drop", "ALL", *(word for name in NEEDED for word in ("--cap-add", name)),
        "--security-opt", "no-new-privileges", "--volume", f"{INSIDE}:/sandbox:ro",
        "--env", "PYTHONHASHSEED=0", image, "python3", "-I", "-S", "-B", "-X", "utf8", "/sandbox", "--namespaces",
    ]  # fmt: skip
    return Launch(command, f"container ({engine})", f"see that `{engine} run {image} python3 --version` works and is 3.11 or newer")
