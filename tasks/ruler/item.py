"""What every family of RULER makes: a text of an asked size, what is hidden in it, and how the answer begins."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
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
        places: where in `input` what is asked for is, in characters; one per output, or one for all of them. () where it
            has no place (words that are spread over the whole text).
        turns: (role, text) of a conversation, which `input` is as plain text.
    """

    input: str
    outputs: tuple[str, ...]
    prefix: str
    length: int = 0
    places: tuple[int, ...] = ()
    turns: tuple[tuple[str, str], ...] = ()


class Family(Protocol):
    """One of RULER's tasks in one language.

    Attributes:
        tokens: the answer may have.
        delimiter: between the prompt and the beginning of the answer.
        step: units the search goes on by when a text of a size is looked for.
        least, most: the fewest and the most units a text can have.
        unit: what they are called.
        questions: documents per text.
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

    @property
    def unit(self) -> str: ...

    @property
    def questions(self) -> int: ...

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """A text of that many units (words, lines, assignments), everything in it drawn from `rng`.

        Args:
            index: of the document; it decides what is asked for where a text has several `questions`, or rows have one each.
        """
        ...

    def sound(self, item: Item) -> bool:
        """Whether the answer cannot be found otherwise than it should."""
        ...

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """The documents that lm-evaluation-harness 0.4.13 makes in a run of this task at this length alone."""
        ...


def close(family: Family, length: int, documents: int, count: Count, name: str) -> list[Item]:
    """Documents as long as they can be without exceeding `length`, answer and its beginning included.

    Every text has its own seed, so none depends on how many there are. The documents of one text have the same text to the
    letter, as long as the longest of their questions allows.

    Args:
        name: of task, language and length; the seed.

    Raises:
        ValueError: not even the shortest text fits.
    """
    items: list[Item] = []
    units = family.least
    while len(items) < documents:
        first = len(items)
        text = first // family.questions
        for again in range(TRIES):
            seed = f"{name}/{text}" + f"/{again}" * bool(again)
            of_text = range(first, first + family.questions)
            longest = _longest(family, count, seed, of_text) if family.questions > 1 else first
            item, units = _fitted(family, length, count, seed, longest, units)
            made = [item if index == longest else family.make(units, random.Random(seed), index) for index in of_text]
            if all(map(family.sound, made)):
                break
        else:
            raise ValueError("the values to be found are elsewhere in the text as well; take another haystack")
        items.extend(made)
    return items[:documents]


def _longest(family: Family, count: Count, seed: str, of_text: Sequence[int]) -> int:
    """Which of the documents of a text has the longest question."""
    sizes = {index: _size(family, family.make(family.least, random.Random(seed), index), count) for index in of_text}
    return max(sizes, key=lambda index: sizes[index])


def _size(family: Family, item: Item, count: Count) -> int:
    return count(item.input + family.delimiter + item.prefix) + family.tokens


def _fitted(family: Family, length: int, count: Count, seed: str, index: int, start: int) -> tuple[Item, int]:
    """The longest text that fits, and its units. Tokens grow with units by nearly a constant rate, so a few tries find it."""

    def made(units: int) -> tuple[Item, int]:
        item = family.make(units, random.Random(seed), index)
        return item, _size(family, item, count)

    shortest, size = made(family.least)
    if size > length:
        raise ValueError(f"the shortest document has {size:,} tokens, its answer included; ask for a greater length")
    fits, low, high = shortest, family.least, 0  # `low` fits, `high` does not (0: none is known that does not)
    low_size, units = size, min(start if start > family.least else family.least + family.step, family.most)
    while low < family.most and (not high or high - low > 1):
        item, size = made(units)
        if size <= length:
            rate = (size - low_size) / max(1, units - low)
            fits, low, low_size = item, units, size
            if length - size <= length // 200:
                break
            guess = low + int((length - size) / rate) if rate > 0 else low * 2
        else:
            high = units
            guess = low + int((units - low) * (length - low_size) / max(1, size - low_size))
        units = max(low + 1, min(guess, (high or family.most + 1) - 1))
    if low >= family.most and length - low_size > length // 100:
        told = f"all its {family.most:,} {family.unit} and the question have {low_size:,} tokens"
        raise ValueError(f"the text is too short: {told}; give a longer one, or ask for a smaller length")
    return fits, low
