"""Parts tokenised once give the ids of whole texts, or are not used."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram
from tokenizers.trainers import BpeTrainer, UnigramTrainer
from transformers import PreTrainedTokenizerFast

from evalkit.models.base import TokenIds
from evalkit.models.encoding import AT_ONCE, Encoder
from evalkit.models.tokenizing import LINES, PARAGRAPHS, WORDS, LineTokenizer, Pair, cut, last_cut
from evalkit.types import GenerateRequest, GenerationParams, LoglikelihoodRequest, Request

NEWER = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GREEDY = r"\s+\p{L}+|\s+|\S+"  # a line's end sticks to the word behind it
TEXTS = [
    "Question: 7 eggs?\nA. 36\nB. नई दिल्ली\n\nAnswer: B\n\nQuestion: why?\n  indented\n\n\n* 12\n\nAnswer:",
    "a \nb\n\n c\n\nd",
    "x\r\ny\n7",
] * 3
PIECES = ("a", "Zebra", "7", "12", ".", ",", " ", "  ", "\n", "\n\n", "\n ", "\t", "\r\n", "नई", "中", "é", "e\u0301", "<s>", "'s", "😀")
WORDED = ("B. ", "Answer:", " eggs", "Question: why?\n", "\n\nA", "\x1c", "\n\u0301")


def byte_level(pattern: str | None = None, bos: bool = False, normalizer: Any = None, spaced: bool = False) -> PreTrainedTokenizerFast:
    core = Tokenizer(BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=spaced, use_regex=pattern is None)
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    core.pre_tokenizer = pre_tokenizers.Sequence([*splits, level])
    if normalizer is not None:
        core.normalizer = normalizer
    trainer = BpeTrainer(vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    core.train_from_iterator(TEXTS, trainer)
    return finished(core, bos)


def whole_text(*, newline: bool, normalizer: Any = None, pre: Any = None, added: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """Merges the characters of a whole text; unknown ones, with `newline=False` a line's end too, are bytes."""
    core = Tokenizer(BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    core.normalizer, core.pre_tokenizer = normalizer or normalizers.Replace(" ", "▁"), pre
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    learnt = [text if newline else line for text in TEXTS for line in text.split("\n")]
    core.train_from_iterator(learnt, BpeTrainer(vocab_size=420, special_tokens=special))
    core.add_tokens([AddedToken(token, normalized=False) for token in added])
    return finished(core, True)


def finished(core: Any, bos: bool) -> PreTrainedTokenizerFast:
    if bos:
        place = core.token_to_id("<s>")
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", place)])
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>")


def unigram() -> PreTrainedTokenizerFast:
    core = Tokenizer(Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.train_from_iterator(TEXTS, UnigramTrainer(vocab_size=120, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>"))
    return finished(core, True)


LINE_MARKS = tuple("\n" * size for size in range(1, 32))  # Gemma's: every run of empty lines is one token
SHARING = {
    "gpt2": byte_level(),
    "gpt2, bos": byte_level(bos=True),
    "newer": byte_level(NEWER),
    "newer, bos, nfc": byte_level(NEWER, True, normalizers.NFC()),
    "gpt2, space before": byte_level(spaced=True),
    "gemma": whole_text(newline=False, added=LINE_MARKS, pre=pre_tokenizers.Split(" ", "merged_with_previous")),
    "sentencepiece": whole_text(newline=False, normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])),
    "metaspace": whole_text(newline=False, pre=pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
}
WHOLE = {
    "greedy": byte_level(GREEDY),
    "lines joined by the normaliser": byte_level(normalizer=normalizers.Replace("\n", " ")),
    "compatibility forms": byte_level(normalizer=normalizers.NFKC()),
    "merges over lines": whole_text(newline=True),
    "unigram": unigram(),
}


def expected(tokenizer: Any, pair: Pair, special: bool) -> tuple[TokenIds, TokenIds]:
    head, both = (tuple(tokenizer(text, add_special_tokens=special).input_ids) for text in (pair[0], "".join(pair)))
    return head, both[len(head) :]


def some_pairs(size: int) -> list[Pair]:
    chance = random.Random(0)
    made = [("".join(chance.choices(PIECES + WORDED, k=chance.randint(0, 24))), chance.choice(PIECES + WORDED)) for _ in range(size)]
    return [*made, ("", ""), ("", " A"), ("a", "")]


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("name", SHARING)
def test_ids_are_those_of_whole_texts(name: str, special: bool) -> None:
    lines = LineTokenizer(SHARING[name])
    assert lines.shares and lines.paragraphs is not None
    assert lines.words == (name.startswith(("gpt2", "newer")))
    found = lines(some_pairs(600), special)
    assert lines.shares
    for pair, ids in found.items():
        assert ids == expected(SHARING[name], pair, special), pair


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SHARING)), st.lists(st.sampled_from(PIECES + WORDED), max_size=12), st.text(max_size=8), st.booleans())
def test_no_text_is_read_in_another_way(name: str, pieces: list[str], more: str, special: bool) -> None:
    lines = LineTokenizer(SHARING[name])
    pair = ("".join(pieces) + more[:3], more)
    assert lines([pair], special)[pair] == expected(SHARING[name], pair, special)
    assert lines.shares, "only the sample was right"


