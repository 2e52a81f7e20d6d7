"""chrF++ of a document translated paragraph by paragraph: each paragraph against its own reference."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalkit.metrics.chrf import ChrF
from evalkit.metrics.corpus import Segment
from evalkit.metrics.exact_match import gold_texts
from evalkit.text import ascii_digits
from evalkit.types import Doc, Response

_NUMBER = re.compile(r"^[ \t]*(\d{1,4})[.):।][ \t]*", re.M)


@dataclass(frozen=True)
class SegmentChrF(ChrF):
    """Corpus chrF++ over the paragraphs of documents whose target is a tuple of them.

    An answer's paragraphs are known by the numbers in front of their lines (digits of any script), without numbers by their
    order. A paragraph that is missing counts as empty. The document's statistics are the sums over its paragraphs, so that
    the score is the corpus score of all paragraphs.
    """

    def segment(self, doc: Doc, text: str) -> Segment:
        """The sums over the paragraphs."""
        each = self._each(doc, text)
        return Segment(tuple(map(sum, zip(*(counts for counts in each), strict=True))), prediction=text)

    def found(self, doc: Doc, answer: Response) -> tuple[float, ...]:
        """Per paragraph, its own score."""
        return tuple(self.total(counts) for counts in self._each(doc, answer.text or ""))

    def _each(self, doc: Doc, text: str) -> list[tuple[float, ...]]:
        references = gold_texts(doc)
        parts = paragraphs(text, len(references))
        return [
            super(SegmentChrF, self).segment(replace(doc, target=gold), part).stats for gold, part in zip(references, parts, strict=True)
        ]


def paragraphs(text: str, number: int) -> Sequence[str]:
    """An answer's first `number` paragraphs: by the numbers they begin with, else line by line. Empty where one is missing."""
    marks = list(_NUMBER.finditer(text))
    if not marks:
        lines = [line.strip() for line in text.splitlines() if line.strip()][:number]
        return [*lines, *[""] * (number - len(lines))]
    said: dict[int, str] = {}
    for mark, end in zip(marks, [*(mark.start() for mark in marks[1:]), len(text)], strict=True):
        said.setdefault(int(ascii_digits(mark[1])), " ".join(text[mark.end() : end].split()))
    if 1 not in said and (before := " ".join(text[: marks[0].start()].split())):
        said[1] = before  # the prompt may have ended with the first number's place
    return [said.get(place, "") for place in range(1, number + 1)]
