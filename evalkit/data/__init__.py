"""Where rows come from, and how they become documents and shots. Importing this loads nothing heavy."""

from evalkit.data.load import load, rows_sha256
from evalkit.data.spec import DataSpec, Loaded, Rows, Source, SplitNotCarried

__all__ = ["DataSpec", "Loaded", "Rows", "Source", "SplitNotCarried", "load", "rows_sha256"]
