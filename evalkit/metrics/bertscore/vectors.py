"""Token vectors of references, kept in memory and on disk: every model, baseline and later scoring meets the same references."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.paths import cache_dir

if TYPE_CHECKING:
    import torch

# A thousand sentences of 40 tokens take 120 MB from a base-size encoder.
MEMORY_BYTES = 1 << 30
DISK_BYTES = 4 << 30

Batch = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text: token ids, special ones included, and their vectors of shape (len(ids), width)."""

    ids: tuple[int, ...]
    vectors: torch.Tensor


@dataclass
class Shelf:
    """Batches of encoded texts by their texts: the oldest leave, in memory beyond MEMORY_BYTES and on disk beyond DISK_BYTES.

    A batch is kept whole, since padding next to longer texts moves the last bits of a vector: what comes off the shelf is
    what was put there, bit for bit.

    Attributes:
        folder: of this encoder's files, one per batch; None keeps nothing on disk.
    """

    folder: Path | None = None
    memory: OrderedDict[Batch, list[Encoded]] = field(default_factory=OrderedDict)

    def get(self, batch: Batch, encode: Callable[[Sequence[str]], list[Encoded]]) -> list[Encoded]:
        """The batch's vectors, encoded now unless they are here."""
        if batch not in self.memory:
            self.memory[batch] = self._read(batch) or self._write(batch, encode(batch))
            while len(self.memory) > 1 and sum(e.vectors.nbytes for kept in self.memory.values() for e in kept) > MEMORY_BYTES:
                self.memory.popitem(last=False)
        self.memory.move_to_end(batch)
        return self.memory[batch]

    def _read(self, batch: Batch) -> list[Encoded] | None:
        """None where there is no file, or a damaged one."""
        if self.folder is None:
            return None
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.folder / _name(batch)
        try:
            kept = load_file(path)
            ids, vectors, lengths = kept["ids"], kept["vectors"], kept["lengths"].tolist()
            parts = zip(torch.split(ids, lengths), torch.split(vectors, lengths), strict=True)
            encoded = [Encoded(tuple(i.tolist()), v.clone()) for i, v in parts]
            os.utime(path)
        except (OSError, SafetensorError, KeyError, RuntimeError):
            return None
        return encoded if len(encoded) == len(batch) else None

    def _write(self, batch: Batch, encoded: list[Encoded]) -> list[Encoded]:
        """A full or read-only disk costs the next scoring some time and this one nothing."""
        filled = [e for e in encoded if e.ids]
        if self.folder is None or not filled:
            return encoded
        import torch
        from safetensors.torch import save_file

        width = filled[0].vectors.shape[1]
        tensors = {
            "ids": torch.tensor([i for e in encoded for i in e.ids], dtype=torch.int32),
            "vectors": torch.cat([e.vectors.reshape(len(e.ids), width) for e in encoded]),
            "lengths": torch.tensor([len(e.ids) for e in encoded]),
        }
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
            os.close(handle)
            try:
                save_file(tensors, name)
                os.replace(name, self.folder / _name(batch))
            finally:
                Path(name).unlink(missing_ok=True)
            _trim(self.folder.parent)
        return encoded


def shelf_of(*identity: object, title: str) -> Shelf:
    """An encoder's shelf in the user's cache; `identity` is everything its vectors depend on, `title` is for people."""
    key = hashlib.sha256(json.dumps(identity, default=str).encode()).hexdigest()[:16]
    return Shelf(cache_dir() / "bertscore" / f"{title}-{key}")


def _name(batch: Batch) -> str:
    written = json.dumps(batch).encode()  # ASCII escapes, so that lone surrogates have bytes too
    return f"{hashlib.sha256(written).hexdigest()[:32]}.safetensors"


def _trim(root: Path) -> None:
    """The files used longest ago, of all encoders, go when together they are too large."""
    files = sorted(((path.stat().st_mtime_ns, path) for path in root.glob("*/*.safetensors")), reverse=True)
    total = 0
    for _, path in files:
        total += path.stat().st_size
        if total > DISK_BYTES:
            path.unlink(missing_ok=True)
