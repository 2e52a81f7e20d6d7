"""RULER's documents against those of lm-evaluation-harness 0.4.13, recorded with the tokenizer and the words below."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import regex

from evalkit.config.compose import compose
from evalkit.config.setup import build
from evalkit.languages import LANGUAGES
from evalkit.tasks.ruler import words
from evalkit.tasks.ruler.haystacks import haystack
from evalkit.tasks.ruler.make import generate, to_doc
from evalkit.tasks.ruler.native import codes, told
from evalkit.tasks.ruler.sentences import by_marks
from evalkit.text import ascii_digits
from tests.tasks.ruler_rows import hotpot_rows, squad_rows

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


@cache
def task_of(name: str) -> Any:
    return compose([f"task={name}"])["tasks"][name]


def options(name: str) -> dict[str, Any]:
    return dict(task_of(name)["data"]["options"])


def rows_of(name: str) -> list[dict[str, Any]]:
    return {"ruler_qa_squad": squad_rows, "ruler_qa_hotpot": hotpot_rows}[name]() if name.startswith("ruler_qa") else []


@pytest.mark.parametrize("name", ENGLISH)
@pytest.mark.usefixtures("own_words")
def test_documents_are_the_reference_s(name: str) -> None:
    for length, kept in GOLDEN[name].items():
        rows = generate(options(name), int(length), len(kept), None, count, rows_of(name))
        told = [[hashlib.sha256(row["input"].encode()).hexdigest()[:16], row["outputs"], row["prefix"]] for row in rows]
        assert told == kept


@pytest.mark.parametrize("name", ENGLISH)
@pytest.mark.usefixtures("own_words")
def test_a_close_text_fills_its_length_and_never_exceeds_it(name: str) -> None:
    length = 600 if name == "ruler_cwe" else 1500  # of so few words there is no longer list
    rows = generate({**options(name), "fit": "close"}, length, 3, None, count, rows_of(name))
    tokens = {"ruler_vt": 30, "ruler_cwe": 120, "ruler_fwe": 50, "ruler_qa_squad": 32, "ruler_qa_hotpot": 32}.get(name, 128)
    for row in rows:
        size = count(row["input"] + " " + row["prefix"]) + tokens
        assert 0.96 * length <= size <= length  # a text is made of words, or of lines of some thirty tokens
    again = generate({**options(name), "fit": "close"}, length, 1, None, count, rows_of(name))
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


FAMILIES = {
    "ruler_niah_single_2_in": 128,
    "ruler_niah_multikey_1_in": 128,
    "ruler_niah_multivalue_in": 128,
    "ruler_niah_multiquery_in": 128,
    "ruler_niah_en_in": 128,
    "ruler_niah_in_en": 128,
    "ruler_vt_in": 128,
    "ruler_cwe_in": 256,
    "ruler_fwe_in": 128,
}


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    return dict(compose([f"task=[{','.join(FAMILIES)}]"])["tasks"])


@pytest.mark.parametrize("code", codes())
def test_every_family_is_there_in_every_language(code: str, composed: dict[str, Any], own_words: None) -> None:
    for name, tokens in FAMILIES.items():
        task = composed[name]
        assert task["prompt"]["params"]["max_new_tokens"] == tokens
        assert code in task["languages"]
        (row,) = generate(task["data"]["options"], 2000, 1, code, count)
        size = count(row["input"] + task["prompt"].get("delimiter", " ") + row["prefix"]) + tokens
        assert 0.96 * 2000 <= size <= 2000  # a line of thirty tokens, or a word six times, may not fit
        assert "{" not in row["input"] + row["prefix"]
        assert row["depths"] or name in ("ruler_cwe_in", "ruler_fwe_in")
        native = name != "ruler_niah_in_en"
        assert all(native != output.isascii() for output in row["outputs"])
        if name.startswith("ruler_niah"):
            assert all(ascii_digits(row["input"]).count(ascii_digits(output)) == 1 for output in row["outputs"])


@pytest.mark.parametrize("code", codes())
def test_the_text_of_a_language_is_varied_and_has_no_number(code: str) -> None:
    text = " ".join(haystack(code, None).listed)
    found = by_marks(text)
    assert len(found) >= 40 and len(set(found)) == len(found)
    assert not re.search(r"\d", text)
    script = LANGUAGES[code].scripts[0]
    assert not regex.search(rf"(?V1)[\p{{L}}--\p{{Script={script}}}]", text)


def test_ten_questions_about_one_text_share_it(own_words: None) -> None:
    given = options("ruler_niah_depths")
    rows = generate(given, 2000, 20, "hi", count)
    question = told("hi")["needles"]["one_question"].partition("{query}")[0]
    texts = [row["input"].rpartition(question)[0] for row in rows]
    assert len({*texts[:10]}) == len({*texts[10:]}) == 1 and texts[0] != texts[10]
    assert sorted(row["depths"][0] // 10 for row in rows[:10]) == list(range(10))
    assert len({row["outputs"][0] for row in rows}) == 20
    assert generate(given, 2000, 3, "hi", count) == rows[:3]


def test_questions_of_the_user_s_rows_have_other_passages_without_an_answer() -> None:
    given = options("ruler_qa_in")
    rest = "यह पुराना गाँव है। " * 20
    rows: list[dict[str, Any]] = [
        {"context": f"स्थान {n} है। {rest}", "question": f"{n}?", "answers": {"text": [f"स्थान {n}"]}} for n in range(90)
    ]
    rows.append({"context": "खाली", "question": "?", "answers": {"text": [""]}})
    for row in generate(given, 2000, 5, "hi", count, rows):
        assert row["input"].count(row["outputs"][0] + " ") == 1 and len(row["depths"]) == 1
        assert "दस्तावेज़ १:" in row["input"] and "दस्तावेज़ २:" in row["input"]
    with pytest.raises(ValueError, match="rows of another schema"):
        generate(given, 2000, 5, "hi", count, [{"text": "x"}])
    with pytest.raises(ValueError, match="the text is too short: all its"):
        generate(given, 20_000, 5, "hi", count, rows[:3])


def test_a_conversation_tells_a_fact_and_asks_for_it(own_words: None) -> None:
    given = options("long_conversation")
    for row in generate(given, 1500, 4, "ta", count):
        turns, doc = row["turns"], to_doc(row)
        assert [turn["role"] for turn in turns] == ["user", "assistant"] * (len(turns) // 2) + ["user"]
        assert sum(doc.target[0] in turn["content"] for turn in turns) == 1 and doc.target[0] not in turns[-1]["content"]
        assert 0.98 * 1500 <= count("\n".join(f"{turn['role']}: {turn['content']}" for turn in turns) + "\nA:") + 128 <= 1500
        assert doc.language == "ta" and doc.fields["length"] == 1500 and len(doc.fields["depths"]) == 1


def test_keys_are_those_of_a_sorted_list() -> None:
    adjectives, nouns = ["big", "big-hearted", "bigger", "big time", "low"], ["ace", "zoo", "hearted-ace", "io"]
    keys = words.Pairs(adjectives, nouns)
    assert list(keys) == sorted({f"{adjective}-{noun}" for adjective in adjectives for noun in nouns})


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
