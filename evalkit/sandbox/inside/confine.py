"""What a process gives up before it runs code of others: files, processes, capabilities, system calls, resources."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import stat
import struct
import sys
from typing import Any

import seccomp

NEWNS, NEWPID = 0x00020000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_RELATIME = 1, 2, 4, 32, 4096, 1 << 14, 1 << 18, 1 << 21
ST_KEPT, ST_RELATIME = 8 | 1024 | 2048, 4096  # noexec, noatime, nodiratime: the same bits as for mount(2)
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_DUMPABLE, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 1, 24, 4, 47, 4
CAPABILITIES_V3 = 0x20080522
LAST_CAPABILITY = 63
FILES = 4096  # files and folders in the temporary folder

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raises OSError naming the call that failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def private_mounts() -> None:
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "making mounts private")


def read_only_devices() -> None:
    """Data may still be written to them, but root outside, who owns them, cannot change their mode for everybody."""
    for name in os.listdir("/dev"):
        path, flags = f"/dev/{name}", os.statvfs(f"/dev/{name}").f_flag
        kept = (flags & ST_KEPT) | (MS_RELATIME if flags & ST_RELATIME else 0)
        if stat.S_ISCHR(os.stat(path).st_mode) and os.path.ismount(path):
            options = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | kept
            check(libc.mount(None, path.encode(), None, options, None), f"making {path} read-only")


def next_child_in_new_pid_namespace() -> None:
    check(libc.unshare(NEWPID), "unshare(CLONE_NEWPID)")


def children_here_again(myself: int) -> None:
    """`myself`: a pidfd of this process. Undoes the above for later children (Linux 5.8 and newer)."""
    check(libc.setns(myself, NEWPID), "setns(CLONE_NEWPID)")


def confine(limits: dict[str, Any], filter_program: bytes | None, namespaces: bool) -> None:
    """Called once in a fresh child, before any code of others.

    Raises:
        OSError: a step failed; nothing may then be run.
    """
    os.setsid()  # its own process group: kill(0, …) reaches nobody else
    if namespaces:
        check(libc.unshare(NEWNS), "unshare(CLONE_NEWNS)")
        options = f"size={limits['folder_bytes']},nr_inodes={FILES},mode=0700"
        check(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", MS_NOSUID | MS_NODEV, options.encode()), "mounting the temporary folder")
    for name, value in (
        ("CPU", int(limits["seconds"]) + 2),
        ("AS", limits["memory_bytes"]),
        ("FSIZE", limits["folder_bytes"]),
        ("NOFILE", limits["open_files"]),
        ("CORE", 0),
        ("MEMLOCK", 0),
        ("MSGQUEUE", 0),
        *((("NPROC", limits["threads"]),) if limits["threads"] else ()),
    ):
        number = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    drop_capabilities()
    if filter_program is not None:
        seccomp.install(filter_program)
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        stream = os.fdopen(fd, "r" if fd == 0 else "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def drop_capabilities() -> None:
    """None left in any set, none to be had again."""
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails beyond the kernel's last one, and where none are held
    header, data = struct.pack("=Ii", CAPABILITIES_V3, 0), bytes(24)
    check(libc.capset(header, data), "dropping capabilities")


def only(*descriptors: int) -> list[int]:
    """Close everything else; 0, 1 and 2 become the null device. The descriptors under their new numbers, from 3 up."""
    high = [os.dup2(fd, 200 + place) for place, fd in enumerate(descriptors)]
    os.closerange(0, 200)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (1, 2):
        os.dup2(null, fd)
    kept = [os.dup2(fd, 3 + place, inheritable=False) for place, fd in enumerate(high)]
    os.closerange(3 + len(kept), 4096)
    return kept
