"""One process per run folder, on this machine and on others that see the same disk.

`flock` holds within a machine, and across machines on file systems that carry it (NFS, Lustre with `flock`). Where it does not
reach the other machine, the holder's name in the file does: it says so every few seconds by touching the file, and a newcomer
from another machine watches for that before it takes the folder.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import platform
import threading
import time
from contextlib import suppress
from pathlib import Path

from evalkit.errors import JournalError

log = logging.getLogger("evalkit")
NAME = "lock"
BEAT_S = 5.0  # between two signs of life
WATCH_S = 20.0  # a folder whose holder shows no sign of life for so long is free; clocks of two machines need not agree
UNSUPPORTED = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


class Lock:
    """The lock of a folder, held until `close`.

    Raises:
        JournalError: another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._me = f"{os.getpid()} on {platform.node()}"
        self._over = threading.Event()
        self._handle = (folder / NAME).open("a+", encoding="utf-8")
        try:
            self._take(folder)
        except BaseException:
            self._handle.close()
            raise
        self._beat = threading.Thread(target=self._show_life, daemon=True)
        self._beat.start()

    def _take(self, folder: Path) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in UNSUPPORTED:
                log.warning("%s: this file system has no locks; see that no other process uses the folder", folder)
            elif error.errno in (errno.EAGAIN, errno.EACCES):
                raise _in_use(folder, self._holder()) from error
            else:
                raise
        holder = self._holder()
        if holder and holder.rpartition(" on ")[2] not in ("", platform.node(), holder) and self._is_alive():
            raise _in_use(folder, holder)
        self._say(f"{self._me}\n")

    def _holder(self) -> str:
        self._handle.seek(0)
        return self._handle.read().strip()

    def _is_alive(self) -> bool:
        """Whether the file is touched while we look; asked only of a holder on another machine that did not let go."""
        seen, until = os.fstat(self._handle.fileno()).st_mtime_ns, time.monotonic() + WATCH_S
        log.warning("%s was held on another machine (process %s); watching it for %g s", self._handle.name, self._holder(), WATCH_S)
        while time.monotonic() < until:
            time.sleep(min(1.0, WATCH_S))
            with suppress(OSError):
                if os.stat(self._handle.name).st_mtime_ns != seen:
                    return True
        return False

    def _show_life(self) -> None:
        while not self._over.wait(BEAT_S):
            with suppress(OSError, ValueError):
                os.utime(self._handle.fileno())

    def _say(self, text: str) -> None:
        self._handle.seek(0)
        self._handle.truncate()
        self._handle.write(text)
        self._handle.flush()

    def close(self) -> None:
        """Let go; the empty file stays, so that a finished folder is the same bytes whoever wrote it."""
        self._over.set()
        if not self._handle.closed:
            with suppress(OSError):
                self._say("")
            self._handle.close()


def _in_use(folder: Path, holder: str) -> JournalError:
    return JournalError(f"{folder} is in use by process {holder or 'unknown'}; wait for it, or stop it and run the same command again")
