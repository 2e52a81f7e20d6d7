"""Variable tracking: `VAR A = 12345`, `VAR B = VAR A` … hidden in a text; which variables have the value?"""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .item import ARRAY_SEED, ENDLESS, SEED, Count, Item
from .native import coined, in_digits, told

NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\n"
TASK = "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n"
QUESTION = "\nQuestion: Find all variables that are assigned the value {value} in the text above."
# `assgined` is RULER's own spelling: the prompt has to be the same.
PREFIX = (
    "Answer: According to the chain(s) of variable assignment in the text above, "
    "{number} variables are assgined the value {value}, they are:"
)
SHOT_LENGTH, SHOT_STEP = 500, 5  # of the worked example in front of every document


class Values:
    """Five-digit values, from NumPy's old generator, as the published code draws them."""

    def __init__(self, seed: int) -> None:
        import numpy as np

        self._drawn = np.random.RandomState(seed)

    def __call__(self) -> int:
        return int(self._drawn.randint(10000, 99999))


@dataclass(frozen=True, slots=True)
class Tracking:
    """Attributes: hops: assignments behind the first; the chain has one variable more."""

    hops: int = 4
    tokens: int = 30
    delimiter: str = " "
    step: int = 10
    least: int = 10
    most: int = ENDLESS
    unit: str = "lines"
    questions: int = 1

    def sound(self, item: Item) -> bool:
        return True

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """A worked example and a text of that many lines; nothing but `rng` decides what is in them."""
        values = Values(rng.getrandbits(32))
        shot = self._chain(SHOT_STEP, rng, values, letters=3)
        item = self._chain(units, rng, values, letters=5)
        return _behind(renamed(_shown(shot), rng) + "\n\n", item)

    def _chain(self, units: int, rng: random.Random, values: Values, letters: int) -> Item:
        names = self._names(rng, letters)
        value = values()
        chain = [f"VAR {names[0]} = {value}", *(f"VAR {name} = VAR {before} " for before, name in pairwise(names))]
        lines = [NOISE] * units
        if len(lines) <= len(chain):
            lines = [part + "." if part.strip() else part for line in lines for part in line.split(".")]
        for place, at in enumerate(sorted(rng.sample(range(len(lines)), len(chain)))):
            lines.insert(at + place, chain[place])
        context = " ".join(lines).replace(". \n", ".\n")
        prefix = PREFIX.format(number=len(chain), value=value)
        return Item(TASK + context + QUESTION.format(value=value), tuple(names), prefix)

    def _names(self, rng: random.Random, letters: int) -> list[str]:
        names = [_name(rng, letters) for _ in range(self.hops + 1)]
        if len(set(names)) <= self.hops:
            return self._names(rng, letters)  # the published code goes on with a chain that names a variable twice
        return names

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """The documents that lm-evaluation-harness 0.4.13 makes in a run of this task at this length alone.

        Raises:
            ValueError: a document does not fit into `length`.
        """
        rng, values = random.Random(SEED), Values(ARRAY_SEED)
        units = self._size(SHOT_LENGTH, SHOT_STEP, 0, count, rng, values, letters=3)
        shot = _shown(self._fitting(units, SHOT_LENGTH, SHOT_STEP, 0, count, rng, values, letters=3))
        taken = count(shot)
        units = self._size(length, self.step, taken, count, rng, values, letters=5)
        items = []
        for _ in range(documents):
            item = self._fitting(units, length, self.step, taken, count, rng, values, letters=5)
            items.append(_behind(renamed(shot, rng) + "\n\n", item))
        return items

    def _size(self, length: int, step: int, taken: int, count: Count, rng: random.Random, values: Values, letters: int) -> int:
        units, size = step, 0
        while size + self.tokens + taken < length:
            item = self._chain(units, rng, values, letters)
            size = count(f"{_whole(item)} {list(item.outputs)}")
            units += -step if size + self.tokens + taken > length else step
            if size + self.tokens + taken > length:
                break
        return units

    def _fitting(
        self, units: int, length: int, step: int, taken: int, count: Count, rng: random.Random, values: Values, letters: int
    ) -> Item:
        while True:
            item = self._chain(units, rng, values, letters)
            size = count(_whole(item)) + self.tokens + taken
            if size <= length:
                return Item(item.input, item.outputs, item.prefix, size)
            if units <= step:
                raise ValueError("a document does not fit; ask for a greater length, or set data.options.fit=close")
            units -= step


def _behind(shot: str, item: Item) -> Item:
    """A document behind a worked example, with the places of its variables."""
    whole = shot + item.input
    places = tuple(place for name in item.outputs if (place := whole.find(name, len(shot))) >= 0)
    return replace(item, input=whole, places=places)


@dataclass(frozen=True, slots=True)
class NativeTracking:
    """The same in a language of India: variables, values and sentences in its script and digits; the form is always `close`."""

    code: str
    hops: int = 4
    tokens: int = 128  # scripts of India take several tokens per letter in many vocabularies
    delimiter: str = " "
    step: int = 10
    least: int = 10
    most: int = ENDLESS
    unit: str = "lines"
    questions: int = 1

    def sound(self, item: Item) -> bool:
        """Whether no variable's name is inside another one."""
        return not any(a != b and a in b for a in item.outputs for b in item.outputs)

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """A worked example and a text of that many lines."""
        shot, item = self._chain(self.hops + 2, rng), self._chain(units, rng)
        return _behind(f"{shot.input} {shot.prefix} {' '.join(shot.outputs)}\n\n", item)

    def _chain(self, units: int, rng: random.Random) -> Item:
        said, digits = told(self.code)["tracking"], str(told(self.code)["digits"])
        names: list[str] = []
        while len(names) <= self.hops:
            if (name := coined(self.code, rng)) not in names:
                names.append(name)
        value = in_digits(rng.randint(10000, 99998), digits)
        chain = [said["first"].format(name=names[0], value=value)]
        chain += [said["next"].format(name=name, before=before) for before, name in pairwise(names)]
        lines = [told(self.code)["repeated"]] * units
        for place, at in enumerate(sorted(rng.sample(range(len(lines)), len(chain)))):
            lines.insert(at + place, chain[place])
        question = said["question"].format(value=value)
        prefix = said["prefix"].format(value=value, number=in_digits(len(names), digits))
        return Item("\n".join((said["task"], "", *lines, "", question)), tuple(names), prefix)

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """Raises ValueError: there is none."""
        raise ValueError(f"there is no published generator for language {self.code!r}; set data.options.fit=close")


def _whole(item: Item) -> str:
    """Prompt and beginning of the answer as the published code measures them."""
    return f"{item.input} {item.prefix} "


def _shown(item: Item) -> str:
    return f"{_whole(item)} {' '.join(item.outputs)}\n\n"


def _name(rng: random.Random, letters: int) -> str:
    return "".join(rng.choices(string.ascii_uppercase, k=letters))


def renamed(shot: str, rng: random.Random) -> str:
    """A worked example with other variables."""
    names: Sequence[str] = shot[shot.rindex("they are: ") + len("they are: ") :].split()
    for name in names:
        shot = shot.replace(name, _name(rng, len(name)))
    return shot
