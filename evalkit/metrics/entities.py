"""Named entities that an answer lists, counted over the corpus."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from evalkit.errors import ConfigError, DataError
from evalkit.metrics.corpus import CorpusMetric, Segment
from evalkit.metrics.extraction.entities import entities, entity_text, folded
from evalkit.metrics.extraction.marks import READING
from evalkit.text import EQUIVALENCE
from evalkit.types import Doc

Measure = Literal["recall", "precision", "f1", "sentence"]
MEASURES = ("recall", "precision", "f1", "sentence")


@dataclass(frozen=True)
class EntityMatch(CorpusMetric):
    """Gold entities found with exactly their text and type, counted over all sentences.

    measure `recall`: share of gold entities produced (the accuracy that a sentence without entities says nothing about);
    `precision`: share of produced entities that are gold; `f1` of the two; `sentence`: share of sentences whose entities
    are exactly the gold ones, none included.

    `doc.fields["entities"]` holds the gold `{text, type}` objects, `doc.fields["types"]` the types that may occur: an answer's
    `Note: …` names no entity. How an answer is read is in `extraction.entities`. Texts are compared in one spelling
    (`text.equivalent`), without quotes, markup and marks at their end, white space collapsed; types without regard to case. An
    entity named twice counts twice. An answer that neither names an entity nor says that there is none is invalid: it found
    nothing. A sample's `stats` are (matched, produced, gold, sentence right, 1).
    """

    measure: Measure = "recall"

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise ConfigError(f"metric EntityMatch: measure={self.measure!r} is unknown; use {', '.join(MEASURES)}")
        if not self.name:
            object.__setattr__(self, "name", f"entity_{self.measure}")
        super().__post_init__()

    @property
    def corpus(self) -> str:
        return f"entity_{self.measure}"

    def check(self, doc: Doc) -> None:
        """Raises DataError when the document does not list its types."""
        types = doc.fields.get("types")
        if not isinstance(types, (list, tuple)) or not all(isinstance(kind, str) for kind in types):
            raise DataError(
                f"document {doc.id}: field 'types' {types!r} is no list of texts; write the types that may occur, as [PER, LOC]"
            )

    def segment(self, doc: Doc, text: str) -> Segment:
        """Counts of one sentence; what was produced is shown an entity per line. Raises DataError as `check` does."""
        self.check(doc)
        found, valid = entities(text, doc.fields["types"], str(doc.fields.get("text") or ""))
        gold = Counter((folded(e["type"]), entity_text(e["text"])) for e in doc.fields["entities"])
        produced = Counter((folded(kind), value) for kind, value in found)
        matched = sum((gold & produced).values())
        counts = (float(matched), float(produced.total()), float(gold.total()), float(valid and gold == produced), 1.0)
        return Segment(counts, prediction=[f"{kind}: {value}" for kind, value in found], invalid=not valid)

    def settings(self) -> list[str]:
        return ["match:text+type", "types:row", READING, f"norm:{EQUIVALENCE}+edges", f"measure:{self.measure}"]
