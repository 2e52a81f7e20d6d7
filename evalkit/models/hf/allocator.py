"""The C library's allocator, told to keep freed blocks: every pass asks for the same sizes again."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGEST = 32 << 20  # glibc refuses a higher threshold
KEPT = 256 << 20  # free memory at the top that is given back all the same


def keep_freed_blocks() -> bool:
    """Serve blocks up to 32 MB from memory the process already has; False where the C library is not glibc.

    Otherwise each is mapped anew and zeroed by the kernel page by page, in every layer of every pass.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in ((M_MMAP_THRESHOLD, LARGEST), (M_TRIM_THRESHOLD, KEPT)))
