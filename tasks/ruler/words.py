"""Words that keys and lists are drawn from: for English the lists of the package wonderwords, as in RULER."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from itertools import accumulate
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


class Pairs(Sequence[str]):
    """`adjective-noun`, every pair once, sorted; made one by one, for all of them are millions of texts.

    Adjectives that begin alike up to their first hyphen (`big`, `big-hearted`) have pairs among one another's, and are sorted together.
    """

    def __init__(self, adjectives: Sequence[str], nouns: Sequence[str]) -> None:
        self.nouns = sorted(set(nouns))
        heads: dict[str, list[str]] = {}
        for adjective in sorted(set(adjectives)):
            heads.setdefault(adjective.partition("-")[0] + "-", []).append(adjective)
        self.groups = [heads[head] for head in sorted(heads)]
        self.mixed = {place: self._sorted(group) for place, group in enumerate(self.groups) if len(group) > 1}
        sizes = (len(self.mixed.get(place, self.nouns)) for place in range(len(self.groups)))
        self.starts = [0, *accumulate(sizes)]

    def _sorted(self, group: Sequence[str]) -> list[str]:
        return sorted({f"{adjective}-{noun}" for adjective in group for noun in self.nouns})

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        if not 0 <= index < len(self):
            raise IndexError(index)
        group = bisect_right(self.starts, index) - 1
        at = index - self.starts[group]
        return self.mixed[group][at] if group in self.mixed else f"{self.groups[group][0]}-{self.nouns[at]}"


@cache
def keys() -> Pairs:
    """RULER's keys, of the package's adjectives and nouns."""
    return Pairs(listed(ADJECTIVES), listed(NOUNS))


@cache
def every() -> tuple[str, ...]:
    """Nouns, adjectives and verbs, each once, sorted."""
    return tuple(sorted({*listed(NOUNS), *listed(ADJECTIVES), *listed(VERBS)}))
