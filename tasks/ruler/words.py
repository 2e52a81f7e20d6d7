"""Words that keys and lists are drawn from: for English the lists of the package wonderwords, as in RULER."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

NOUNS, ADJECTIVES, VERBS = "nounlist", "adjectivelist", "verblist"


@cache
def listed(name: str) -> tuple[str, ...]:
    """One of the package's lists, in its order. Only its files are used.

    Raises:
        ValueError: the package is missing.
    """
    spec = find_spec("wonderwords")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("RULER's English words come from the package wonderwords; pip install --no-deps wonderwords==3.0.1")
    path = Path(spec.submodule_search_locations[0]) / "assets" / f"{name}.txt"
    return tuple(line.rstrip() for line in path.read_text(encoding="utf-8").splitlines())


@cache
def keys() -> tuple[str, ...]:
    """`adjective-noun`, every pair once, sorted."""
    return tuple(sorted({f"{adjective}-{noun}" for adjective in listed(ADJECTIVES) for noun in listed(NOUNS)}))


@cache
def every() -> tuple[str, ...]:
    """Nouns, adjectives and verbs, each once, sorted."""
    return tuple(sorted({*listed(NOUNS), *listed(ADJECTIVES), *listed(VERBS)}))
