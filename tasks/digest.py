"""A short name for a long text: documents that share it are a cluster."""

from __future__ import annotations

import hashlib


def digest(text: str) -> str:
    """16 hexadecimal digits, the same on every machine; lone surrogates included."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
