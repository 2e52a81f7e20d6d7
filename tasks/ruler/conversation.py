"""Long conversations: the user says a fact in some turn, talks of other things, and asks for it in the last turn."""

from __future__ import annotations

import random
from dataclasses import dataclass

from evalkit.text import ascii_digits

from .haystacks import Haystack
from .item import Count, Item
from .native import told
from .needles import sentences
from .wording import Wording

SENTENCES = 6  # of a user's turn
FACTS = 3  # told in a conversation, one of which is asked for
NOTED = "All right, I have read it."
QUESTION = "What is the special magic number for {query} that I told you earlier in this conversation?"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of prose, among them three with a fact each; the length counts it as plain text."""

    wording: Wording
    text: Haystack
    tokens: int = 128
    delimiter: str = ""
    step: int = 200
    least: int = 40
    unit: str = "words"
    questions: int = 1

    @property
    def most(self) -> int:
        return self.text.total

    def sound(self, item: Item) -> bool:
        """Whether the number was said once."""
        text = ascii_digits(item.input)
        return all(text.count(ascii_digits(value)) == 1 for value in item.outputs)

    def make(self, units: int, rng: random.Random, index: int = 0) -> Item:
        """A conversation of about that many words."""
        code = self.wording.code
        noted, question = (NOTED, QUESTION) if code == "en" else (told(code)["conversation"][name] for name in ("noted", "question"))
        parts = sentences(self.text.words(units).strip(), code)
        said = [" ".join(parts[at : at + SENTENCES]) for at in range(0, len(parts), SENTENCES)]
        keys: list[str] = []
        while len(keys) < FACTS:
            if (key := self.wording.draw("words", rng)) not in keys:
                keys.append(key)
        values = [self.wording.draw("numbers", rng) for _ in keys]
        for key, value in zip(keys, values, strict=True):
            said.insert(rng.randint(0, len(said)), self.wording.sentence("numbers", key, value))
        turns = [turn for text in said for turn in (("user", text), ("assistant", noted))]
        turns.append(("user", question.format(query=keys[0])))
        whole = "\n".join(f"{role.capitalize()}: {text}" for role, text in turns) + "\nAssistant:"
        return Item(whole, (values[0],), "", places=(whole.find(values[0]),), turns=tuple(turns))

    def published(self, length: int, documents: int, count: Count) -> list[Item]:
        """Raises ValueError: there is none."""
        raise ValueError("conversations have no published generator; set data.options.fit=close")
