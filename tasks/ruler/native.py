"""What the tasks say in the languages of India, in their own scripts and digits: one file per language. Written for evalkit.

A file `languages/CODE.toml` has ten `digits`, `words` that keys are made of, `repeated` (a line of short sentences to hide needles
in), and per family of tasks the sentences of its prompt. A further language is a further file.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import permutations
from typing import Any

from .haystacks import haystack

FOLDER = "evalkit.tasks.ruler"
SYLLABLES = 3  # of a coded word or a variable
LETTERS = 2  # a word of a list has at least


@cache
def codes() -> tuple[str, ...]:
    """Every language there is a file of, sorted."""
    folder = files(FOLDER) / "languages"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


@cache
def told(code: str) -> Mapping[str, Any]:
    """The file of a language. Raises ValueError where there is none."""
    if code not in codes():
        raise ValueError(f"nothing is worded in language {code!r}; there are en, {', '.join(codes())}")
    return tomllib.loads((files(FOLDER) / "languages" / f"{code}.toml").read_text(encoding="utf-8"))


def in_digits(number: object, digits: str) -> str:
    """A number in these ten digits; empty leaves it as it is."""
    return str(number).translate({48 + place: digit for place, digit in enumerate(digits)})


def coined(code: str, rng: random.Random) -> str:
    """A word that means nothing: syllables of the language's script."""
    letters = told(code)["coded"]
    return "".join(rng.choice(letters["consonants"]) + rng.choice((*letters["signs"], "")) for _ in range(SYLLABLES))


@cache
def vocabulary(code: str) -> tuple[str, ...]:
    """Words of the language, none of which is inside another one: those of keys and those of our text. Sorted."""
    text = " ".join((told(code)["words"], *haystack(code, None).listed))
    found = {word.strip(".,;:!?।॥'\"()") for word in text.split()}
    found = {word for word in found if len(word) >= LETTERS and "-" not in word}
    return tuple(sorted(word for word in found if not any(word != other and word in other for other in found)))


@cache
def pairs(code: str) -> tuple[str, ...]:
    """Two words of the vocabulary with a hyphen between them, every pair in both orders."""
    return tuple("-".join(pair) for pair in permutations(vocabulary(code), 2))
