"""No sandbox: the same fork server as a plain child of this process. Never chosen by itself."""

from __future__ import annotations

import tempfile

from evalkit.sandbox.bubblewrap import INSIDE, interpreter
from evalkit.sandbox.worker import Launch


def launch() -> Launch:
    folder = tempfile.mkdtemp(prefix="evalkit-unsafe-")
    return Launch(interpreter(str(INSIDE)), "unsafe", "see docs/sandbox.md", folder, count_threads=False)
