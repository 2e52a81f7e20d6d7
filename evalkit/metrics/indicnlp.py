"""Text as IndicTrans2 prepares it before it counts n-grams: normalised and tokenised by the Indic NLP library."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from typing import Any

from evalkit.errors import ConfigError
from evalkit.extras import missing

PACKAGE = "indic-nlp-library-itt"  # the fork its authors keep up, with Urdu's normaliser inside


def indicnlp_tokens(text: str, language: str | None) -> str:
    """Normalised text with a blank between tokens; the danda and other signs are separate.

    Raises:
        ConfigError: the package is missing, or does not know the language.
    """
    normalizer, tokenize = _tools(language)
    return " ".join(tokenize(normalizer.normalize(text.strip()), language))


def indicnlp_version() -> str:
    return version(PACKAGE)


@lru_cache(maxsize=32)
def _tools(language: str | None) -> tuple[Any, Any]:
    try:
        from indicnlp.normalize.indic_normalize import IndicNormalizerFactory
        from indicnlp.tokenize.indic_tokenize import trivial_tokenize
    except ImportError as error:
        raise ConfigError(missing("indicnlp", "pretokenize=indicnlp")) from error
    factory = IndicNormalizerFactory()
    if language is None or not factory.is_language_supported(language):
        raise ConfigError(f"the Indic NLP library has no normaliser for language {language!r}; set pretokenize: none or language:")
    return factory.get_normalizer(language), trivial_tokenize
