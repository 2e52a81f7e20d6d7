"""Checkers that need to know the language of a response: langdetect, seeded."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

# langdetect draws random numbers for every text. With this seed a text has one answer, whatever came before it.
SEED = 0


def signature() -> list[str]:
    """Which detector decides, and its seed."""
    return [f"langdetect:{version('langdetect')}", f"seed:{SEED}"]


def response_language(text: str, language: str) -> bool:
    """The likeliest language has this ISO 639-1 code; a text without anything to tell it by counts as followed."""
    return detect(text) in (language, None)


def english_capital(text: str) -> bool:
    """All cased characters are upper case, there is one, and the language is English (or cannot be told)."""
    return text.isupper() and response_language(text, "en")


def english_lowercase(text: str) -> bool:
    """All cased characters are lower case, there is one, and the language is English (or cannot be told)."""
    return text.islower() and response_language(text, "en")


@lru_cache(maxsize=4096)  # four accuracies ask about the same answers
def detect(text: str) -> str | None:
    """ISO 639-1 code of the likeliest language, `unknown` when none is likely; None when nothing can tell it (`12 + 30`)."""
    from langdetect.lang_detect_exception import LangDetectException

    detector = _factory().create()
    detector.append(text)
    try:
        return str(detector.detect())
    except LangDetectException:
        return None


@lru_cache(maxsize=1)
def _factory() -> Any:
    """A detector factory of our own: `langdetect.detect` shares one, and its seed, with the whole process."""
    from langdetect import detector_factory

    profiles = sorted(path for path in Path(detector_factory.PROFILES_DIRECTORY).iterdir() if path.is_file() and path.name[0] != ".")
    factory = detector_factory.DetectorFactory()
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in profiles])
    factory.set_seed(SEED)
    return factory
