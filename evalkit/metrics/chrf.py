"""chrF and chrF++ at corpus level, counted by sacrebleu itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from evalkit import stats
from evalkit.errors import ConfigError, DataError
from evalkit.metrics.base import cluster_labels, sample, usable, with_groups
from evalkit.metrics.exact_match import gold_texts
from evalkit.metrics.indicnlp import indicnlp_tokens, indicnlp_version
from evalkit.metrics.languages import expected_language
from evalkit.stats.corpus import CHRF_BETA, chrf
from evalkit.types import Doc, Response, SampleScore, Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sacrebleu.metrics.chrf import CHRF

CHAR_ORDER = 6


@dataclass(frozen=True)
class ChrF:
    """Corpus chrF (word_order 0) or chrF++ (word_order 2), in [0, 1]: sacrebleu's number divided by 100.

    A sample's `stats` are sacrebleu's segment statistics: (hypothesis, reference, matching) n-gram counts for
    characters 1-6, then words 1-word_order; its `value` is that segment's own score. The corpus score comes from the
    summed statistics. Several languages: one corpus each, combined by size; the unweighted mean is `macro`.

    Interval: bootstrap over segments, within each language, or over clusters when documents share one; `resamples`
    and `seed` default to sacrebleu's, so one language has sacrebleu's interval: mean -/+ its printed half width.

    `pretokenize: indicnlp` is IndicTrans2's protocol (Gala et al., 2023): answer and reference are normalised and
    tokenised with IndicNLP where the reference is in an Indian language, and left as they are in English. The language
    is the document's, or `language`, or the entry `language_field` of doc.fields.
    """

    word_order: int = 2
    name: str = ""
    references: Literal["first", "all"] = "first"
    pretokenize: Literal["none", "indicnlp"] = "none"
    language: str | None = None
    language_field: str | None = None
    resamples: int = 1000
    seed: int = 12345
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if self.word_order not in (0, 2):
            raise ConfigError(f"metric chrF: word_order={self.word_order!r} is unknown; use 0 (chrF) or 2 (chrF++)")
        if self.references not in ("first", "all"):
            raise ConfigError(f"metric chrF: references={self.references!r} is unknown; use first or all")
        if self.pretokenize not in ("none", "indicnlp"):
            raise ConfigError(f"metric chrF: pretokenize={self.pretokenize!r} is unknown; use none or indicnlp")
        if self.resamples < 2:
            raise ConfigError(f"metric chrF: resamples={self.resamples} is too few; use 1000")
        if not self.name:
            object.__setattr__(self, "name", "chrF" + "+" * self.word_order)

    @cached_property
    def _sacrebleu(self) -> CHRF:
        from sacrebleu.metrics.chrf import CHRF

        return CHRF(char_order=CHAR_ORDER, word_order=self.word_order, beta=CHRF_BETA)

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """The first usable response against the first reference, or the best of all (sacrebleu's choice for several)."""
        answers = usable(responses)
        if not answers:
            return sample(doc, responses, None)
        golds = gold_texts(doc)
        references = [[self._prepared(gold, doc)] for gold in (golds if self.references == "all" else golds[:1])]
        text = answers[0].text or ""
        counts = self._sacrebleu._extract_corpus_statistics([self._prepared(text, doc)], references)[0]
        value = self._sacrebleu._compute_f_score(counts) / 100
        return sample(doc, responses, value, prediction=text, sufficient=tuple(map(float, counts)))

    def check(self, doc: Doc) -> None:
        """Raises DataError when the text cannot be tokenised: no package, or a language it does not know."""
        self._prepared("", doc)

    def _prepared(self, text: str, doc: Doc) -> str:
        if self.pretokenize == "none":
            return text
        language = expected_language(doc, self.language, self.language_field)
        try:
            return text if language == "en" else indicnlp_tokens(text, language)
        except ConfigError as error:
            raise DataError(f"metric {self.name}: document {doc.id}: {error}") from error

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """Corpus score, bootstrap stderr and interval; per language or group, with the macro mean."""
        return with_groups(self._one(scores), scores, self._one)

    def _one(self, scores: Sequence[SampleScore]) -> Summary:
        measured = [s for s in scores if s.value is not None]
        labels = cluster_labels(measured)
        corpora: dict[str, list[tuple[float, ...]]] = {}
        clusters: dict[str, list[object]] = {}
        for i, score in enumerate(measured):
            corpora.setdefault(score.language or "", []).append(score.stats)
            clusters.setdefault(score.language or "", []).append(labels[i] if labels else i)
        value = stderr = ci = None
        if measured:
            value = sum(len(part) * self._corpus(part) for part in corpora.values()) / len(measured)
        if len(measured) > 1:
            stderr, ci = self._bootstrap(corpora, clusters if labels else None)
        return Summary(
            metric=self.name,
            value=value,
            stderr=stderr,
            ci=ci,
            n=len(measured),
            n_not_measured=len(scores) - len(measured),
            signature=self._signature(ci is not None, labels is not None),
            higher_is_better=self.higher_is_better,
            corpus="chrf",
        )

    def _corpus(self, segments: Sequence[tuple[float, ...]]) -> float:
        """One corpus's score in [0, 1] from its summed statistics (whole numbers, so the order does not matter)."""
        totals = [int(sum(column)) for column in zip(*segments, strict=True)]
        return float(self._sacrebleu._compute_f_score(totals)) / 100

    def _bootstrap(
        self, corpora: dict[str, list[tuple[float, ...]]], clusters: dict[str, list[object]] | None
    ) -> tuple[float, stats.Interval]:
        """(standard deviation of the bootstrap scores, sacrebleu's 95% interval), both in [0, 1]."""
        if clusters is None:
            drawn = stats.bootstrap_strata(corpora, f_scores, self.resamples, self.seed)
        else:
            drawn = stats.bootstrap_clusters(corpora, clusters, f_scores, self.resamples, self.seed)
        _, (low, high) = stats.bootstrap_interval(drawn)
        return float(drawn.std(ddof=1, dtype=float)) / 100, (max(0.0, low / 100), min(1.0, high / 100))

    def _signature(self, interval: bool, clustered: bool) -> str:
        import sacrebleu

        pretokenized = f"|pretok:indicnlp-{indicnlp_version()}" if self.pretokenize == "indicnlp" else ""
        method = f"bootstrap{'-clusters' if clustered else ''}-{self.resamples}|seed:{self.seed}" if interval else "none"
        return (
            f"{self.name}|nrefs:{1 if self.references == 'first' else 'var'}|case:mixed|eff:yes|nc:{CHAR_ORDER}"
            f"|nw:{self.word_order}|space:no{pretokenized}|sacrebleu:{sacrebleu.__version__}|ci:{method}"
        )


def f_scores(totals: NDArray[Any]) -> NDArray[Any]:
    """chrF in [0, 100] of summed statistics: shape (r,) from (r, 3 * orders), in sacrebleu's single precision."""
    return 100 * chrf(totals)
