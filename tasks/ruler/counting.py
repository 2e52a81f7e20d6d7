"""Common words and frequent words: which words of a long list occur most often?"""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import native, words
from .item import ENDLESS, SEED, Count, Item
from .native import coined, in_digits, told

TEN = 10  # words are common
ORDER_SEED = 42
SHORT = 4096  # below it, words are repeated less often
NO_FIT = "a document does not fit; ask for a greater length, or set data.options.fit=close"

COMMON_TASK = (
    "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that appear most often.\n"
)
COMMON_QUESTION = "\nQuestion: What are the 10 most common words in the above list?"
COMMON_PREFIX = "Answer: The top 10 words that appear most often in the list are:"

FREQUENT_TASK = (
    "Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared coded words. "
)
FREQUENT_QUESTION = (
    "\nQuestion: Do not provide any explanation. Please ignore the dots '....'. "
    "What are the three most frequently appeared words in the above coded text?"
)
FREQUENT_PREFIX = "Answer: According to the coded text above, the three most frequently appeared words are:"


@dataclass(frozen=True, slots=True)
class CommonWords:
    """A numbered list in which ten words occur more often than the others."""

    length: int
    tokens: int = 120
    delimiter: str = "\n\n"
    step: int = 10
    least: int = 20
    unit: str = "words"
    questions: int = 1

    @property
    def most(self) -> int:
        return len(words.every())

    def sound(self, item: Item) -> bool:
        return True

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """A list with that many different words.

        Raises:
            ValueError: there are not so many words.
        """
        order = random.Random(rng.getrandbits(32))
        return self._listed(units, rng, order, words.every())

    @property
    def repeats(self) -> tuple[int, int]:
        """How often a common word and another one occur in the list."""
        return (6, 1) if self.length < SHORT else (30, 3)

    def _listed(self, units: int, rng: random.Random, order: random.Random, every: Sequence[str]) -> Item:
        if units > len(every):
            raise ValueError(f"the list would need {units:,} different words, and there are {len(every):,}; ask for a smaller length")
        context, common = _list(units, *self.repeats, rng, order, every)
        return Item(COMMON_TASK + context + COMMON_QUESTION, common, COMMON_PREFIX)

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """The documents that lm-evaluation-harness 0.4.13 makes in a run of this task at this length alone.

        Raises:
            ValueError: a document does not fit into `length`.
        """
        rng, order, every = random.Random(SEED), random.Random(ORDER_SEED), list(words.every())
        order.shuffle(every)
        units = self._size(length, count, rng, order, every)
        return [self._fitting(units, length, count, rng, order, every) for _ in range(documents)]

    def _drawn(self, units: int, rng: random.Random, order: random.Random, every: Sequence[str]) -> tuple[str, Item]:
        """(a worked example that the published code draws and measures but does not ask with, the document)."""
        size, often, seldom = (20, 3, 1) if self.length < SHORT else (40, 10, 3)
        context, common = _list(size, often, seldom, rng, order, every)
        return f"{COMMON_TASK}{context}{COMMON_QUESTION} {COMMON_PREFIX}{_numbered(common)}", self._listed(units, rng, order, every)

    def _size(self, length: int, count: Count, rng: random.Random, order: random.Random, every: Sequence[str]) -> int:
        units, size = self.step, 0
        while size + self.tokens < length:
            shot, item = self._drawn(units, rng, order, every)
            size = count(f"{shot}\n{item.input} {item.prefix} {_numbered(item.outputs)}")
            if size + self.tokens > length:
                return units - self.step
            units += self.step
            if units > len(every):
                return len(every)
        return units

    def _fitting(self, units: int, length: int, count: Count, rng: random.Random, order: random.Random, every: Sequence[str]) -> Item:
        while units >= self.step:
            _, item = self._drawn(units, rng, order, every)
            size = count(f"{item.input} {item.prefix}") + self.tokens
            if size <= length:
                return Item(item.input, item.outputs, item.prefix, size)
            units -= self.step
        raise ValueError(NO_FIT)


def _list(
    units: int, often: int, seldom: int, rng: random.Random, order: random.Random, every: Sequence[str]
) -> tuple[str, tuple[str, ...]]:
    drawn = rng.sample(every, units)
    common, other = drawn[:10], drawn[10:]
    listed = common * often + other * seldom
    order.shuffle(listed)
    return _numbered(listed), tuple(common)


def _numbered(listed: Sequence[str]) -> str:
    return " ".join(f"{place}. {word}" for place, word in enumerate(listed, 1))


