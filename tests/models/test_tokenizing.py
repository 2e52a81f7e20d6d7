"""Lines tokenised once give the ids of whole texts, or are not used."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from evalkit.models.hf.tokenizing import LineTokenizer

NEWER = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GREEDY = r"\s+\p{L}+|\s+|\S+"  # a line's end sticks to the word behind it
TEXTS = [
    "Question: 7 eggs?\nA. 36\nB. नई दिल्ली\n\nAnswer: B\n\nQuestion: why?\n  indented\n\n\n* 12\n\nAnswer:",
    "a \nb\n\n c\n\nd",
    "x\r\ny\n7",
] * 3


def made(pattern: str | None = None, bos: bool = False, normalizer: Any = None) -> PreTrainedTokenizerFast:
    core = Tokenizer(BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    cut = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    core.pre_tokenizer = pre_tokenizers.Sequence([*cut, level])
    if normalizer is not None:
        core.normalizer = normalizer
    trainer = BpeTrainer(vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    core.train_from_iterator(TEXTS, trainer)
    if bos:
        core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>")


def texts() -> list[str]:
    rng = random.Random(0)
    pieces = [
        "a",
        "Zebra",
        "7",
        "12",
        ".",
        ",",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\n ",
        "\t",
        "\r\n",
        "नई",
        "中",
        "é",
        "<s>",
        "'s",
        "😀",
        "B. ",
        "Answer:",
    ]
    return ["".join(rng.choices(pieces, k=rng.randint(0, 30))) for _ in range(400)]


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("pattern", [None, NEWER])
def test_ids_are_those_of_whole_texts(pattern: str | None, bos: bool, special: bool) -> None:
    tokenizer = made(pattern, bos)
    lines = LineTokenizer(tokenizer)
    assert lines.shares and lines.paragraphs is not None
    found = lines(texts(), special)
    assert lines.shares
    assert found == {text: tuple(tokenizer(text, add_special_tokens=special).input_ids) for text in texts()}


@pytest.mark.parametrize("tokenizer", [made(GREEDY), made(normalizer=normalizers.Replace("\n", " "))], ids=["greedy", "normalised"])
def test_a_tokenizer_that_joins_lines_reads_whole_texts(tokenizer: Any) -> None:
    lines = LineTokenizer(tokenizer)
    assert not lines.shares
    assert lines(texts(), True) == {text: tuple(tokenizer(text).input_ids) for text in texts()}


def test_a_sample_that_disagrees_ends_the_sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = made()
    lines = LineTokenizer(tokenizer)
    monkeypatch.setattr(lines, "_by_lines", lambda texts, start: {text: (1,) for text in texts})
    assert lines(TEXTS, False) == {text: tuple(tokenizer(text).input_ids) for text in TEXTS}
    assert not lines.shares


def test_shared_lines_are_read_once(tiny: Callable[..., Path]) -> None:
    lines = LineTokenizer(made())
    seen: list[str] = []
    whole = lines._whole
    lines._whole = lambda texts, special: (seen.extend(texts), whole(texts, special))[1]  # type: ignore[method-assign]
    shots = "Question: eggs?\nAnswer: 7\n\n" * 5
    lines([f"{shots}Question: number {i}\nAnswer:" for i in range(40)], False)
    assert len(seen) < 40 + 40 + 10 and sum(map(len, seen)) < 16 * 250 + 40 * 40
