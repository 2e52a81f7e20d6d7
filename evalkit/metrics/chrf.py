"""chrF and chrF++ at corpus level, counted by sacrebleu itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from evalkit.errors import ConfigError, DataError
from evalkit.extras import need
from evalkit.metrics.base import by_group, usable
from evalkit.metrics.corpus import CorpusMetric, Segment
from evalkit.metrics.exact_match import gold_texts
from evalkit.metrics.indicnlp import indicnlp_tokens, indicnlp_version
from evalkit.metrics.languages import expected_language
from evalkit.stats.corpus import CHRF_BETA
from evalkit.text import nfc
from evalkit.types import Doc, Response, SampleScore, Summary

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF

CHAR_ORDER = 6
OTHER_FORM = "not_nfc"


@dataclass(frozen=True)
class ChrF(CorpusMetric):
    """Corpus chrF (word_order 0) or chrF++ (word_order 2), in [0, 1]: sacrebleu's number divided by 100.

    A sample's `stats` are sacrebleu's segment statistics: (hypothesis, reference, matching) n-gram counts for
    characters 1-6, then words 1-word_order; its `value` is that segment's own score. One language has sacrebleu's own
    interval, to the last bit.

    `pretokenize: indicnlp` is IndicTrans2's protocol (Gala et al., 2023): answer and reference are normalised and
    tokenised with IndicNLP where the reference is in an Indian language, and left as they are in English. The language
    is the document's, or `language`, or the entry `language_field` of doc.fields.

    `form: nfc` composes answer and reference first (Unicode NFC), so that one letter written two ways is one letter. Segments
    whose answer or reference was in another form are flagged, and the note counts them: they are what the raw score counts
    as errors.
    """

    word_order: int = 2
    references: Literal["first", "all"] = "first"
    pretokenize: Literal["none", "indicnlp"] = "none"
    form: Literal["raw", "nfc"] = "raw"
    language: str | None = None
    language_field: str | None = None

    computed_by: ClassVar[str] = ""  # sacrebleu, which the settings name
    bootstrap_scale: ClassVar[int] = 100  # sacrebleu's: single precision rounds otherwise on another

    def __post_init__(self) -> None:
        if self.word_order not in (0, 2):
            raise ConfigError(f"metric chrF: word_order={self.word_order!r} is unknown; use 0 (chrF) or 2 (chrF++)")
        if self.references not in ("first", "all"):
            raise ConfigError(f"metric chrF: references={self.references!r} is unknown; use first or all")
        if self.pretokenize not in ("none", "indicnlp"):
            raise ConfigError(f"metric chrF: pretokenize={self.pretokenize!r} is unknown; use none or indicnlp")
        if self.form not in ("raw", "nfc"):
            raise ConfigError(f"metric chrF: form={self.form!r} is unknown; use raw or nfc")
        if not self.name:
            object.__setattr__(self, "name", "chrF" + "+" * self.word_order + ("_nfc" if self.form == "nfc" else ""))
        super().__post_init__()

    def ready(self) -> None:
        """Raises ConfigError when `pretokenize` needs a package that is not installed."""
        if self.pretokenize == "indicnlp":
            need("indicnlp", f"metric {self.name}: pretokenize=indicnlp")

    @cached_property
    def _sacrebleu(self) -> CHRF:
        from sacrebleu.metrics.chrf import CHRF

        return CHRF(char_order=CHAR_ORDER, word_order=self.word_order, beta=CHRF_BETA)

    @property
    def corpus(self) -> str:
        return "chrf"

    def segment(self, doc: Doc, text: str) -> Segment:
        """Against the first reference, or the best of all (sacrebleu's choice for several)."""
        golds = gold_texts(doc)
        references = [[self._prepared(gold, doc)] for gold in (golds if self.references == "all" else golds[:1])]
        counts = self._sacrebleu._extract_corpus_statistics([self._prepared(text, doc)], references)[0]
        return Segment(tuple(map(float, counts)), prediction=text)

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """As any corpus metric's; with `form: nfc`, flagged where a text was in another form."""
        scored = super().score(doc, responses)
        if self.form == "raw" or scored.value is None:
            return scored
        golds = gold_texts(doc)
        read = [*(r.text or "" for r in usable(responses)), *(golds if self.references == "all" else golds[:1])]
        return replace(scored, flags=(*scored.flags, OTHER_FORM)) if any(nfc(text) != text for text in read) else scored

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """As any corpus metric's; with `form: nfc`, the note counts the segments in another form."""
        summary = super().summarize(scores)
        return summary if self.form == "raw" else noted(summary, scores)

    def total(self, totals: Sequence[float]) -> float:
        """By sacrebleu itself, in double precision; the counts are whole numbers, but for means over several samples."""
        return float(self._sacrebleu._compute_f_score([int(count) if count == int(count) else count for count in totals])) / 100

    def settings(self) -> list[str]:
        """sacrebleu's own signature, with what is before it."""
        import sacrebleu

        return [
            f"nrefs:{1 if self.references == 'first' else 'var'}",
            "case:mixed",
            "eff:yes",
            f"nc:{CHAR_ORDER}",
            f"nw:{self.word_order}",
            "space:no",
            *(["form:nfc"] if self.form == "nfc" else []),
            *([f"pretok:indicnlp-{indicnlp_version()}"] if self.pretokenize == "indicnlp" else []),
            f"sacrebleu:{sacrebleu.__version__}",
        ]

    def check(self, doc: Doc) -> None:
        """Raises DataError when the text cannot be tokenised: no package, or a language it does not know."""
        self._prepared("", doc)

    def _prepared(self, text: str, doc: Doc) -> str:
        text = nfc(text) if self.form == "nfc" else text
        if self.pretokenize == "none":
            return text
        language = expected_language(doc, self.language, self.language_field)
        try:
            return text if language == "en" else indicnlp_tokens(text, language)
        except ConfigError as error:
            raise DataError(f"metric {self.name}: document {doc.id}: {error}") from error


def noted(summary: Summary, scores: Sequence[SampleScore]) -> Summary:
    """The summary and its groups, saying how many segments were not in NFC."""
    measured = [score for score in scores if score.value is not None]
    other = sum(OTHER_FORM in score.flags for score in measured)
    note = f"{other} of {len(measured)} segments have an answer or a reference that is not in NFC" if other else ""
    members = by_group(scores)
    groups = {name: noted(part, members[name]) for name, part in summary.groups.items()}
    return replace(summary, note=note, groups=groups)