@pytest.mark.parametrize("name", WHOLE)
def test_a_tokenizer_that_joins_lines_reads_whole_texts(name: str) -> None:
    lines = LineTokenizer(WHOLE[name])
    assert not lines.shares
    assert lines(some_pairs(60), True) == {pair: expected(WHOLE[name], pair, True) for pair in some_pairs(60)}


@pytest.mark.parametrize("made", ["<s> $A </s>", "$A </s>", "$A </s> <s>"])
def test_what_a_tokenizer_puts_behind_a_text_is_no_part_of_a_prompt(made: str) -> None:
    plain, closing = byte_level(), byte_level()
    ids = [(token, closing.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    closing.backend_tokenizer.post_processor = processors.TemplateProcessing(single=made, special_tokens=ids)
    lines, head = LineTokenizer(closing), (ids[0][1],) * made.startswith("<s>")
    pairs = [*some_pairs(60), ("a</s>", "b"), ("a", "b</s>")]
    for pair, (context, more) in lines(pairs, True).items():
        first, second = expected(plain, pair, False)
        assert (context, more) == (head + first, second), pair
    assert lines.shares
    (item,) = Encoder(closing, 512, "f", None).encode([GenerateRequest("t", "d", "a 7", GenerationParams(4))])
    assert item.prompt_ids == head + tuple(plain("a 7").input_ids)


def test_a_sample_that_disagrees_ends_the_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = LineTokenizer(SHARING["gpt2"])
    monkeypatch.setattr(lines, "_by_parts", lambda pairs, start: dict.fromkeys(pairs, ((1,), (2,))))
    pairs = [(text, " A") for text in TEXTS]
    assert lines(pairs, False) == {pair: expected(SHARING["gpt2"], pair, False) for pair in pairs}
    assert not lines.shares


def test_nothing_is_kept_of_parts_when_a_later_sample_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(SHARING["gpt2"], 512, "f", None)
    requests: list[Request] = [LoglikelihoodRequest("t", str(i), ((f"a {i}\nb", " c"),)) for i in range(AT_ONCE + 1)]
    whole = [item.pairs for item in encoder.encode(requests)]
    by_parts = encoder.lines._by_parts

    def wrong_after_the_sample(pairs: list[Pair], start: TokenIds) -> Any:
        found = by_parts(pairs, start)
        if len(pairs) > 1:
            found[pairs[1]] = ((1,), (2,))  # not in the sample: nobody sees it here
        else:
            found[pairs[0]] = ((1,), (2,))
        return found

    monkeypatch.setattr(encoder.lines, "_by_parts", wrong_after_the_sample)
    assert [item.pairs for item in encoder.encode(requests)] == whole
    assert not encoder.lines.shares


def test_what_texts_share_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = LineTokenizer(SHARING["gpt2"])
    seen: list[str] = []
    parts = lines._parts

    def noted(texts: Iterable[str]) -> dict[str, TokenIds]:
        texts = list(texts)
        seen.extend(texts)
        return parts(texts)

    monkeypatch.setattr(lines, "_parts", noted)
    shots = "Question: eggs?\nAnswer: 7\n\n" * 5
    lines([(f"{shots}Question: number {i} of many\nAnswer:", f" {letter}") for i in range(40) for letter in "ABCD"], False)
    assert sorted(seen) == sorted(set(seen))
    assert sum(map(len, seen)) < len(shots) + 40 * len("Question: number 10 of many\n") + 6 * len("Answer: A")


@given(st.lists(st.sampled_from(PIECES + WORDED), max_size=12).map("".join), st.sampled_from([LINES, WORDS, *PARAGRAPHS]))
def test_the_last_cut_is_the_last_of_all(text: str, rule: Any) -> None:
    parts = cut(text, rule)
    assert "".join(parts) == text and all(parts) == bool(text)
    assert last_cut(text, rule) == len("".join(parts[:-1]))
