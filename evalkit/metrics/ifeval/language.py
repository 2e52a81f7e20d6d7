"""Checkers that need to know the language of a response: langdetect, asked with several seeds."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalkit.extras import version_of

# langdetect draws random numbers for every text, and some draws end at a language that is not the likeliest. With these seeds a
# text has one answer on every machine, whatever came before it, and most of them agree on it.
SEEDS = range(11)


def signature() -> list[str]:
    """Which detector decides, and its seeds."""
    return [f"langdetect:{version_of('langdetect')}", f"majority-of-seeds:{SEEDS[0]}-{SEEDS[-1]}"]


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
    """ISO 639-1 code of the language that most seeds find likeliest, `unknown` when none is likely; None when nothing can tell it
    (`12 + 30`). Of equally many the first in the alphabet.
    """
    found: Counter[str | None] = Counter()
    for seed in SEEDS:
        found[detect_once(text, seed)] += 1
        if found.most_common(1)[0][1] > len(SEEDS) // 2:
            break
    return min(found, key=lambda code: (-found[code], code or ""))


def detect_once(text: str, seed: int) -> str | None:
    """As `detect`, with one seed alone."""
    from langdetect.lang_detect_exception import LangDetectException

    factory = _factory()
    factory.set_seed(seed)
    detector = factory.create()
    detector.append(text)
    try:
        return str(detector.detect())
    except LangDetectException:
        return None


@lru_cache(maxsize=1)
def _factory() -> Any:
    """Our own detector factory: `langdetect.detect` shares one, and its seed, with the whole process."""
    from langdetect import detector_factory

    profiles = sorted(path for path in Path(detector_factory.PROFILES_DIRECTORY).iterdir() if path.is_file() and path.name[0] != ".")
    factory = detector_factory.DetectorFactory()
    factory.load_json_profile([path.read_text(encoding="utf-8") for path in profiles])
    return factory
