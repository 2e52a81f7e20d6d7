"""RULER's documents against those of lm-evaluation-harness 0.4.13, recorded with the tokenizer and the words below."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.tasks.ruler import words
from evalkit.tasks.ruler.make import generate
from evalkit.tasks.ruler.native import codes, told
from evalkit.text import ascii_digits

GOLDEN = json.loads((Path(__file__).resolve().parents[1] / "golden" / "ruler.json").read_text(encoding="utf-8"))
ENGLISH = [name for name in GOLDEN if name.startswith("ruler_")]


def count(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def invented(kind: str) -> tuple[str, ...]:
    """Words for the lists of wonderwords, so that the test needs no such package."""
    ends = {words.NOUNS: "n", words.ADJECTIVES: "y", words.VERBS: "t"}
    first, second = ["ba", "ko", "mi", "tu", "re", "lo", "sa", "ne", "vi", "du"], ["lar", "mes", "tin", "dok", "pav", "fer"]
    return tuple(one + other + ends[kind] for one, other in product(first, second))


@pytest.fixture
def own_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for function in (words.keys, words.every):
        function.cache_clear()
    monkeypatch.setattr(words, "listed", invented)
    yield
    for function in (words.keys, words.every):
        function.cache_clear()


def options(name: str) -> dict[str, Any]:
    return dict(compose([f"task={name}"])["tasks"][name]["data"]["options"])


@pytest.mark.parametrize("name", ENGLISH)
@pytest.mark.usefixtures("own_words")
def test_documents_are_the_reference_s(name: str) -> None:
    for length, kept in GOLDEN[name].items():
        rows = generate(options(name), int(length), len(kept), None, count)
        told = [[hashlib.sha256(row["input"].encode()).hexdigest()[:16], row["outputs"], row["prefix"]] for row in rows]
        assert told == kept


@pytest.mark.parametrize("name", ENGLISH)
@pytest.mark.usefixtures("own_words")
def test_a_close_text_fills_its_length_and_never_exceeds_it(name: str) -> None:
    length = 600 if name == "ruler_cwe" else 1500  # of so few words there is no longer list
    rows = generate({**options(name), "fit": "close"}, length, 3, None, count)
    tokens = {"ruler_vt": 30, "ruler_cwe": 120, "ruler_fwe": 50}.get(name, 128)
    for row in rows:
        size = count(row["input"] + " " + row["prefix"]) + tokens
        assert 0.96 * length <= size <= length  # a text is made of words, or of lines of some thirty tokens
    again = generate({**options(name), "fit": "close"}, length, 1, None, count)
    assert again[0] == rows[0]


@pytest.mark.parametrize("code", codes())
@pytest.mark.parametrize("haystack", ["repeat", "needle"])
def test_native_needles_are_in_native_digits_and_stand_once(code: str, haystack: str) -> None:
    given = {"family": "needles", "haystack": haystack, "fit": "close", "name": "t"}
    for row in generate(given, 800, 3, code, count):
        (value,) = row["outputs"]
        assert row["input"].count(value) == 1
        assert not value.isascii() and len(ascii_digits(value)) == 7
        assert row["id"].startswith(f"{code}/800/")
        assert "{" not in row["input"] + row["prefix"]


@pytest.mark.parametrize("code", codes())
def test_native_needles_of_one_text_have_keys_of_their_own(code: str) -> None:
    (row,) = generate({"family": "needles", "haystack": "needle", "fit": "close", "name": "t"}, 20_000, 1, code, count)
    shown = told(code)["needles"]["needle"]
    pattern = re.escape(shown).replace(r"\{key\}", "(.+)").replace(r"\{value\}", r"(\d+)")
    found = [match[1] for line in row["input"].split("\n") if (match := re.fullmatch(pattern, line))]
    assert len(found) > 300 and len(set(found)) == len(found)


def test_english_tasks_have_no_other_language() -> None:
    with pytest.raises(ValueError, match="no published generator for language 'hi'"):
        generate({"family": "tracking"}, 4096, 1, "hi", count)
    with pytest.raises(ValueError, match="nothing is worded in language 'fr'"):
        generate({"family": "tracking", "fit": "close"}, 4096, 1, "fr", count)


def test_a_text_of_the_user_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("A short story. " * 20)
    given = {"family": "needles", "haystack": "essay", "text": str(tmp_path), "fit": "close", "key": "uuids"}
    with pytest.raises(ValueError, match="the text is too short: all its 60 words"):
        generate(given, 2000, 1, None, count)


def test_every_long_task_says_which_words_it_needs() -> None:
    setup = build(compose(["suite=long_context"]))
    assert all(task.truncation == "error" and task.data.generate for task in setup.tasks.values())
