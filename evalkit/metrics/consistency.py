"""Whether a model answers in the language it should."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError
from typing import Literal

from evalkit import stats
from evalkit.errors import ConfigError, DataError
from evalkit.extras import version_of
from evalkit.languages import LANGUAGES
from evalkit.metrics.base import mean_summary, sample, usable
from evalkit.metrics.languages import expected_language, identify, letters_by_script
from evalkit.types import Doc, Response, SampleScore, Summary

# With fewer letters than this, Hindi and Marathi are distinguished wrongly in more than one text of twenty.
ENOUGH_LETTERS = 40
NO_LETTERS = "no_letters"
SHORT = "short"


@dataclass(frozen=True)
class LanguageConsistency:
    """How far answers are in the expected language. Printed next to a score and is never mixed into it.

    Attributes:
        measure: `script` is the share of an answer's letters (with vowel signs) that are in the language's script.
            `language` is 1 or 0: more than half the letters are in the script and, where languages share it (Hindi,
            Marathi, Nepali, Sanskrit; Assamese, Bengali; Urdu, Arabic, Persian; English and all else in Latin letters),
            an identifier takes the answer for the expected one. Below ENOUGH_LETTERS letters the script alone decides.
        language: expected in every answer; None reads it from the document.
        language_field: the entry of doc.fields that holds it where doc.language is another (`target_code`).
        ignore: a regular expression of what the prompt itself asks for in other letters (`Answer: B`, `PER:`); removed before
            an answer is judged.
        ignore_fields: entries of doc.fields whose texts (one, several, or lists of them) the prompt asks for: a row's labels or
            types. Those in Latin letters are removed likewise where the language is written in others; the rest is judged.

    An answer without letters (nothing, digits, signs) is not measured; the note counts these, and the short ones.
    """

    measure: Literal["script", "language"] = "language"
    name: str = ""
    language: str | None = None
    language_field: str | None = None
    ignore: str = ""
    ignore_fields: Sequence[str] = ()
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if self.measure not in ("script", "language"):
            raise ConfigError(f"metric {self.name or 'consistency'}: measure={self.measure!r} is unknown; use script or language")
        if not self.name:
            object.__setattr__(self, "name", f"in_{self.measure}")
        try:
            re.compile(self.ignore)
        except re.error as error:
            raise ConfigError(f"metric {self.name}: ignore={self.ignore!r} is no regular expression ({error}); correct it") from error
        if self.language is not None and self.language not in LANGUAGES:
            raise ConfigError(f"metric {self.name}: language={self.language!r} has no known script; known: {', '.join(sorted(LANGUAGES))}")

    def check(self, doc: Doc) -> None:
        """Raises DataError when the document's language has no known script."""
        self._expected(doc)

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """The mean over the answers that have letters.

        Raises:
            DataError: the document's language has no known script.
        """
        expected = self._expected(doc)
        answers = usable(responses)
        named = self._named(doc, expected)
        judged = [self._judge(self._without(r.text or "", named), expected) for r in answers]
        values = [value for value, _, _ in judged if value is not None]
        shown = [found for _, found, _ in judged]
        flags = [NO_LETTERS] if answers and not values else []
        flags += [SHORT] if any(short for _, _, short in judged) else []
        plain = sample(doc, responses, stats.mean(values) if values else None, prediction=shown[0] if len(shown) == 1 else tuple(shown))
        return replace(plain, flags=(*plain.flags, *flags))

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """Mean with its interval, by language; the note counts what could not be judged, or by its script alone."""
        summary = mean_summary(self.name, scores, self._signature())
        silent = sum(NO_LETTERS in s.flags for s in scores)
        short = sum(SHORT in s.flags for s in scores)
        said = [f"{silent} without letters, not measured"] if silent else []
        said += [f"{short} too short to distinguish languages, judged by script"] if short else []
        return replace(summary, note="; ".join(said))

    def _expected(self, doc: Doc) -> str:
        language = expected_language(doc, self.language, self.language_field)
        if language is None or language not in LANGUAGES:
            raise DataError(f"metric {self.name}: document {doc.id} has language {language!r}, whose script is not known; set language:")
        return language

    def _named(self, doc: Doc, expected: str) -> str:
        """A pattern of the texts in `ignore_fields` that are in Latin letters where the language is not; empty where there are none."""
        if "Latin" in LANGUAGES[expected].scripts:
            return ""
        listed = {text.strip() for name in self.ignore_fields for text in _texts(doc.fields.get(name))}
        latin = sorted((text for text in listed if letters_by_script(text, ("Latin",))[0]), key=lambda text: (-len(text), text))
        return rf"(?<!\w)(?:{'|'.join(map(re.escape, latin))})(?!\w)" if latin else ""

    def _without(self, text: str, named: str) -> str:
        """A text without what the prompt asks for in other letters."""
        text = re.sub(self.ignore, " ", text) if self.ignore else text
        return re.sub(named, " ", text, flags=re.IGNORECASE) if named else text

    def _judge(self, text: str, expected: str) -> tuple[float | None, str | None, bool]:
        """(value, what the answer was taken for, whether it was too short to ask the identifier)."""
        inside, letters = letters_by_script(text, LANGUAGES[expected].scripts)
        if not letters:
            return None, None, False
        share = inside / letters
        if self.measure == "script":
            return share, f"{share:.0%} {' or '.join(LANGUAGES[expected].scripts)}", False
        if share <= 0.5:
            return 0.0, f"not {' or '.join(LANGUAGES[expected].scripts)}", False
        rivals = LANGUAGES[expected].rivals
        if rivals is None:
            return 1.0, expected, False
        if letters < ENOUGH_LETTERS:
            return 1.0, "/".join(rivals) or expected, True
        found = identify(text, rivals)
        return float(found == expected), found, False

    def _signature(self) -> list[str]:
        ignored = [f"ignore:{hashlib.sha256(self.ignore.encode()).hexdigest()[:8]}"] if self.ignore else []
        ignored += [f"ignore_fields:{','.join(self.ignore_fields)}"] if self.ignore_fields else []
        if self.measure == "script":
            return ["share of letters in the script", *ignored]
        try:
            identifier = version_of("py3langid")
        except PackageNotFoundError:
            identifier = "none"
        return [f"short:<{ENOUGH_LETTERS}", f"py3langid:{identifier}", *ignored]


def _texts(value: object) -> list[str]:
    """The texts in a field: itself, or those of a list, however deep."""
    if isinstance(value, (list, tuple)):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) and value.strip() else []
