"""Many texts to token ids, lines that they share once.

Few-shot prompts repeat their examples in every document. Byte-level tokenizers cut a text into
words before anything else, and a word never crosses from the end of a line to a letter or digit
that starts the next one. So there the ids of a text are the ids of its lines, one after another.
Whether that holds is asked of the tokenizer itself: on every kind of neighbour at start, and on a
sample of the texts each time. Where it does not, texts are tokenised whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, product
from typing import Any

from evalkit.models.base import TokenIds

CHUNK = 2048  # texts a tokenizer call; bounds the memory of the encodings it keeps
CHECKED = 16  # texts compared with their whole tokenisation, each time
# What to look for (a literal start keeps the search fast), and how the text before the cut ends. A run of white space is one
# word to some tokenizers and several to others, so an empty line is cut behind its end, before it, or not at all.
Rule = tuple[re.Pattern[str], str]
LINES: Rule = (re.compile(r"\n(?=[^\W_])"), "\n")
PARAGRAPHS: tuple[Rule, ...] = ((re.compile(r"\n\n(?=[^\W_])"), "\n\n"), (re.compile(r"\n\n(?=[^\W_])"), "\n"))
BEFORE = ("a", "7", ".", "'", "अ", "ि", "中", "é", "😀", "_", "</s>", "  a", ".)", "\n1", " -")
AFTER = ("a", "Z", "7", "अ", "中", "é", "٣", "a b", "7 7", "s\n", "t", "12", "B.\n\n")


class LineTokenizer:
    """Tokenises batches of texts; `shares` says whether common lines are tokenised once."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.start: TokenIds = ()
        self.shares = self._joins_words() and self._holds(LINES)
        self.paragraphs = next((rule for rule in PARAGRAPHS if self.shares and self._holds(rule)), None)

    def __call__(self, texts: Sequence[str], special: bool) -> dict[str, TokenIds]:
        """Ids of every distinct text, as the tokenizer gives them for the whole text.

        Args:
            special: add the tokenizer's own special tokens.
        """
        texts = sorted(set(texts))
        if self.shares:
            found = self._by_lines(texts, self.start if special else ())
            sample = texts[:: max(1, len(texts) // CHECKED)]
            if self._whole(sample, special) == {text: found[text] for text in sample}:
                return found
            self.shares = False
        return self._whole(texts, special)

    def _by_lines(self, texts: Iterable[str], start: TokenIds) -> dict[str, TokenIds]:
        paragraphs = {text: cut(text, self.paragraphs) if self.paragraphs else [text] for text in texts}
        lines = {paragraph: cut(paragraph, LINES) for paragraph in set(chain.from_iterable(paragraphs.values()))}
        ids = self._whole(sorted(set(chain.from_iterable(lines.values()))), False)
        of = {paragraph: tuple(chain.from_iterable(map(ids.__getitem__, parts))) for paragraph, parts in lines.items()}
        return {text: (*start, *chain.from_iterable(map(of.__getitem__, parts))) for text, parts in paragraphs.items()}

    def _whole(self, texts: Sequence[str], special: bool) -> dict[str, TokenIds]:
        ids: dict[str, TokenIds] = {}
        for place in range(0, len(texts), CHUNK):
            part = texts[place : place + CHUNK]
            encoded = self.tokenizer(part, add_special_tokens=special, return_attention_mask=False, verbose=False)["input_ids"]
            ids.update((text, tuple(row)) for text, row in zip(part, encoded, strict=True))
        return ids

    def _joins_words(self) -> bool:
        """Whether texts are cut into words first, unchanged, and special tokens only come before them."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None or backend.normalizer is not None or "ByteLevel" not in str(backend.pre_tokenizer):
            return False
        if any("\n" in token.content or token.lstrip or token.rstrip for token in self.tokenizer.added_tokens_decoder.values()):
            return False
        plain, special = (self._whole(["a"], flag)["a"] for flag in (False, True))
        self.start = special[: len(special) - len(plain)]
        return self.start + plain == special

    def _holds(self, rule: Rule) -> bool:
        """Whether the cut parts words whatever stands around it."""
        gap = rule[0].pattern.split("(")[0].replace("\\n", "\n")
        pairs = [(f"x y{before}{rule[1]}", f"{gap[len(rule[1]) :]}{after}") for before, after in product(BEFORE, AFTER)]
        joined = self._whole([one + other for one, other in pairs], False)
        parts = self._whole(sorted({text for pair in pairs for text in pair}), False)
        return all(joined[one + other] == parts[one] + parts[other] for one, other in pairs)


def cut(text: str, rule: Rule) -> list[str]:
    """The text in parts; a line that ends in other white space is not cut."""
    parts, at = [], 0
    for found in rule[0].finditer(text):
        place = found.start()
        if place and not text[place - 1].isspace():
            parts.append(text[at : place + len(rule[1])])
            at = place + len(rule[1])
    return [*parts, text[at:]]
