"""Prompt sets, the shipped one, and the table of words."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, DataError
from evalkit.languages import LANGUAGES
from evalkit.rating.prompt_set import CODE, read_prompts, shipped, task_of, to_doc
from evalkit.rating.words import WORDS
from evalkit.types import Doc, GenerateRequest, Response

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = {"hi": "DEVANAGARI", "mr": "DEVANAGARI", "bn": "BENGALI", "ta": "TAMIL", "te": "TELUGU", "ur": "ARABIC", "en": "LATIN"}


def foreign(text: str, language: str, also: tuple[str, ...] = ()) -> list[str]:
    """Letters and vowel signs of another script than the language's."""
    allowed = (SCRIPTS[language], *also)
    signs = [char for char in text if char.isalpha() or unicodedata.category(char).startswith("M")]
    return [char for char in signs if not unicodedata.name(char).startswith(allowed)]


# Signs of other scripts: the full stop of Latin in Hindi and Bengali, the danda in Marathi, straight quotes in all.
WRONG_SIGNS = {"hi": r'\D\.(?:\s|$)|"', "bn": r'\D\.(?:\s|$)|"|[0-9]', "ur": r'\D\.(?:\s|$)|"|\D[,;]|\?'}
WRONG_SIGNS |= dict.fromkeys(("mr", "ta", "te"), '।|"')
CATEGORIES = ["creative_writing", "summarisation", "translation", "reasoning", "coding", "indian_culture"]


def own_words(text: str, category: str, language: str) -> list[tuple[str, str]]:
    """Parts of a prompt that must be in one script, with the language whose script that is."""
    if category == "translation":  # from Hindi into English, from English into everything else: the passage is below an empty line
        asked, _, passage = text.partition("\n\n")
        return [(asked, language), (passage, "hi" if language == "en" else "en")]
    if category == "coding" and language != "en":
        return [(re.sub(CODE + r"|\b(?:Python|SQL|JavaScript)", " ", text), language)]
    return [(text, language)]


def test_the_shipped_prompts() -> None:
    """Six categories in seven languages, eight each: in their own script, no text twice."""
    prompts = read_prompts(shipped())
    counts = Counter((prompt.category, prompt.language) for prompt in prompts)
    assert set(counts) == {(category, language) for category in CATEGORIES for language in SCRIPTS} and set(counts.values()) == {8}
    texts = [turn.content for prompt in prompts for turn in prompt.turns]
    assert len({re.sub(r"[\W\d_]+", "", text) for text in texts}) == len(texts)
    for prompt in prompts:
        assert prompt.id == f"{prompt.category}/{prompt.language}/{prompt.id[-1]}"
        for turn in prompt.turns:
            for text, language in own_words(turn.content, prompt.category, prompt.language):
                assert not foreign(text, language), prompt.id
            assert turn.content == unicodedata.normalize("NFC", turn.content) == turn.content.strip(), prompt.id
            assert not re.search("[يكهىة]", turn.content), prompt.id  # Arabic letters that Urdu writes with others
            said = re.sub(CODE, "", own_words(turn.content, prompt.category, prompt.language)[0][0])
            assert not re.search(WRONG_SIGNS.get(prompt.language, "।"), said), prompt.id
    passages = [turn.content for prompt in prompts if prompt.category == "summarisation" for turn in prompt.turns[:1]]
    assert min(map(len, passages)) > 280  # there is something to leave out
    assert Counter(prompt.category for prompt in prompts if len(prompt.turns) > 1) == {
        category: len(SCRIPTS) for category in ("creative_writing", "summarisation", "coding")
    }


def test_python_in_a_prompt_can_be_read() -> None:
    """Every block of code in Python is Python: a prompt that asks for a fault must not have one that was not meant."""
    blocks = [
        block
        for prompt in read_prompts(shipped())
        for turn in prompt.turns
        for block in re.findall(r"```python\n(.*?)```", turn.content, re.DOTALL)
    ]
    assert len(blocks) > 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in blocks:
            compile(block, "prompt", "exec")


def test_an_answer_in_plain_text_ends_where_another_turn_would_begin() -> None:
    prompt = task_of(shipped()).prompt
    doc = to_doc({"id": "a", "language": "en", "category": "c", "prompt": "Why?"})
    plain, chat = (prompt.render("t", doc, (), chat) for chat in (False, True))
    assert isinstance(plain, GenerateRequest) and isinstance(chat, GenerateRequest)
    assert plain.prompt == "User: Why?\nAssistant:" and set(plain.params.stop) == {"\nUser:", "\nAssistant:"} and not chat.params.stop


def test_code_does_not_count_as_the_language_of_an_answer() -> None:
    (metric,) = task_of(shipped(), ["hi"]).metrics
    doc = Doc("a", {}, language="hi")
    answer = "यह सूची का योग है।\n```python\nprint(sum(items))  # a long comment in English letters\n```\n`sum` जोड़ता है।"
    assert metric.score(doc, [Response("k", "ok", text=answer)]).value == 1


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
    with pytest.raises(ConfigError, match=r"languages=ta: .* has nothing in 'ta'; there are hi"):
        task_of(path, ["ta"])
