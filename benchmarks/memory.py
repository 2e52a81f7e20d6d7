"""Memory of this process. Imports nothing of evalkit's: the peer's processes read it too."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_mb() -> float:
    """The largest resident size so far, in MB of 2^20 bytes. Linux counts into `ru_maxrss` what the parent held when it
    started us, so there the kernel's own mark of this address space is read."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1024 * 1024 if sys.platform == "darwin" else 1024)


def available_mb() -> float | None:
    """What may still be taken without swapping, where the system says."""
    info = Path("/proc/meminfo")
    if not info.exists():
        return None
    return next((int(line.split()[1]) / 1024 for line in info.read_text().splitlines() if line.startswith("MemAvailable:")), None)


def limit_memory(size_mb: float | None) -> None:
    """Make an allocation that goes too far an error here instead of the end of some process on this machine."""
    if size_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (int(size_mb) << 20, resource.RLIM_INFINITY))
