"""Prompt sets, the shipped one, and the table of words."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import DataError
from evalkit.languages import LANGUAGES
from evalkit.rating.prompt_set import read_prompts, shipped, task_of
from evalkit.rating.words import WORDS

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = {"hi": "DEVANAGARI", "bn": "BENGALI", "ta": "TAMIL", "te": "TELUGU", "ur": "ARABIC", "en": "LATIN"}


def foreign(text: str, language: str, also: tuple[str, ...] = ()) -> list[str]:
    """Letters and vowel signs of another script than the language's."""
    allowed = (SCRIPTS[language], *also)
    signs = [char for char in text if char.isalpha() or unicodedata.category(char).startswith("M")]
    return [char for char in signs if not unicodedata.name(char).startswith(allowed)]


def test_the_shipped_prompts() -> None:
    prompts = read_prompts(shipped())
    counts = Counter((prompt.category, prompt.language) for prompt in prompts)
    assert len({category for category, _ in counts}) >= 3 and len({language for _, language in counts}) >= 6
    assert set(counts.values()) == {8}
    assert any(len(prompt.turns) > 1 for prompt in prompts)
    texts = [turn.content for prompt in prompts for turn in prompt.turns]
    assert len(set(texts)) == len(texts)
    for prompt in prompts:
        for turn in prompt.turns:
            assert not foreign(turn.content, prompt.language), prompt.id
            assert turn.content == unicodedata.normalize("NFC", turn.content) == turn.content.strip(), prompt.id


def test_a_word_in_every_column_and_in_its_own_script() -> None:
    with (REPO / "evalkit" / "rating" / "words.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["key"] for row in rows}) == len(rows)
    assert {"en", "hi", "ur"} <= set(WORDS) <= set(LANGUAGES)
    for row in rows:
        for code in WORDS:
            assert row[code].strip() == row[code] != "", (row["key"], code)
            assert set(re.findall(r"\{\w+\}", row[code])) == set(re.findall(r"\{\w+\}", row["en"])), (row["key"], code)
            if row["key"] != "direction":
                assert not foreign(re.sub(r"\{\w+\}", "", row[code]), code, ("LATIN",)), (row["key"], code)
    assert {code: words["direction"] for code, words in WORDS.items() if words["direction"] != "ltr"} == {"ur": "rtl"}


def test_every_word_of_the_page_is_in_the_table() -> None:
    page = REPO / "evalkit" / "rating" / "page"
    shell, script = ((page / name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))
    said = set(re.findall(r'data-(?:word|label)="(\w+)"', shell)) | set(re.findall(r'word\("(\w+)"', script))
    assert said <= set(WORDS["en"])


GOOD = {"id": "a", "language": "hi", "category": "reasoning", "prompt": "क्यों?"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompt": None}, "field 'prompt': None is no text"),
        ({"prompt": "  "}, "is no text"),
        ({"language": "xx"}, "'xx' is not a known code"),
        ({"language": ""}, "field 'language': '' is no text"),
        ({"category": 3}, "field 'category': 3 is no text"),
        ({"messages": [{"role": "user", "content": "x"}]}, "give either 'prompt'"),
        ({"propmt": "x"}, "unknown field 'propmt'; did you mean prompt?"),
        ({"reference": ["x"]}, "field 'reference'"),
        ({"prompt": ..., "messages": []}, "not a list of turns"),
        ({"prompt": ..., "messages": [{"role": "assistant", "content": "x"}]}, "the last turn is not the user's"),
        ({"prompt": ..., "messages": [{"role": "bot", "content": "x"}]}, "is no turn"),
        ({"prompt": ..., "messages": [{"role": "user", "content": ""}]}, "field 'messages': '' is no text"),
    ],
)
def test_a_wrong_prompt_names_file_line_and_field(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "prompts.jsonl"
    row = {name: value for name, value in {**GOOD, **change}.items() if value is not ...}
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps({**row, "id": "b"}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(said)) as error:
        read_prompts(path)
    assert f"{path}:2: " in str(error.value)


def test_an_id_twice_an_empty_file_and_a_language_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text((json.dumps(GOOD) + "\n") * 2, encoding="utf-8")
    with pytest.raises(DataError, match=r":2: id 'a' is that of an earlier prompt too"):
        read_prompts(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no prompt"):
        read_prompts(path)
    path.write_text(json.dumps(GOOD), encoding="utf-8")
    with pytest.raises(DataError, match="has no prompt in ta; it has hi"):
        task_of(path, ["ta"])
