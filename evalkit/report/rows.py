"""Which measured results may be in one row: same task version, shots, metric, signature and kind of rows.

Scores that another program made (imported ones) are next to ours where task, metric and shots are the same; versions and
signatures of two programs cannot be compared, and a footnote says so.

One task may be in several rows of a card, and in several cards; a row shows its own metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from evalkit.cards import Card, CardRow, CardTable
from evalkit.compare.protocol import Protocol
from evalkit.results import RunResult, TaskResult

OTHER, PLAIN = "Other tasks", "Measured scores"  # of a report with cards, of one without
LONGEST = 48  # letters of a model's name in a table
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a benchmark measured under one protocol.

    Attributes:
        label: as printed, the card's name of the benchmark where it has one; a card may print one label twice.
        results: one per run, in the order of the runs; None where the run has nothing to put here. Their headline is the
            metric that the row shows.
        differs: why this row does not share an earlier row of the same benchmark; empty for the first.
    """

    label: str
    row: CardRow | None
    results: tuple[TaskResult | None, ...]
    differs: str = ""

    @property
    def sample_rows(self) -> bool:
        """Whether something was measured here, on sample rows."""
        return bool(self.measured) and self.first.sample_rows

    @property
    def first(self) -> TaskResult:
        """The result the row is described by: one with rows, evalkit's own, answers made elsewhere last, else the first."""
        results = [result for _, result in self.measured]
        return min(results, key=lambda result: (not result.n_docs, bool(result.measured_by), bool(result.answers_from)))

    @property
    def measured(self) -> tuple[tuple[int, TaskResult], ...]:
        """(index of the run, result) of the runs that have one."""
        return tuple((i, result) for i, result in enumerate(self.results) if result is not None)

    @property
    def measurement(self) -> Key:
        """What was measured: a task by some runs. Equal in every row that it is in, whatever metric the row shows."""
        return self.first.task, tuple(i for i, _ in self.measured)

    @property
    def score(self) -> Key:
        """What is counted once: one metric of one measurement."""
        return *self.measurement, self.first.headline


@dataclass(frozen=True, slots=True)
class Section:
    """The measured rows of one table of a card; card and table are None for tasks that no card has."""

    title: str
    table: CardTable | None
    entries: tuple[Entry, ...]
    card: Card | None = None


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


def sections(runs: Sequence[RunResult], cards: Sequence[Card]) -> tuple[Section, ...]:
    """The measured rows in each card's order, then the other tasks in the order they were asked for."""
    found: list[Section] = []
    titles = names(runs)
    for card in cards:
        for table in card.tables:
            entries = tuple(e for row in table.rows for form, task in _forms(row, runs) for e in _entries(task, row, form, runs, titles))
            if entries:
                found.append(Section(f"{card.heading}: {table.title}" if len(cards) > 1 else table.title, table, entries, card))
    results = [(name, result) for run in runs for name, result in run.tasks.items()]
    asked = dict.fromkeys(name for name, result in results if not any(card.rows_of(result) for card in cards))
    others = tuple(entry for task in asked for entry in _entries(task, None, "", runs, titles))
    return (*found, Section(OTHER if cards else PLAIN, None, others)) if others else tuple(found)


def distinct(found: Sequence[Section], key: Callable[[Entry], Key] = lambda entry: entry.score) -> list[Entry]:
    """Every score once, in its first row, whatever number of rows and cards it is in; labels are made unique.

    Args:
        key: what counts as one; `Entry.measurement` counts a task once, whatever metrics its rows show.
    """
    first: dict[Key, tuple[Section, Entry]] = {}
    for section in found:
        for entry in section.entries:
            first.setdefault(key(entry), (section, entry))
    alike: dict[str, list[tuple[Section, Entry]]] = {}
    for place in first.values():
        alike.setdefault(place[1].label, []).append(place)
    labels = {id(place[1]): label for same in alike.values() for place, label in zip(same, _unlike(same), strict=True)}
    return [replace(entry, label=labels[id(entry)]) for _, entry in first.values()]


def _unlike(same: Sequence[tuple[Section, Entry]]) -> list[str]:
    """Labels for entries of one label: with what tells them from each other, in as few words as will do."""
    labels = [entry.label for _, entry in same]
    ways = (
        ["shots not known" if entry.first.shots is None else f"{entry.first.shots}-shot" for _, entry in same],
        [section.title for section, _ in same],
        [entry.first.headline for _, entry in same],
        [entry.first.task for _, entry in same],
        [f"#{i}" for i in range(1, len(same) + 1)],
    )
    for way in ways:
        if len(set(labels)) < len(labels) and len(set(way)) > 1:
            labels = [f"{label}, {part}" for label, part in zip(labels, way, strict=True)]
    return labels


def _forms(row: CardRow, runs: Sequence[RunResult]) -> list[tuple[str, str]]:
    """(form, task) of the measured tasks that belong in a row: its own first, then other forms as they were asked for."""
    measured = dict.fromkeys(name for run in runs for name in run.tasks)
    found = [(form, name) for name in measured if (form := row.form_of(name)) is not None]
    return sorted(found, key=lambda one: bool(one[0]))


def _entries(task: str, row: CardRow | None, form: str, runs: Sequence[RunResult], titles: Sequence[str]) -> list[Entry]:
    by_protocol: dict[Protocol, dict[int, TaskResult]] = {}
    found = [(i, row.shown(run.tasks[task]) if row else run.tasks[task]) for i, run in enumerate(runs) if task in run.tasks]
    # Evalkit's own first, in the runs' order; results without any rows last, as they contradict nothing.
    for i, result in sorted(found, key=lambda one: (not one[1].n_docs, bool(one[1].measured_by))):
        protocol = Protocol.of(result)
        if not result.n_docs:
            alike = (known for known in by_protocol if (known.metric, known.num_fewshot) == (protocol.metric, protocol.num_fewshot))
            protocol = next(alike, protocol)
        elif result.measured_by:
            protocol = next((known for known in by_protocol if protocol.counts_alike(known)), protocol)
        by_protocol.setdefault(protocol, {})[i] = result
    if not by_protocol:
        return []
    base = next(iter(by_protocol))
    lead = titles[min(by_protocol[base])]
    label = row.label if row else task
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
