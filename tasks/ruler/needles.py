"""Needles in a haystack: one or several `key: value` sentences hidden in a text, and a question about some of the keys."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from evalkit.text import ascii_digits

from .haystacks import Haystack
from .item import ENDLESS, SEED, Count, Item
from .wording import Wording

ORDER_SEED = 42  # of the order in which needles are hidden, the same in every document
DEPTHS = tuple(round(100 * step / 39) for step in range(40))  # per cent of the text's sentences


@dataclass(frozen=True, slots=True)
class Needles:
    """Attributes:
    haystack: `essay` (running prose), `repeat` (five short sentences again and again) or `needle` (other needles).
    key, value: `words`, `numbers` or `uuids`.
    keys, values, queries: how many keys there are, values of each, and keys asked for.
    distinct: no two needles of a text share a key (the published code does not look).
    """

    wording: Wording
    text: Haystack
    haystack: str
    key: str = "words"
    value: str = "numbers"
    keys: int = 1
    values: int = 1
    queries: int = 1
    distinct: bool = False
    questions: int = 1
    lines: Wording | None = None
    tokens: int = 128
    delimiter: str = " "

    def __post_init__(self) -> None:
        if self.questions != 1 and (self.questions != self.keys or self.queries != 1):
            raise ValueError(f"questions={self.questions} must be 1, or the number of keys ({self.keys}) where each is asked for alone")
        if self.lines is not None and self.haystack == "needle":
            raise ValueError("a text of nothing but needles has the needles' own language; use haystack essay or repeat")

    @property
    def count(self) -> int:
        """Needles."""
        return max(self.keys, self.queries) * self.values

    @property
    def least(self) -> int:
        return self.count

    @property
    def most(self) -> int:
        """Units there are."""
        return self.text.total if self.haystack == "essay" else ENDLESS

    @property
    def unit(self) -> str:
        return "words" if self.haystack == "essay" else "lines"

    @property
    def step(self) -> int:
        return 500 if self.haystack == "essay" else 25

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """A text of that many words (`essay`) or lines.

        Raises:
            ValueError: there are more needles than places for them.
        """
        wording, taken = self.wording, set[str]()
        keys, values, needles = [], [], []
        for _ in range(max(self.keys, self.queries)):
            keys.append(self._key(rng, taken))
            values.append([wording.draw(self.value, rng) for _ in range(self.values)])
            needles += [wording.sentence(self.value, keys[-1], value) for value in values[-1]]
        random.Random(ORDER_SEED).shuffle(needles)
        context = self._essay(units, needles, rng) if self.haystack == "essay" else self._lines(units, needles, rng, taken)
        asked = rng.sample(range(len(keys)), self.queries) if self.questions == 1 else [index % self.questions]
        outputs = tuple(value for place in asked for value in values[place])
        question, prefix = wording.asked(self.value, [keys[place] for place in asked], single=len(outputs) == 1)
        whole = question.format(context=context)
        places = tuple(place for value in outputs if (place := whole.find(value)) >= 0)
        return Item(whole, outputs, prefix, places=places)

    def _essay(self, units: int, needles: Sequence[str], rng: random.Random) -> str:
        parts = sentences(self.text.words(units).strip(), (self.lines or self.wording).code)
        depths = rng.sample(DEPTHS, len(needles)) if self.questions == 1 else [100 * share for share in spread(len(needles), rng)]
        places = sorted(int(len(parts) * (depth / 100)) for depth in depths)
        context = []
        for start, end, needle in zip((0, *places), (*places, len(parts)), (*needles, None), strict=True):
            context.append(" ".join(parts[start:end]))
            if needle is not None:
                context.append(needle)
        return " ".join(context)

    def _lines(self, units: int, needles: Sequence[str], rng: random.Random, taken: set[str]) -> str:
        repeated = (self.lines or self.wording).repeated
        lines = [repeated if self.haystack == "repeat" else self._other(rng, taken) for _ in range(units)]
        count = len(needles)
        places = rng.sample(range(units), count) if self.questions == 1 else [int(units * share) for share in spread(count, rng)]
        for place, needle in zip(sorted(places, reverse=True), needles, strict=True):
            lines.insert(place, needle)
        return "\n".join(lines)

    def _key(self, rng: random.Random, taken: set[str]) -> str:
        key = self.wording.draw(self.key, rng)
        while self.distinct and key in taken:  # a pool of words may be smaller than the number of lines
            key += "-" + self.wording.draw(self.key, rng)
        taken.add(key)
        return key

    def _other(self, rng: random.Random, taken: set[str]) -> str:
        key = self._key(rng, taken)
        return self.wording.sentence(self.value, key, self.wording.draw(self.value, rng))

    def sound(self, item: Item) -> bool:
        """Whether every value is in the text once, in digits of any script: nothing else may give it away."""
        text = ascii_digits(item.input)
        return all(text.count(ascii_digits(value)) == 1 for value in item.outputs)

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """The documents that lm-evaluation-harness 0.4.13 makes in a run of this task at this length alone.

        Raises:
            ValueError: a document does not fit into `length`.
        """
        rng = random.Random(SEED)
        step = 5 if self.haystack != "essay" and length < 4096 else self.step
        units = self._size(length, step, count, rng)
        return [self._fitting(units, length, step, count, rng) for _ in range(documents)]

    def _size(self, length: int, step: int, count: Count, rng: random.Random) -> int:
        """Words or lines that fit, found once for all documents."""
        units, size = max(step, self.count), 0
        while size + self.tokens < length:
            item = self.make(units, rng)
            size = count(item.input + " ".join(item.outputs))
            if size + self.tokens > length:
                units -= step
                break
            if self.haystack == "essay" and units > self.text.total:
                units = self.text.total
                break
            units += step
        return max(units, self.count)

    def _fitting(self, units: int, length: int, step: int, count: Count, rng: random.Random) -> Item:
        while units > 0:
            try:
                item = self.make(units, rng)
            except ValueError:  # fewer places than needles: shorter texts have even fewer, but the draws go on as there
                units -= step
                continue
            size = count(item.input) + self.tokens
            if size <= length:
                return replace(item, length=size)
            units -= step
        raise ValueError("a document does not fit; ask for a greater length, or set data.options.fit=close")


def spread(number: int, rng: random.Random) -> list[float]:
    """Places in [0, 1) in order, one in each of `number` equal parts."""
    return [(part + rng.random()) / number for part in range(number)]


@lru_cache(maxsize=1024)
def sentences(text: str, code: str) -> tuple[str, ...]:
    """The sentences of a text: by Punkt's English model, or by the marks that end them in the language's script."""
    from .sentences import by_marks, english

    return english(text) if code == "en" else by_marks(text)


def uuid4(rng: random.Random) -> str:
    """A random UUID in its usual spelling."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
