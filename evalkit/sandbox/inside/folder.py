"""Temporary files cross with the paths that are handed over: the two processes do not share a folder.

What the test keeps in files without saying where stays out of the program's sight.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

TOP = "/tmp/"
LONGEST_PATH, MOST_NAMED = 500, 50
MOST_FILES, MOST_BYTES = 64, 1 << 20  # of what crosses at a time
FOLDER = "folder"


class Folder:
    """One side's temporary files, as far as the other side may know them.

    Args:
        all_known: the program's side: all its files are told of, and the other side's word is taken for all.
    """

    def __init__(self, all_known: bool) -> None:
        self.all_known = all_known
        self.crosses = os.getcwd() == TOP[:-1]  # else there is one folder, the machine's
        self.empty = os.stat(TOP).st_size
        self.named: set[str] = {TOP[:-1]} if all_known else set()
        self.known: dict[str, Any] = {}  # path -> content as text, or that it is a folder

    def name(self, text: str) -> None:
        """A text that is handed over; perhaps it is a path."""
        if not self.crosses or len(text) > LONGEST_PATH or len(self.named) >= MOST_NAMED or not text.isprintable():
            return
        path = os.path.normpath(os.path.join(TOP, text))
        if path.startswith(TOP) and (text.startswith(TOP) or ("." in text and " " not in text) or os.path.lexists(path)):
            self.named.add(path)

    def changes(self) -> dict[str, Any]:
        """What is new or gone since this was last asked."""
        if not self.crosses or not self.named or (self.all_known and not self.known and os.stat(TOP).st_size == self.empty):
            return {}  # in memory, a folder's size tells of every entry
        now: dict[str, Any] = {}
        for path in sorted(self.named):
            for above in _above(path):
                if os.path.isdir(above) and not os.path.islink(above):
                    now[above] = FOLDER
            self._look(path, now)
        changed = {path: content for path, content in now.items() if self.known.get(path) != content}
        changed |= dict.fromkeys(path for path in self.known if path not in now)
        self.known = now
        return changed

    def _look(self, path: str, now: dict[str, Any]) -> None:
        if len(now) >= MOST_FILES or os.path.islink(path):
            return
        if os.path.isdir(path):
            if path != TOP[:-1]:
                now[path] = FOLDER
            for name in sorted(os.listdir(path)):
                self._look(os.path.join(path, name), now)
        elif os.path.isfile(path) and os.path.getsize(path) <= MOST_BYTES:
            with open(path, "rb") as handle:
                now[path] = handle.read().hex()

    def take(self, changed: dict[str, Any]) -> None:
        """Make the other side's changes here: in the test's process only to what was handed over, or what is new."""
        for path, content in sorted(changed.items()):
            if not self.crosses or os.path.normpath(path) != path or not path.startswith(TOP) or os.path.realpath(path) != path:
                continue
            if not (self.all_known or path in self.known or not os.path.lexists(path)):
                continue
            if content is None:
                if os.path.isdir(path):
                    shutil.rmtree(path, ignore_errors=True)
                elif os.path.lexists(path):
                    os.unlink(path)
                self.known.pop(path, None)
                continue
            if content == FOLDER:
                os.makedirs(path, exist_ok=True)
            else:
                with open(path, "wb") as handle:
                    handle.write(bytes.fromhex(content))
            self.known[path] = content
            self.named.add(path)


def _above(path: str) -> list[str]:
    """The folders above a path, from the top."""
    parts = path.removeprefix(TOP).split("/")[:-1]
    return [TOP + "/".join(parts[: place + 1]) for place in range(len(parts))]
