"""Which language an answer should be in, letters by script, and distinguishing languages of one script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from evalkit.errors import ConfigError
from evalkit.extras import missing
from evalkit.types import Doc


def expected_language(doc: Doc, language: str | None, field: str | None) -> str | None:
    """The language of a document's reference: the one set, else the field's, else the document's own."""
    if language:
        return language
    named = doc.fields.get(field) if field else doc.language
    return None if named is None else str(named)


def letters_by_script(text: str, scripts: Sequence[str]) -> tuple[int, int]:
    """(letters and vowel signs in any of the scripts, letters and vowel signs in all); signs of no script do not count."""
    import regex

    all_letters = regex.findall(r"[\p{L}\p{M}--[\p{sc=Common}\p{sc=Inherited}]]", text, regex.V1)
    inside = regex.compile("[" + "".join(rf"\p{{sc={script}}}" for script in scripts) + "]")
    return sum(bool(inside.match(letter)) for letter in all_letters), len(all_letters)


def identify(text: str, among: Sequence[str]) -> str:
    """The language of a text, by py3langid's naive Bayes model over byte n-grams; `among` empty: all 140 it knows.

    Raises:
        ConfigError: the package is missing.
    """
    return str(_identifier(tuple(among)).classify(text)[0])


@lru_cache(maxsize=8)
def _identifier(among: tuple[str, ...]):  # type: ignore[no-untyped-def]  # the package has no types
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise ConfigError(missing("py3langid", "language identification")) from error
    # One identifier a set of languages: set_languages narrows the object itself.
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    if among:
        identifier.set_languages(list(among))
    return identifier
