"""Which measured results may stand in one row: same task version, shots, metric, signature and kind of rows.

Scores that another program made (imported ones) stand beside ours where task, metric and shots are the same; versions and
signatures of two programs cannot be compared, and a footnote says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.compare.protocol import Protocol
from evalkit.report.published import Card, CardRow, CardTable
from evalkit.results import RunResult, TaskResult

OTHER = "Other tasks"
LONGEST = 48  # letters of a model's name in a table


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a benchmark measured under one protocol.

    Attributes:
        label: as printed, the card's name of the benchmark where it has one, unique within a report.
        results: one a run, in the order of the runs; None where the run has nothing to put here.
        differs: why this row does not share an earlier row of the same benchmark; empty for the first.
    """

    label: str
    row: CardRow | None
    results: tuple[TaskResult | None, ...]
    differs: str = ""

    @property
    def first(self) -> TaskResult:
        """The result the row is described by: the first of evalkit's own, else the first."""
        results = [result for _, result in self.measured]
        return next((result for result in results if not result.measured_by), results[0])

    @property
    def measured(self) -> tuple[tuple[int, TaskResult], ...]:
        """(index of the run, result) of the runs that have one."""
        return tuple((i, result) for i, result in enumerate(self.results) if result is not None)


@dataclass(frozen=True, slots=True)
class Section:
    """The measured rows of one of the card's tables; `table` is None for tasks the card does not have."""

    title: str
    table: CardTable | None
    entries: tuple[Entry, ...]


def names(runs: Sequence[RunResult]) -> tuple[str, ...]:
    """A column title a run: the model on one line, with the run's folder or its number where models repeat."""
    models = [_one_line(run.model) for run in runs]
    tagged = [
        f"{model} ({_one_line(run.path.name)})" if models.count(model) > 1 and run.path else model
        for model, run in zip(models, runs, strict=True)
    ]
    return tuple(f"{tag} #{tagged[: i + 1].count(tag)}" if tagged.count(tag) > 1 else tag for i, tag in enumerate(tagged))


def _one_line(name: str) -> str:
    """Printable and short enough for a column; the middle of a very long name is left out."""
    text = " ".join("".join(char if char.isprintable() else " " for char in name).split()) or "unnamed"
    return text if len(text) <= LONGEST else f"{text[: LONGEST * 2 // 3]}…{text[-(LONGEST // 3 - 1) :]}"


def sections(runs: Sequence[RunResult], card: Card) -> tuple[Section, ...]:
    """The measured rows in the card's order, then the other tasks in the order they were asked for."""
    found: list[Section] = []
    titles = names(runs)
    for table in card.tables:
        entries = tuple(entry for row in table.rows for task in _forms(row, runs) for entry in _entries(task, row, runs, titles))
        if entries:
            found.append(Section(table.title, table, entries))
    asked = dict.fromkeys(name for run in runs for name, result in run.tasks.items() if card.row_of(result) is None)
    others = tuple(entry for task in asked for entry in _entries(task, None, runs, titles))
    return (*found, Section(OTHER, None, others)) if others else tuple(found)


def _forms(row: CardRow, runs: Sequence[RunResult]) -> list[str]:
    """Names of the measured tasks that belong in a row: its own first, then other forms of it as they were asked for."""
    other = (name for run in runs for name, result in run.tasks.items() if result.card_row == row.task)
    return list(dict.fromkeys([row.task, *other]))


def _entries(task: str, row: CardRow | None, runs: Sequence[RunResult], titles: Sequence[str]) -> list[Entry]:
    by_protocol: dict[Protocol, dict[int, TaskResult]] = {}
    found = [(i, run.tasks[task]) for i, run in enumerate(runs) if task in run.tasks]
    for i, result in sorted(found, key=lambda one: bool(one[1].measured_by)):  # evalkit's own first, in the runs' order
        protocol = Protocol.of(result)
        if result.measured_by:
            protocol = next((known for known in by_protocol if protocol.counts_alike(known)), protocol)
        by_protocol.setdefault(protocol, {})[i] = result
    if not by_protocol:
        return []
    base = next(iter(by_protocol))
    lead = titles[min(by_protocol[base])]
    label = row.benchmark if row else task
    form = task.removeprefix(row.task).strip("_").replace("_", " ") if row else ""
    return [
        Entry(
            label=label + (f" ({tag})" if (tag := ", ".join(filter(None, (form, _tag(protocol, by_protocol))))) else ""),
            row=row,
            results=tuple(mine.get(i) for i in range(len(runs))),
            differs="" if protocol is base else f"not in one row with {lead}: {'; '.join(protocol.differences(base))}",
        )
        for protocol, mine in by_protocol.items()
    ]


def _tag(protocol: Protocol, variants: Mapping[Protocol, object]) -> str:
    """What tells this row's label from its siblings'; sample rows are named in every row of theirs anyway."""
    if len(variants) == 1:
        return ""
    alike = [p for p in variants if p.program == protocol.program]
    signatures = list(dict.fromkeys(p.signature for p in alike))
    parts = (
        (len({p.version for p in alike}) > 1, f"v{protocol.version}"),
        (len({p.num_fewshot for p in variants}) > 1, f"{protocol.num_fewshot}-shot"),
        (len({p.metric for p in variants}) > 1, protocol.metric),
        (len({p.sample_rows for p in variants}) > 1, "samples" if protocol.sample_rows else "benchmark"),
        (bool(protocol.program) and len(alike) < len(variants), "imported"),
        (len(signatures) > 1, f"signature {signatures.index(protocol.signature) + 1}"),
    )
    return ", ".join(text for told_apart, text in parts if told_apart)
