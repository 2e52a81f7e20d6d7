"""The system call filter: a BPF program made here and handed to the kernel, after which nothing can lift it.

The list says what is allowed (see `syscalls.py`); everything else fails with EPERM, the hostile ones kill the process.
Source of the format: the kernel's Documentation/userspace-api/seccomp_filter.rst and include/uapi/linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from syscalls import ALLOWED, KILLED, NUMBERS

LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JSET|K, BPF_RET|K
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16  # offsets in struct seccomp_data; an argument is 8 bytes, low half first
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000
CLONE_THREAD, CLONE_NEW_ANY = 0x00010000, 0x7E020080  # NEWNS, CGROUP, UTS, IPC, USER, PID, NET, TIME
AF_UNIX, PR_SET_NAME, PR_GET_NAME = 1, 15, 16
TERMINAL_QUESTIONS = (0x5401, 0x5413, 0x5421, 0x5450, 0x5451, 0x541B)  # TCGETS TIOCGWINSZ FIONBIO FIONCLEX FIOCLEX FIONREAD
# Of fcntl: duplicating, flags, asking for locks, sizes of pipes. Not: leases and notices (dnotify), signals, owners.
FCNTL_ALLOWED = (0, 1, 2, 3, 4, 5, 36, 1030, 1031, 1032, 1034)
FCNTL_LOCKS = (6, 7, 37, 38)  # F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


def supported() -> bool:
    """Whether the filter knows this machine's system calls."""
    return platform.machine() in NUMBERS


def program(machine: str) -> bytes:
    """The filter for `machine`, as an array of struct sock_filter."""
    numbers = NUMBERS[machine]
    code: list[Instruction] = [
        (LOAD, 0, 0, ARCH_AT),
        (EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    if machine == "x86_64":  # the same calls under other numbers
        code += [(ANY_BIT, 0, 1, X32_BIT), (RETURN, 0, 0, KILL)]
    thread_alone = [_argument(0), (ANY_BIT, 1, 0, CLONE_NEW_ANY), (ANY_BIT, 1, 0, CLONE_THREAD), *_deny(errno.EPERM), _allow()]
    code += _on(numbers["clone"], thread_alone)
    # Its flags lie in memory, where no filter can read them; the C library then falls back to clone.
    code += _on(numbers["clone3"], _deny(errno.ENOSYS))
    code += _on(numbers["socketpair"], _one_of(0, (AF_UNIX,)))
    code += _on(numbers["prctl"], _one_of(0, (PR_SET_NAME, PR_GET_NAME)))
    code += _on(numbers["ioctl"], _one_of(1, TERMINAL_QUESTIONS))
    # A lock would be held on the machine's own file. Nobody else has the program's files, so every lock is said to be had.
    code += _on(numbers["flock"], _deny(0))
    code += _on(numbers["fcntl"], _fcntl())
    for name in ALLOWED:
        if name in numbers:
            code += _on(numbers[name], [_allow()])
    for name in KILLED:
        if name in numbers:
            code += _on(numbers[name], [(RETURN, 0, 0, KILL)])
    code += _deny(errno.EPERM)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def install(filter_program: bytes) -> None:
    """Put this process, its threads and all that it may become under the filter, for good.

    Raises:
        OSError: the kernel has no seccomp filters.
    """

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))

    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(filter_program, len(filter_program))
    whole = Program(len(filter_program) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(whole), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp filter: {os.strerror(number)}")


def _on(number: int, then: list[Instruction]) -> list[Instruction]:
    """`then`, which returns, for one system call; the next instruction for all others."""
    return [(EQUAL, 0, len(then), number), *then]


def _argument(index: int) -> Instruction:
    return (LOAD, 0, 0, ARGUMENTS_AT + 8 * index)


def _one_of(index: int, values: tuple[int, ...]) -> list[Instruction]:
    """Allowed when the low half of an argument is one of `values`."""
    tests = [(EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), *tests, *_deny(errno.EPERM), _allow()]


def _fcntl() -> list[Instruction]:
    """Locks seem to be had, some commands are allowed, all others fail."""
    allowed = [(EQUAL, len(FCNTL_ALLOWED) - place + 1, 0, value) for place, value in enumerate(FCNTL_ALLOWED)]
    locks = [(EQUAL, len(FCNTL_LOCKS) - place + len(allowed), 0, value) for place, value in enumerate(FCNTL_LOCKS)]
    return [_argument(1), *locks, *allowed, *_deny(errno.EPERM), *_deny(0), _allow()]


def _allow() -> Instruction:
    return (RETURN, 0, 0, ALLOW)


def _deny(number: int) -> list[Instruction]:
    return [(RETURN, 0, 0, ERRNO | number)]