@dataclass(frozen=True, slots=True)
class FrequentWords:
    """Coded words whose frequencies fall off as a zeta distribution does; the most frequent one is noise (`...`).

    Attributes:
        length: tokens asked for; it decides how many different words there are.
        code: the language; a language of India has words made of its syllables.
        alpha: the exponent of the distribution.
    """

    length: int
    code: str = "en"
    tokens: int = 50
    delimiter: str = " "
    least: int = 40
    letters: int = 6
    alpha: float = field(default=2.0, init=False)
    most: int = ENDLESS
    unit: str = "words"
    questions: int = 1

    def sound(self, item: Item) -> bool:
        return True

    @property
    def step(self) -> int:
        return self.length // 32

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """A text of about that many words."""
        return self._text(units, self._vocabulary(rng))

    def _word(self, rng: random.Random) -> str:
        return "".join(rng.choices(string.ascii_lowercase, k=self.letters)) if self.code == "en" else coined(self.code, rng)

    def _vocabulary(self, rng: random.Random) -> list[str]:
        size = self.length // 50
        drawn = [self._word(rng) for _ in range(size)]
        while len(set(drawn)) < size:
            drawn.append(self._word(rng))
        vocabulary = sorted(set(drawn))
        random.Random(ORDER_SEED).shuffle(vocabulary)
        if len(vocabulary) < 4:
            raise ValueError("frequent words need a length of 200 tokens at least; ask for a greater length")
        return ["...", *vocabulary[1:]]

    def _text(self, units: int, vocabulary: Sequence[str]) -> Item:
        import math

        import numpy as np

        ranks = np.arange(1, len(vocabulary) + 1)
        times = (units * (ranks**-self.alpha) / (math.pi**2 / 6)).astype(int)  # the zeta function at 2
        listed = [word for word, number in zip(vocabulary, times.tolist(), strict=True) for _ in range(number)]
        random.Random(ORDER_SEED).shuffle(listed)
        outputs = tuple(vocabulary[1:4])
        if self.code == "en":
            return Item(FREQUENT_TASK + " ".join(listed) + FREQUENT_QUESTION, outputs, FREQUENT_PREFIX)
        said = told(self.code)["frequent"]
        return Item(f"{said['task']}\n{' '.join(listed)}\n{said['question']}", outputs, said["prefix"])

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """The documents that lm-evaluation-harness 0.4.13 makes in a run of this task at this length alone.

        Their prompts may take the whole `length`: the published code leaves no room for the answer in it.

        Raises:
            ValueError: a document does not fit into `length`.
        """
        rng = random.Random(SEED)
        vocabulary, units = self._vocabulary(rng), length // self.letters
        while count(_asked(self._text(units, vocabulary))) < length:
            units += self.step
        units -= self.step
        return [self._fitting(units, length, count, self._vocabulary(rng)) for _ in range(documents)]

    def _fitting(self, units: int, length: int, count: Count, vocabulary: Sequence[str]) -> Item:
        while units > 0:
            item = self._text(units, vocabulary)
            size = count(_asked(item))
            if size <= length:
                return Item(item.input, item.outputs, item.prefix, size + self.tokens)
            units -= self.step
        raise ValueError(NO_FIT)


@dataclass(frozen=True, slots=True)
class NativeCommonWords:
    """The list in a language of India, numbered in its digits: its words, and behind the last of them two words joined by a hyphen.

    Attributes:
        repeats: how often a common word and another one are in the list.
    """

    code: str
    repeats: tuple[int, int]
    tokens: int = 256  # ten words, in scripts that take several tokens per letter
    delimiter: str = "\n\n"
    step: int = 10
    least: int = 20
    unit: str = "words"
    questions: int = 1

    @property
    def most(self) -> int:
        return len(native.pairs(self.code)) // 2

    def sound(self, item: Item) -> bool:
        return True

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """A list with that many different words, no two of which name one another."""
        said, digits = told(self.code)["common"], str(told(self.code)["digits"])
        every = rng.sample(native.vocabulary(self.code), len(native.vocabulary(self.code)))
        common, other = every[:TEN], every[TEN:units]
        if units > len(every):
            joined = [pair for pair in native.pairs(self.code) if not {*pair.split("-")} & {*common}]
            other += rng.sample(joined, units - len(every))
        often, seldom = self.repeats
        listed = common * often + other * seldom
        rng.shuffle(listed)
        text = " ".join(f"{in_digits(place, digits)}. {word}" for place, word in enumerate(listed, 1))
        return Item(f"{said['task']}\n{text}\n{said['question']}", tuple(common), said["prefix"])

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """Raises ValueError: there is none."""
        raise ValueError(f"there is no published generator for language {self.code!r}; set data.options.fit=close")


def native_common_words(code: str, length: int, count: Count) -> NativeCommonWords:
    """With RULER's repeats of long lists where the shortest such list takes less than half of the length, else those of short ones."""
    long = NativeCommonWords(code, (30, 3))
    return long if 2 * count(long.make(long.least, random.Random(SEED)).input) < length else NativeCommonWords(code, (6, 1))


def _asked(item: Item) -> str:
    return f"{item.input} {item.prefix}"
