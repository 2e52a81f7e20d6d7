"""How needles are worded, language by language. English is RULER's own; the others say the same in their own script and digits."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from . import words
from .native import in_digits, told

LEAST, MOST = 1_000_000, 9_999_999  # a number has seven digits


@dataclass(frozen=True, slots=True)
class Wording:
    """Attributes:
    needle: a template over `{kind}`, `{key}` and `{value}`.
    one, several: the whole prompt, over `{kind}`, `{context}` and `{query}`, where one value is asked for or several.
    one_prefix, several_prefix: how the answer begins, over `{kind}` and `{query}`.
    kinds: of value -> (its singular, its plural).
    joined, last: between keys that are asked for; before the last one.
    repeated: the line that a text without prose is made of.
    digits: ten of them; empty for 0-9.
    pool: words that keys are made of, two joined by a hyphen; empty: the package's English pairs.
    """

    code: str
    needle: str
    one: str
    several: str
    one_prefix: str
    several_prefix: str
    kinds: Mapping[str, tuple[str, str]]
    joined: str
    last: str
    repeated: str
    digits: str = ""
    pool: tuple[str, ...] = ()

    def draw(self, kind: str, rng: random.Random) -> str:
        """A key or value of a kind."""
        if kind == "numbers":
            return self.native(str(rng.randint(LEAST, MOST)))
        if kind == "uuids":
            from .needles import uuid4

            return uuid4(rng)
        return "-".join(rng.sample(self.pool, 2)) if self.pool else rng.choice(words.keys())

    def native(self, number: str) -> str:
        """A number in the language's digits."""
        return in_digits(number, self.digits)

    def sentence(self, kind: str, key: str, value: str) -> str:
        """One needle."""
        return self.needle.format(kind=self.kinds[kind][1], key=key, value=value)

    def asked(self, kind: str, keys: Sequence[str], *, single: bool) -> tuple[str, str]:
        """(the prompt with `{context}` still to be filled, how the answer begins)."""
        query = self.joined.join(keys[:-1]) + self.last + keys[-1] if len(keys) > 1 else keys[0]
        named = self.kinds[kind][0 if single else 1]
        prompt, prefix = (self.one, self.one_prefix) if single else (self.several, self.several_prefix)
        return prompt.format(kind=named, query=query, context="{context}"), prefix.format(kind=named, query=query)


@cache
def wording(code: str) -> Wording:
    """Raises ValueError for a language that has none."""
    if code == "en":
        return ENGLISH
    told_here = told(code)
    needles = told_here["needles"]
    return Wording(
        code,
        needles["needle"],
        f"{needles['one']}\n{{context}}\n{needles['one_question']}",
        f"{needles['several']}\n{{context}}\n{needles['several_question']}",
        needles["one_prefix"],
        needles["several_prefix"],
        {"numbers": ("", ""), "uuids": ("", "")},
        ", ",
        needles["and"],
        told_here["repeated"],
        told_here["digits"],
        tuple(told_here["words"].split()),
    )


ENGLISH = Wording(
    "en",
    "One of the special magic {kind} for {key} is: {value}.",
    "A special magic {kind} is hidden within the following text. Make sure to memorize it. I will quiz you about the {kind} afterwards.\n"
    "{context}\nWhat is the special magic {kind} for {query} mentioned in the provided text?",
    "Some special magic {kind} are hidden within the following text. Make sure to memorize it. I will quiz you about the {kind} "
    "afterwards.\n{context}\nWhat are all the special magic {kind} for {query} mentioned in the provided text?",
    "The special magic {kind} for {query} mentioned in the provided text is",
    "The special magic {kind} for {query} mentioned in the provided text are",
    {"numbers": ("number", "numbers"), "uuids": ("uuid", "uuids"), "words": ("word", "words")},
    ", ",
    ", and ",
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.",
)
