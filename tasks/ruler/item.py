"""What every family of RULER makes: a text of an asked size, what is hidden in it, and how the answer begins."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Count = Callable[[str], int]  # tokens of a text
SEED, ARRAY_SEED = 0, 1234  # what lm-evaluation-harness seeds Python's and NumPy's generators with

ENDLESS = 1 << 40  # units, where there is no end of them
TRIES = 100


@dataclass(frozen=True, slots=True)
class Item:
    """One document.

    Attributes:
        input: text and question, without the beginning of the answer.
        outputs: what a right answer names.
        prefix: how the answer begins; the model goes on from there.
        length: tokens, as the published code counts them: `input`, sometimes more, and those of the answer.
    """

    input: str
    outputs: tuple[str, ...]
    prefix: str
    length: int = 0


class Family(Protocol):
    """One of RULER's tasks in one language.

    Attributes:
        tokens: the answer may have.
        delimiter: between the prompt and the beginning of the answer.
        step: units the search goes on by when a text of a size is looked for.
        least, most: the fewest and the most units a text can have.
    """

    @property
    def tokens(self) -> int: ...

    @property
    def delimiter(self) -> str: ...

    @property
    def step(self) -> int: ...

    @property
    def least(self) -> int: ...

    @property
    def most(self) -> int: ...

    def make(self, units: int, rng: random.Random) -> Item:
        """A text of that many units (words, lines, assignments), everything in it drawn from `rng`."""
        ...

    def sound(self, item: Item) -> bool:
        """Whether the answer cannot be found otherwise than it should."""
        ...

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """The documents that lm-evaluation-harness 0.4.13 makes in a run of this task at this length alone."""
        ...


def close(family: Family, length: int, documents: int, count: Count, name: str) -> list[Item]:
    """Documents as long as they can be without exceeding `length`, answer and its beginning included.

    Every document has its own seed, so none depends on how many there are.

    Args:
        name: of task, language and length; the seed.

    Raises:
        ValueError: not even the shortest text fits.
    """
    items = []
    units = family.least
    for index in range(documents):
        for again in range(TRIES):
            item, units = _fitted(family, length, count, f"{name}/{index}" + f"/{again}" * bool(again), units)
            if family.sound(item):
                break
        else:
            raise ValueError("the values to be found are elsewhere in the text as well; take another haystack")
        items.append(item)
    return items


def _fitted(family: Family, length: int, count: Count, seed: str, start: int) -> tuple[Item, int]:
    """The longest text that fits, and its units. Tokens grow with units by nearly a constant rate, so a few tries find it."""

    def made(units: int) -> tuple[Item, int]:
        item = family.make(units, random.Random(seed))
        return item, count(item.input + family.delimiter + item.prefix) + family.tokens

    shortest, size = made(family.least)
    if size > length:
        raise ValueError(f"the shortest document has {size} tokens, its answer included; ask for a greater length")
    fits, low, high = shortest, family.least, 0  # `low` fits, `high` does not (0: none is known that does not)
    low_size, units = size, start if start > family.least else family.least + family.step
    while not high or high - low > 1:
        item, size = made(units)
        if size <= length:
            rate = (size - low_size) / max(1, units - low)
            fits, low, low_size = item, units, size
            if low >= family.most and length - size > length // 100:
                raise ValueError(
                    f"the text is too short: all its {family.most:,} words and the question have {size:,} tokens; give a longer one"
                )
            if length - size <= length // 200:
                break
            guess = low + int((length - size) / rate) if rate > 0 else low * 2
        else:
            high = units
            guess = low + int((units - low) * (length - low_size) / max(1, size - low_size))
        units = max(low + 1, min(guess, (high or family.most + 1) - 1))
        if units > family.most:
            break
    return fits, low
