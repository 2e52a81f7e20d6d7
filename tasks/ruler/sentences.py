"""Where sentences end: places for needles."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from evalkit import punkt
from evalkit.text import SENTENCE_ENDS

_ENDS = re.compile(rf"(?<=[.?!{SENTENCE_ENDS}])\s+")


def english(text: str) -> tuple[str, ...]:
    """As NLTK's `sent_tokenize`; see evalkit.punkt for the tables of its model."""
    return tuple(_punkt().tokenize(text))


def by_marks(text: str) -> tuple[str, ...]:
    """Split behind a full stop, danda, question or exclamation mark."""
    return tuple(_ENDS.split(text))


@lru_cache(maxsize=1)
def _punkt() -> Any:
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    return PunktSentenceTokenizer(punkt.english())
