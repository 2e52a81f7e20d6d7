"""Generated text against one or several gold answers, as strings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.errors import ConfigError, DataError, did_you_mean
from evalkit.metrics.base import mean_summary, sample, usable
from evalkit.metrics.extract import RegexExtract
from evalkit.stats import mean
from evalkit.text import EQUIVALENCE, indic_answer, normalize_answer, nq_open_answer, triviaqa_answer
from evalkit.types import Doc, Response, SampleScore, Summary

Extract = Callable[[str], str | None]
NORMALIZERS: Mapping[str, Callable[[str], str]] = {"triviaqa": triviaqa_answer, "nq_open": nq_open_answer}


@dataclass(frozen=True)
class ExactMatch:
    """1 when the answer equals a gold answer after normalisation (lm-evaluation-harness 0.4.13's exact_match).

    Attributes:
        extract: finds the answer in the text (RegexExtract, or any callable str -> str | None); None takes the text.
        strip: white space removed from both ends of the model's text first (lm-eval's remove_whitespace filter).
        ignore_patterns: regular expressions removed from both sides, in order, before anything else is normalised.
        ignore_case, ignore_punctuation: then lower case, then delete ASCII punctuation, on both sides.
        normalizer: `triviaqa` or `nq_open`: both sides as that benchmark's own scorer compares them, after the rest.
        gold_field: the document's field that holds the golds; None takes `doc.target`.
        indic: before all that, both sides as `text.indic_answer` makes them: one spelling of what looks and means the same,
            no final danda. Not in lm-eval.

    `doc.target` is a gold text or several. An answer from which nothing can be extracted is wrong, never unmeasured:
    value 0, prediction None, flag `invalid`. With several samples per document, the value is their mean and the
    prediction a tuple.
    """

    name: str = "exact_match"
    extract: Extract | None = None
    strip: bool = False
    ignore_patterns: Sequence[str] = ()
    ignore_case: bool = False
    ignore_punctuation: bool = False
    indic: bool = False
    normalizer: str | None = None
    gold_field: str | None = None
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.ignore_patterns, str):
            raise ConfigError(f"metric {self.name}: ignore_patterns={self.ignore_patterns!r} is one text; give a list of patterns")
        if self.normalizer is not None and self.normalizer not in NORMALIZERS:
            near = did_you_mean(self.normalizer, NORMALIZERS)
            raise ConfigError(f"metric {self.name}: normalizer={self.normalizer!r} is unknown{near}; there are {', '.join(NORMALIZERS)}")
        for pattern in self.ignore_patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigError(
                    f"metric {self.name}: ignore_patterns has {pattern!r}, not a regular expression ({error}); fix it"
                ) from error

    def answer(self, text: str) -> str | None:
        """What the model answered, before normalisation; None when nothing can be extracted."""
        text = text.strip() if self.strip else text
        return text if self.extract is None else self.extract(text)

    def equal(self, answer: str | None, golds: Sequence[str]) -> bool:
        """Whether an extracted answer equals any gold answer after normalisation; None equals nothing."""
        return answer is not None and self._normal(answer) in {self._normal(gold) for gold in golds}

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """Raises DataError when the document has no gold answer."""
        golds = gold_texts(doc, self.gold_field)
        answers = [self.answer(r.text or "") for r in usable(responses)]
        if not answers:
            return sample(doc, responses, None)
        value = mean([float(self.equal(a, golds)) for a in answers])
        prediction = answers[0] if len(answers) == 1 else tuple(answers)
        return sample(doc, responses, value, prediction=prediction, invalid=None in answers)

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """A mean with Wilson's interval (t when a document has several samples), cluster-robust where clusters exist."""
        return mean_summary(self.name, scores, self._signature(), higher_is_better=self.higher_is_better)

    def _normal(self, text: str) -> str:
        text = normalize_answer(
            indic_answer(text) if self.indic else text,
            ignore_patterns=self.ignore_patterns,
            ignore_case=self.ignore_case,
            ignore_punctuation=self.ignore_punctuation,
        )
        return NORMALIZERS[self.normalizer](text) if self.normalizer else text

    def _signature(self) -> list[str]:
        """What was compared; `regex` is a digest of every pattern, so that two extractions never look the same."""
        patterns = list(self.ignore_patterns)
        extract = "none" if self.extract is None else getattr(self.extract, "__name__", type(self.extract).__name__)
        if isinstance(self.extract, RegexExtract):
            extract = self.extract.pick
            patterns.insert(0, self.extract.pattern)
        return [
            f"case:{'lower' if self.ignore_case else 'mixed'}",
            f"punct:{'removed' if self.ignore_punctuation else 'kept'}",
            f"patterns:{len(self.ignore_patterns)}",
            f"strip:{'yes' if self.strip else 'no'}",
            *([EQUIVALENCE] if self.indic else []),
            *([f"normalizer:{self.normalizer}"] if self.normalizer else []),
            *([f"golds:{self.gold_field}"] if self.gold_field else []),
            f"extract:{extract}",
            *([f"regex:{hashlib.sha256(chr(0).join(patterns).encode()).hexdigest()[:8]}"] if patterns else []),
        ]


def gold_texts(doc: Doc, gold_field: str | None = None) -> tuple[str, ...]:
    """The document's gold answers as text, one or several, from its target or from one of its fields."""
    given = doc.target if gold_field is None else doc.fields.get(gold_field)
    golds = given if isinstance(given, (tuple, list)) else (given,)
    if not golds or any(gold is None for gold in golds):
        where = "target" if gold_field is None else f"field {gold_field}"
        raise DataError(f"document {doc.id}: {where} {given!r} holds no gold answer; fix to_doc")
    return tuple(str(gold) for gold in golds)
