"""For the docs site (mkdocs.yml): a link that leaves docs/ works in the repository alone, so the site shows its text."""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"(?<!!)\[([^\]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """mkdocs calls this for every page."""
    return _OUTSIDE.sub(r"\1", markdown)
