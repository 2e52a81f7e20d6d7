"""What may be ranked together: scores on rows of the benchmark, scores on sample rows, and those of each other program.

A leaderboard has a board for each kind, so that a mean never mixes them; what a kind is, is said once, in its title.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evalkit.report.rows import Entry, Section
from evalkit.results import TaskResult
from evalkit.types import SAMPLE_ROWS


@dataclass(frozen=True, slots=True)
class Kind:
    """Attributes: program: whose scores these are where it is another than evalkit; empty for ours."""

    program: str = ""
    sample_rows: bool = False

    @classmethod
    def of(cls, result: TaskResult) -> Kind:
        return cls(result.measured_by, result.sample_rows)

    @property
    def said(self) -> str:
        """For a title: ` (…)`; empty for our own scores on rows of the benchmark."""
        other = f"scores of {self.program}, whose prompts and rows were not compared" if self.program else ""
        told = ", ".join(filter(None, (SAMPLE_ROWS if self.sample_rows else "", other)))
        return f" ({told})" if told else ""


def split(found: Sequence[Section]) -> list[tuple[Kind, tuple[Section, ...]]]:
    """The rows of each kind that was measured, ours on rows of the benchmark first; a row may have scores of several."""
    results = [result for section in found for entry in section.entries for _, result in entry.measured if result.score.value is not None]
    kinds = sorted(dict.fromkeys(map(Kind.of, results)), key=lambda kind: (kind.sample_rows, kind.program))
    return [(kind, tuple(section for part in found if (section := _only(part, kind)).entries)) for kind in kinds]


def _only(section: Section, kind: Kind) -> Section:
    entries = (_of(entry, kind) for entry in section.entries)
    return replace(section, entries=tuple(entry for entry in entries if entry.measured))


def _of(entry: Entry, kind: Kind) -> Entry:
    """The row with the scores of one kind alone; results without any score stay where their kind is the others'."""
    kept = tuple(
        result if result is not None and result.score.value is not None and Kind.of(result) == kind else None for result in entry.results
    )
    return replace(entry, results=kept)
