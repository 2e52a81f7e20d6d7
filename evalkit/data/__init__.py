"""Where rows come from, and how they become documents and shots. Importing this loads nothing heavy."""

from evalkit.data.auto import AutoSource
from evalkit.data.fewshot import draw
from evalkit.data.generated import TokenCounter
from evalkit.data.hub import HubSource, HubUnreachable
from evalkit.data.load import load, rows_sha256
from evalkit.data.local import LocalSource
from evalkit.data.samples import SamplesSource
from evalkit.data.select import limit_docs
from evalkit.data.spec import DataSpec, LanguageNotCarried, Loaded, NoRows, Origin, Rows, Source, SplitNotCarried
from evalkit.data.wheel import WheelSource

__all__ = [
    "AutoSource",
    "DataSpec",
    "HubSource",
    "HubUnreachable",
    "LanguageNotCarried",
    "Loaded",
    "LocalSource",
    "NoRows",
    "Origin",
    "Rows",
    "SamplesSource",
    "Source",
    "SplitNotCarried",
    "TokenCounter",
    "WheelSource",
    "draw",
    "limit_docs",
    "load",
    "rows_sha256",
]
