"""Memory below PyTorch: the C library's allocator keeps freed blocks, and pages of a weights file are let go."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Sequence
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGEST = 32 << 20  # glibc refuses a higher threshold
KEPT = 256 << 20  # free memory at the top that is given back all the same


def keep_freed_blocks() -> bool:
    """Serve blocks up to 32 MB from memory the process already has; False where the C library is not glibc.

    Otherwise each is mapped again and zeroed by the kernel page by page, in every layer of every pass.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in ((M_MMAP_THRESHOLD, LARGEST), (M_TRIM_THRESHOLD, KEPT)))


def mapped_files() -> list[range]:
    """Addresses where files are mapped into this process; none where the kernel does not say."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    fields = [line.split(maxsplit=5) for line in lines]  # address, permissions, offset, device, inode, path
    return [range(*(int(end, 16) for end in field[0].split("-"))) for field in fields if field[4] != "0"]


def forget(address: int, size: int, files: Sequence[range]) -> bool:
    """Take whole pages of a mapped file out of the process's memory; read again, they come from the file as it is on disk.

    For what nobody will read again and whose mapping cannot go, because other parts of the file are still in use.
    """
    page = mmap.PAGESIZE
    start, end = -(-address // page) * page, (address + size) // page * page
    if start >= end or not any(start in file and end - 1 in file for file in files):
        return False
    madvise = ctypes.CDLL(None).madvise
    return bool(madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_DONTNEED) == 0)
