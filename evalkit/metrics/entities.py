"""Named entities written one a line as `TYPE: text`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from evalkit.errors import ConfigError
from evalkit.metrics.corpus import CorpusMetric, Segment
from evalkit.text import nfc
from evalkit.types import Doc

Entity = tuple[str, str]
Measure = Literal["recall", "precision", "f1", "sentence"]
MEASURES = ("recall", "precision", "f1", "sentence")
NONE = "none"
_LINE = re.compile(r"(?:[-*•]\s+|\d+[.)]\s+)?(?P<type>[^:：]+?)\s*[:：]\s*(?P<text>.+)")


@dataclass(frozen=True)
class EntityMatch(CorpusMetric):
    """Gold entities found with exactly their text and type, counted over all sentences.

    measure `recall`: share of gold entities produced (the accuracy that a sentence without entities says nothing about);
    `precision`: share of produced entities that are gold; `f1` of the two; `sentence`: share of sentences whose entities
    are exactly the gold ones, none included.

    `doc.fields["entities"]` holds the gold `{text, type}` objects. Text is compared after NFC with white space
    collapsed, type also case folded; an entity named twice counts twice. An answer that neither names an entity nor says NONE
    is invalid: it found nothing. A sample's `stats` are (matched, produced, gold, sentence right, 1).
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

    def segment(self, doc: Doc, text: str) -> Segment:
        """Counts of one sentence; what was produced is shown an entity a line."""
        found, valid = parse(text)
        gold = Counter(_normal(e["type"], e["text"]) for e in doc.fields["entities"])
        produced = Counter(found)
        matched = sum((gold & produced).values())
        counts = (float(matched), float(produced.total()), float(gold.total()), float(valid and gold == produced), 1.0)
        return Segment(counts, prediction=[f"{kind}: {text}" for kind, text in found], invalid=not valid)

    def settings(self) -> list[str]:
        return ["match:text+type", "norm:nfc", f"measure:{self.measure}"]


def parse(text: str) -> tuple[list[Entity], bool]:
    """(entities in order, whether the answer says anything: an entity, or NONE)."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [_normal(match["type"], match["text"]) for line in lines if (match := _LINE.fullmatch(line))]
    return found, bool(found) or any(line.rstrip(".।").casefold() == NONE for line in lines)


def _normal(kind: str, text: str) -> Entity:
    return " ".join(nfc(kind).casefold().split()), " ".join(nfc(text).split())
