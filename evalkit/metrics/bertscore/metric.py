"""BERTScore (Zhang et al., 2020) through the bert-score library, one encoder a language, never two in one number."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from evalkit import stats
from evalkit.errors import ConfigError
from evalkit.extras import need, version_of
from evalkit.metrics.base import UNIT, mean_of, sample, usable, with_groups
from evalkit.metrics.bertscore import encoders
from evalkit.metrics.bertscore.encoders import EncoderSpec, Pair
from evalkit.metrics.exact_match import gold_texts
from evalkit.metrics.languages import expected_language
from evalkit.progress import waiting
from evalkit.types import Doc, Response, SampleScore, Summary

CARD_GUESS = EncoderSpec("roberta-large", 17)
# From this share of a text's tokens on, an encoder compares its own unknown token with itself.
UNREADABLE = 0.1
CUT = "cut"
_MEMORY = re.compile(r"out of memory|allocate memory|not enough memory|bad_alloc|DefaultCPUAllocator", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EncodedScore(SampleScore):
    """A SampleScore that says which encoder gave it.

    Attributes:
        encoder: name, layer and version of the weights; empty when nothing was encoded.
        unknown: share of the references' tokens that the encoder does not know, in [0, 1].
        cut: of the document's answers and references, those longer than the encoder reads.
        texts: its answers and references.
        limit: tokens that the encoder reads of one text.
        reason: why there is no value although there is an answer.
    """

    encoder: str = ""
    unknown: float = 0.0
    cut: int = 0
    texts: int = 0
    limit: int = 0
    reason: str = ""


@dataclass(frozen=True)
class BertScore:
    """Mean over documents of BERTScore's F: greedy cosine matching of contextual token vectors, raw unless rescaled.

    Attributes:
        profile: `library` takes bert-score's encoder for each language (en: roberta-large layer 17, other Indian languages:
            bert-base-multilingual-cased layer 9); `card_guess` roberta-large layer 17 for every language, which is what
            the published numbers look like.
        encoder, layer: a hub name or local folder for every language instead, and the layer (bert-score's for a name it knows).
        language: of the references; None reads it from the document.
        language_field: the entry of doc.fields that holds the references' language where doc.language is another
            (`target_code` when translating into English).
        references: `all` takes the best of several, as bert-score does; `first` only the first.
        rescale: F as (F - b) / (1 - b), b being bert-score's score of random pairs. Refused where it ships no b.
        idf: tokens weighted by inverse document frequency among the references of one encoder.
        batch_size, device: speed only; device None is the first GPU if there is one.

    An answer without text scores raw 0 and keeps the flag `empty`; of several samples per document, the value is the mean.
    Documents whose encoder cannot be had are not measured, and the summary's note says why. Where languages have
    different encoders, each language has its score and there is none over all: the scales differ.
    """

    NOT_IDENTITY: ClassVar[Mapping[str, str]] = {"batch_size": "speed alone", "device": "speed alone"}

    name: str = "bertscore"
    profile: Literal["library", "card_guess"] = "library"
    encoder: str | None = None
    layer: int | None = None
    language: str | None = None
    language_field: str | None = None
    references: Literal["first", "all"] = "all"
    rescale: bool = False
    idf: bool = False
    batch_size: int = 64
    device: str | None = None
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        for option, known in (("profile", ("library", "card_guess")), ("references", ("first", "all"))):
            if getattr(self, option) not in known:
                raise ConfigError(f"metric {self.name}: {option}={getattr(self, option)!r} is unknown; use {' or '.join(known)}")
        if self.profile == "card_guess" and (self.encoder or self.layer is not None):
            raise ConfigError(f"metric {self.name}: profile=card_guess brings its own encoder; leave out encoder and layer, or the profile")
        if self.encoder is None and self.layer is not None:
            raise ConfigError(f"metric {self.name}: layer={self.layer} without encoder; name the encoder whose layer it is")
        if self.encoder and self.layer is None and os.path.isdir(self.encoder):
            raise ConfigError(
                f"metric {self.name}: encoder={self.encoder} is a folder, for which bert-score knows no layer; set layer: as well"
            )
        if self.batch_size < 1:
            raise ConfigError(f"metric {self.name}: batch_size={self.batch_size} is too small; use 64")

    def ready(self) -> None:
        """Raises ConfigError when bert-score or torch is not installed."""
        for module in ("bert_score", "torch"):
            need(module, f"metric {self.name}")

    def score(self, doc: Doc, responses: Sequence[Response]) -> SampleScore:
        """One document alone; use `score_all` for many."""
        return self.score_all([doc], {doc.id: responses})[0]

    def score_all(self, docs: Sequence[Doc], answers: Mapping[str, Sequence[Response]]) -> list[SampleScore]:
        """Every document's F, an encoder at a time.

        Raises:
            DataError: a document without a reference.
        """
        by_encoder: dict[EncoderSpec, list[Doc]] = {}
        scores: dict[str, SampleScore] = {}
        for doc in docs:
            try:
                by_encoder.setdefault(self._spec(doc), []).append(doc)
            except ConfigError as error:
                scores[doc.id] = _unmeasured(doc, answers.get(doc.id, ()), str(error))
        with waiting(self.name, len(docs) - len(scores)) as advance:
            for spec, theirs in by_encoder.items():
                try:
                    scores |= self._encoded(spec, theirs, answers, advance)
                except (ConfigError, RuntimeError, IndexError, MemoryError) as error:
                    reason = str(error) if isinstance(error, ConfigError) else _failed(spec, error)
                    scores |= {doc.id: _unmeasured(doc, answers.get(doc.id, ()), reason) for doc in theirs}
        return [scores[doc.id] for doc in docs]

    def summarize(self, scores: Sequence[SampleScore]) -> Summary:
        """Mean, t interval (cluster-robust where clusters exist), by language; none over all where encoders differ."""
        whole = with_groups(self._one(scores), scores, self._one)
        return replace(whole, macro=None) if len(_encoders(scores)) > 1 else whole

    def _language(self, doc: Doc) -> str | None:
        return expected_language(doc, self.language, self.language_field)

    def _spec(self, doc: Doc) -> EncoderSpec:
        """Raises ConfigError when no encoder can be chosen, or none that can be rescaled."""
        language = self._language(doc)
        spec = CARD_GUESS if self.profile == "card_guess" else encoders.choose(language, self.encoder, self.layer)
        if self.rescale:
            encoders.baseline(language, spec)
        return spec

    def _encoded(
        self, spec: EncoderSpec, docs: Sequence[Doc], answers: Mapping[str, Sequence[Response]], advance: encoders.Advance
    ) -> dict[str, SampleScore]:
        golds = {doc.id: gold_texts(doc)[: 1 if self.references == "first" else None] for doc in docs}
        texts = {doc.id: [r.text or "" for r in usable(answers.get(doc.id, ()))] for doc in docs}
        encoder = encoders.load(spec, self.device)
        # References of unanswered documents come along, so that every model meets the same batches of references.
        pairs: list[Pair] = [(text, gold) for doc in docs for text in texts[doc.id] or [""] for gold in golds[doc.id]]
        references = [gold for of in golds.values() for gold in of]
        if self.idf and len(set(references)) < 2:
            raise ConfigError("BERTScore: idf=true over a single reference weighs every token 0; set idf: false")
        weights = encoder.weights(references, self.idf)
        drawn = iter(encoder.f_scores(pairs, weights, self.batch_size, lambda n: advance(n * len(docs) // len(pairs))))
        scores: dict[str, SampleScore] = {}
        for doc in docs:
            best = [max(next(drawn) for _ in golds[doc.id]) for _ in texts[doc.id] or [""]]
            if not texts[doc.id]:
                scores[doc.id] = sample(doc, answers.get(doc.id, ()), None)
                continue
            value = stats.mean([self._rescaled(f, doc, spec) for f in best])
            prediction = texts[doc.id][0] if len(best) == 1 else tuple(texts[doc.id])
            plain = sample(doc, answers[doc.id], value, prediction=prediction)
            unknown = stats.mean([encoder.unknown_share(gold) or 0.0 for gold in golds[doc.id]])
            compared = [*texts[doc.id], *golds[doc.id]]
            cut = sum(encoder.cuts(text) for text in compared)
            plain = replace(plain, flags=(*plain.flags, CUT)) if cut else plain
            about = EncodedScore(doc.id, None, encoder=encoder.label, unknown=unknown, cut=cut, texts=len(compared), limit=encoder.limit)
            scores[doc.id] = _with(plain, about)
        return scores

    def _rescaled(self, f: float, doc: Doc, spec: EncoderSpec) -> float:
        if not self.rescale:
            return f
        b = encoders.baseline(self._language(doc), spec)
        return (f - b) / (1 - b)

    def _one(self, scores: Sequence[SampleScore]) -> Summary:
        labels = _encoders(scores)
        signature = [
            f"encoder:{'+'.join(labels) or 'none'}",
            f"rescaled:{'yes' if self.rescale else 'no'}",
            f"idf:{'yes' if self.idf else 'no'}",
            f"nrefs:{1 if self.references == 'first' else 'var'}",
            *(f"{package}:{version_of(package)}" for package in ("bert-score", "transformers")),
        ]
        summary = mean_of(self.name, scores, signature, bounds=None if self.rescale else UNIT)
        reasons = list(dict.fromkeys(s.reason for s in scores if isinstance(s, EncodedScore) and s.reason))
        unknown = [s.unknown for s in scores if isinstance(s, EncodedScore) and s.encoder]
        if unknown and (share := stats.mean(unknown)) >= UNREADABLE:
            reasons.append(f"{share:.0%} of the references' tokens are unknown to {'+'.join(labels)}: the score compares little but those")
        encoded = [s for s in scores if isinstance(s, EncodedScore) and s.encoder]
        if cut := sum(s.cut for s in encoded):
            limits = " or ".join(str(limit) for limit in dict.fromkeys(s.limit for s in encoded if s.cut))
            reasons.append(
                f"{cut} of {sum(s.texts for s in encoded)} texts are longer than the {limits} tokens that the encoder reads:"
                " of those only the beginning was compared"
            )
        if len(labels) > 1:
            reasons.append(f"no score over all: languages have different encoders ({', '.join(labels)}); set one encoder: for all")
            summary = replace(summary, value=None, stderr=None, ci=None)
        return replace(summary, note="; ".join(reasons))


def _encoders(scores: Sequence[SampleScore]) -> list[str]:
    """Labels of the encoders that measured something, in order of appearance."""
    return list(dict.fromkeys(s.encoder for s in scores if isinstance(s, EncodedScore) and s.encoder))


def _with(plain: SampleScore, about: EncodedScore) -> EncodedScore:
    """`about` with everything that a sample's score has."""
    return replace(about, **{name: getattr(plain, name) for name in SampleScore.__dataclass_fields__})


def _unmeasured(doc: Doc, responses: Sequence[Response], reason: str) -> EncodedScore:
    return _with(sample(doc, responses, None), EncodedScore(doc.id, None, reason=reason))


def _failed(spec: EncoderSpec, error: Exception) -> str:
    """One line about a failure inside torch; what helps against too little memory is said of nothing else."""
    first = (str(error).splitlines() or [""])[0][:160] or type(error).__name__
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _MEMORY.search(str(error)):
        return f"BERTScore: encoder {spec.name} ran out of memory ({first}); set a smaller batch_size:, or device: cpu"
    return f"BERTScore: encoder {spec.name} failed ({first}); set another encoder: and layer:, or report this line"
