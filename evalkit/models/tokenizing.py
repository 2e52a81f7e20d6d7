"""Many texts to token ids, what they share once.

Few-shot prompts repeat their examples in every document, and the choices of a document repeat its
prompt. Where no token reaches from the end of a line to a letter or digit that starts the next
one, the ids of a text are the ids of its lines, one after another. So it is

- with byte-level tokenizers, which cut a text into words before anything else;
- with tokenizers that merge the characters of the whole text (SentencePiece's pairs, Gemma's),
  where their vocabulary has nothing in which a letter or digit follows a line's end.

A tokenizer is asked whether it does so on every kind of neighbour at start, and on a sample of the
texts each time. Where it does not, texts are tokenised whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, product
from typing import Any, NamedTuple

from evalkit.models.base import TokenIds

CHUNK = 2048  # texts a tokenizer call; bounds the memory of the encodings it keeps
CHECKED = 16  # texts compared with their whole tokenisation, each time
BEFORE = ("a", "7", ".", "'", "अ", "ि", "中", "é", "😀", "_", "</s>", "  a", ".)", "\n1", " -")
AFTER = ("a", "Z", "7", "अ", "中", "é", "٣", "a b", "7 7", "s\n", "t", "12", "B.\n\n")
ACROSS = re.compile(r"\n[^\W_]|.<0x0A>|<0x0A>.", re.DOTALL)  # what would merge over a line's end, also where that is a byte
Pair = tuple[str, str]  # context, continuation
Ids = tuple[TokenIds, TokenIds]  # the context's ids, and what the ids of both together have behind as many


class Rule(NamedTuple):
    """Where a text is cut: around a `gap` before a letter or digit; `kept` characters of it stay before the cut."""

    gap: str
    kept: int


LINES = Rule("\n", 1)
WORDS = Rule(" ", 0)
# A run of white space is one word to some tokenizers and several to others: an empty line goes before the cut, or half of it.
PARAGRAPHS = (Rule("\n\n", 2), Rule("\n\n", 1))


class LineTokenizer:
    """Tokenises batches of contexts with their continuations; `shares` says whether common lines are tokenised once."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        self.start: TokenIds = ()
        self.end: TokenIds = ()
        self.end = self._appended()
        self.byte_level = False
        # Some tokenizers put a space before a text: a part from inside one is read behind a line's end, taken off again.
        self.anchor, self.dropped = "", 0
        self.shares = self.backend is not None and self._ends_lines() and any(map(self._anchored, ("", "\n")))
        self.paragraphs = next((rule for rule in PARAGRAPHS if self.shares and self._holds(rule)), None)
        self.words = self.shares and self.byte_level and self._holds(WORDS)

    def __call__(self, pairs: Iterable[Pair], special: bool) -> dict[Pair, Ids]:
        """Ids of every distinct pair, as the tokenizer gives them for the whole texts.

        Args:
            special: add the tokenizer's own special tokens.
        """
        distinct = list(dict.fromkeys(pairs))
        if self.shares:
            found = self._by_parts(distinct, self.start if special else ())
            sample = distinct[:: max(1, len(distinct) // CHECKED)]
            if self._by_texts(sample, special) == {pair: found[pair] for pair in sample}:
                return found
            self.shares = False
        return self._by_texts(distinct, special)

    def _by_texts(self, pairs: Sequence[Pair], special: bool) -> dict[Pair, Ids]:
        found: dict[Pair, Ids] = {}
        for place in range(0, len(pairs), CHUNK):
            part = pairs[place : place + CHUNK]
            ids = self._whole(dict.fromkeys(text for context, more in part for text in (context, context + more)), special)
            found.update(((context, more), (ids[context], ids[context + more][len(ids[context]) :])) for context, more in part)
        return found

    def _by_parts(self, pairs: Sequence[Pair], start: TokenIds) -> dict[Pair, Ids]:
        """A cut of a context is a cut of both together too: only the context's last part is read again with each continuation."""
        cuts = {context: self._cut(context) for context in dict.fromkeys(context for context, _ in pairs)}
        heads = {head: self._inner(cut(head, self.paragraphs), True) for head in {head for head, _ in cuts.values()}}
        wanted = chain(
            chain.from_iterable(heads.values()),
            chain.from_iterable(parts for _, parts in cuts.values()),
            (cuts[context][1][-1] + more for context, more in pairs),
        )
        ids = self._parts(dict.fromkeys(wanted))
        behind = {head: start + self._joined(parts, True, ids) for head, parts in heads.items()}
        contexts = {context: behind[head] + self._joined(parts, not head, ids) for context, (head, parts) in cuts.items()}
        found: dict[Pair, Ids] = {}
        for context, more in pairs:
            last = cuts[context][1][-1]
            found[context, more] = contexts[context], ids[last + more][len(ids[last]) :]
        return found

    def _cut(self, context: str) -> tuple[str, list[str]]:
        """Everything before the last paragraph, uncut, and the parts behind it; the last of them is short."""
        at = last_cut(context, self.paragraphs) if self.paragraphs else 0
        *parts, rest = [context[at:]] if at else cut(context, LINES)
        end = max(last_cut(rest, LINES), last_cut(rest, WORDS) if self.words else 0)
        return context[:at], self._inner([*parts, *([rest[:end]] if end else []), rest[end:]], not at)

    def _inner(self, parts: Sequence[str], first: bool) -> list[str]:
        return [part if first and not index else self.anchor + part for index, part in enumerate(parts)]

    def _joined(self, parts: Sequence[str], first: bool, ids: dict[str, TokenIds]) -> TokenIds:
        taken = (ids[part] if first and not index else ids[part][self.dropped :] for index, part in enumerate(parts))
        return tuple(chain.from_iterable(taken))

    def _parts(self, texts: Iterable[str]) -> dict[str, TokenIds]:
        """Ids without special tokens and without anything else that a tokenizer call makes."""
        texts = list(texts)
        ids: dict[str, TokenIds] = {}
        for place in range(0, len(texts), CHUNK):
            part = texts[place : place + CHUNK]
            encoded = self.backend.encode_batch_fast(part, add_special_tokens=False)
            ids.update((text, tuple(row.ids)) for text, row in zip(part, encoded, strict=True))
        return ids

    def _whole(self, texts: Iterable[str], special: bool) -> dict[str, TokenIds]:
        texts = list(texts)
        if not texts:
            return {}
        encoded = self.tokenizer(texts, add_special_tokens=special, return_attention_mask=False, verbose=False)["input_ids"]
        end = len(self.end) if special else 0
        rows = (tuple(row[:-end] if end and tuple(row[-end:]) == self.end else row) for row in encoded)
        return dict(zip(texts, rows, strict=True))

    def _appended(self) -> TokenIds:
        """What the tokenizer puts behind every text (an EOS, BERT's [SEP]): a text that is to go on does not end so."""
        plain, special = (self._whole(["a"], flag)["a"] for flag in (False, True))
        starts = (at for at in range(len(special) - len(plain), -1, -1) if special[at : at + len(plain)] == plain)
        at = next(starts, None) if plain else None
        return () if at is None else special[at + len(plain) :]

    def _ends_lines(self) -> bool:
        """Whether a line's end may part tokens at all, and special tokens only come before them."""
        added = self.tokenizer.added_tokens_decoder.values()
        if any(token.lstrip or token.rstrip for token in added):
            return False
        self.byte_level = self._joins_words([token.content for token in added])
        if not (self.byte_level or self._merges_within_lines()):
            return False
        plain, special = (self._whole(["a"], flag)["a"] for flag in (False, True))
        self.start = special[: len(special) - len(plain)]
        return self.start + plain == special

    def _joins_words(self, added: Sequence[str]) -> bool:
        """Whether texts are cut into words first, with letters that stay letters."""
        normal = self.backend.normalizer is None or _state(self.backend.normalizer)["type"] == "NFC"
        return normal and "ByteLevel" in str(self.backend.pre_tokenizer) and not any("\n" in content for content in added)

    def _merges_within_lines(self) -> bool:
        """Whether the tokenizer merges pairs of characters and no merge can reach over a line's end.

        Pairs are merged by rank alone. Where no token holds both sides of a place, nothing on one side changes what is
        merged on the other.
        """
        model = self.backend.model
        if type(model).__name__ != "BPE" or model.dropout or model.ignore_merges:
            return False
        if model.continuing_subword_prefix or model.end_of_word_suffix or not _spaces(self.backend.normalizer, NORMALIZERS):
            return False
        vocabulary = self.backend.get_vocab(with_added_tokens=True)
        known = "\n" in vocabulary or (model.byte_fallback and "<0x0A>" in vocabulary)
        return known and _spaces(self.backend.pre_tokenizer, PRE_TOKENIZERS) and not any(map(ACROSS.search, vocabulary))

    def _anchored(self, anchor: str) -> bool:
        self.anchor, self.dropped = anchor, len(self._whole([anchor], False)[anchor])
        return self._holds(LINES)

    def _holds(self, rule: Rule) -> bool:
        """Whether the cut parts tokens whatever is around it."""
        kept, left = rule.gap[: rule.kept], rule.gap[rule.kept :]
        pairs = [(f"x y{before}{kept}", f"{left}{after}") for before, after in product(BEFORE, AFTER)]
        joined = self._whole(dict.fromkeys(one + other for one, other in pairs), False)
        parts = self._parts(dict.fromkeys(part for one, other in pairs for part in (one, self.anchor + other)))
        return all(joined[one + other] == parts[one] + parts[self.anchor + other][self.dropped :] for one, other in pairs)


NORMALIZERS = ("Prepend", "Replace")
PRE_TOKENIZERS = ("Metaspace", "Split")


def _spaces(step: Any, kinds: Sequence[str]) -> bool:
    """Whether a tokenizer's step is none, or of these kinds and looks at single spaces only."""
    if step is None:
        return True
    state = _state(step)
    parts = state.get("normalizers") or state.get("pretokenizers") or [state]
    return all(part["type"] in kinds and part.get("pattern", {"String": " "}) == {"String": " "} for part in parts)


def _state(step: Any) -> dict[str, Any]:
    return dict(json.loads(step.__getstate__()))


def cut(text: str, rule: Rule | None) -> list[str]:
    """The text in parts; a line that ends in other white space is not cut."""
    return [text[start:end] for start, end in pairwise((0, *(_places(text, rule) if rule else ()), len(text)))]


def _places(text: str, rule: Rule) -> Iterator[int]:
    at = text.find(rule.gap)
    while at >= 0:
        if _parts_at(text, at, rule):
            yield at + rule.kept
        at = text.find(rule.gap, at + 1)


def last_cut(text: str, rule: Rule) -> int:
    """Where the last part of the text starts; 0 if there is one part."""
    at = text.rfind(rule.gap)
    while at >= 0 and not _parts_at(text, at, rule):
        at = text.rfind(rule.gap, 0, at + len(rule.gap) - 1)
    return at + rule.kept if at >= 0 else 0


def _parts_at(text: str, at: int, rule: Rule) -> bool:
    behind = at + len(rule.gap)
    return at > 0 and text[behind : behind + 1].isalnum() and not text[at - 1].isspace()
