"""Any number of runs in one board: averages that hide nothing, ranks that respect uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit import numbers, stats
from evalkit.compare.ranking import Ranked, rank_means, rank_task, stderr_of
from evalkit.compare.shared import Units, terms_of_score, units_of
from evalkit.report.kinds import Kind, split
from evalkit.report.rows import Entry, Key, Section, distinct
from evalkit.report.table import Cell, Column, Footnotes, Table
from evalkit.store import MergedRun, SavedRun, TaskColumns
from evalkit.types import Summary

LEGEND = (
    "Rank: 1 + the models that are better beyond doubt (paired tests on shared documents, Holm over all pairs, alpha 0.05); models that "
    "no test distinguishes share a rank. A score that no other model has gets no rank.",
    "Averages are unweighted means over benchmarks, each score once, with 95% intervals that count documents which benchmarks share "
    "as one, given only where every benchmark was measured; else how many were. The rank of a model is that of its mean of all; where "
    "models lack benchmarks, that of the mean of those that all have, if these are half of all or no model has all.",
)


@dataclass(frozen=True, slots=True)
class Mean:
    """An unweighted mean over benchmarks; no standard error where one of theirs is unknown."""

    value: float
    stderr: float | None

    @classmethod
    def of(cls, scores: Mapping[Key, Summary], terms: Callable[[Key], stats.Terms]) -> Mean:
        """The mean of measured scores; benchmarks that share documents are no independent samples, as their terms say."""
        values = [score.value for score in scores.values() if score.value is not None]
        if any(score.stderr is None for score in scores.values()):
            return cls(stats.mean(values), None)
        stderrs = [stderr_of(score) for score in scores.values()]
        return cls(stats.mean(values), stats.mean_of_scores(values, stderrs, [terms(key) for key in scores]).stderr)


@dataclass(frozen=True)
class Evidence:
    """The samples behind the scores of a board.

    Attributes:
        columns: by score and run; None where a run kept no samples.
        units: which documents of different rows are the same.
    """

    columns: Mapping[Key, Mapping[int, TaskColumns | None]]
    units: Units
    _terms: dict[Key, stats.Terms] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Sequence[Section], runs: Sequence[SavedRun | MergedRun]) -> Evidence:
        columns: dict[Key, Mapping[int, TaskColumns | None]] = {}
        tasks: dict[Hashable, tuple[SavedRun | MergedRun, str]] = {}
        for entry in distinct(found):
            held = {i: runs[i].columns.get(entry.first.task) for i, _ in entry.measured}
            columns[entry.score] = held
            told = next((i for i, own in held.items() if own is not None), None)
            if told is not None:
                tasks[entry.score] = (runs[told], entry.first.task)
        return cls(columns, units_of(tasks))

    def terms(self, key: Key, run: int, score: Summary, language: str | None = None) -> stats.Terms:
        """What each document contributes to the error of a run's score."""
        at = (*key, run, language)
        if at not in self._terms:
            self._terms[at] = terms_of_score(self.columns[key].get(run), score, self.units, key, language=language)
        return self._terms[at]


@dataclass(frozen=True, slots=True)
class Standing:
    """One model on the board. An average is None unless all of its benchmarks were measured; `measured` says how many.

    Attributes:
        run: its index in the order given.
        averages: by the section's place in the report, `all` over everything, `shared` over what every run measured.
        ranks: by score (`Entry.score`); `rank` is the overall one, None without an overall average.
    """

    run: int
    model: str
    averages: Mapping[object, Mean | None]
    measured: Mapping[object, tuple[int, int]]
    ranks: Mapping[Key, int]
    scores: Mapping[Key, Summary]
    rank: int | None = None


ALL, SHARED = "all", "shared"
ENOUGH = 0.5  # of all benchmarks: what all models have, for ranks by its mean where some have more
_UNPAIRED = "ranked in part without pairing: some runs share no documents or kept no samples"


def ranked_rows(found: Sequence[Section], evidence: Evidence) -> dict[Key, Ranked]:
    """Ranks of every measured score, once whatever rows and cards it is in."""
    return {entry.score: rank_task(dict(entry.measured), evidence.columns[entry.score]) for entry in distinct(found)}


def standings(found: Sequence[Section], ranked: Mapping[Key, Ranked], titles: Sequence[str], evidence: Evidence) -> list[Standing]:
    """One per run, best first: by overall rank, then mean; models with gaps follow in the order given."""
    sections = {place: list(dict.fromkeys(entry.score for entry in section.entries)) for place, section in enumerate(found)}
    everything = list(dict.fromkeys(key for keys in sections.values() for key in keys))
    scores = [_scores(found, i) for i in range(len(titles))]
    taking_part = [i for i, mine in enumerate(scores) if mine]
    shared = [key for key in everything if all(key in scores[i] for i in taking_part)]
    groups: dict[object, list[Key]] = {ALL: everything, SHARED: shared}
    groups |= {place: keys for place, keys in sections.items()}
    whole = [i for i, mine in enumerate(scores) if len(mine) == len(everything)]
    # With gaps the rank is that of the mean over what all have, unless that is too little to speak for the rest.
    enough = bool(shared) and (not whole or len(shared) >= ENOUGH * len(everything))
    placed, by = (taking_part, shared) if enough else (whole, everything)
    overall = rank_means(placed, {key: ranked[key] for key in by}, evidence.units) if len(taking_part) > 1 else {}
    over = SHARED if enough else ALL
    board = []
    for i, title in enumerate(titles):
        measured = {name: (sum(key in scores[i] for key in keys), len(keys)) for name, keys in groups.items()}
        averages = {
            name: Mean.of({key: scores[i][key] for key in keys}, lambda key, i=i: evidence.terms(key, i, scores[i][key]))  # type: ignore[misc]
            if keys and measured[name][0] == len(keys)
            else None
            for name, keys in groups.items()
        }
        ranks = {key: row.ranks[i] for key, row in ranked.items() if i in row.ranks}
        board.append(Standing(i, title, averages, measured, ranks, scores[i], overall.get(i)))
    return sorted(board, key=lambda s: (s.rank is None, s.rank or 0, -_height(s.averages[over]), -_height(s.averages[ALL])))


def _height(mean: Mean | None) -> float:
    return mean.value if mean else 0.0


def _scores(found: Sequence[Section], run: int) -> dict[Key, Summary]:
    measured = ((entry.score, entry.results[run]) for section in found for entry in section.entries)
    return {key: result.score for key, result in measured if result is not None and result.score.value is not None}


def leaderboard(found: Sequence[Section], runs: Sequence[SavedRun | MergedRun], titles: Sequence[str]) -> tuple[Table, ...]:
    """The board, every benchmark with its ranks, and averages by language; empty with fewer than two runs."""
    if len(runs) < 2 or not found:
        return ()
    return tuple(table for kind, part in split(found) for table in _of_kind(kind, part, runs, titles))


def _of_kind(kind: Kind, found: Sequence[Section], runs: Sequence[SavedRun | MergedRun], titles: Sequence[str]) -> Iterator[Table]:
    """The tables of the scores that may be ranked together."""
    evidence = Evidence.of(found, runs)
    ranked = ranked_rows(found, evidence)
    board = [standing for standing in standings(found, ranked, titles, evidence) if standing.scores]
    entries = distinct(found)
    for table in (_board(found, board), _benchmarks(entries, ranked, board), _languages(entries, board, evidence)):
        if table.rows and (table.name != "ranks" or len(board) > 1):
            yield replace(table, title=f"{table.title}{kind.said}")


def _board(found: Sequence[Section], board: Sequence[Standing]) -> Table:
    shared = board[0].measured[SHARED][1]
    heads: dict[object, str] = {ALL: "Mean of all"}
    if 0 < shared < board[0].measured[ALL][1]:
        heads[SHARED] = f"Mean of {shared} that all have"
    heads |= {place: section.title for place, section in enumerate(found) if len(found) > 1}
    columns = (Column("Rank"), Column("Model", "left", key=True), *(Column(head, ours=True) for head in heads.values()))
    rows = tuple(
        (Cell(str(s.rank or "–")), Cell(s.model), *(Cell(_average(s.averages[name], s.measured[name])) for name in heads)) for s in board
    )
    return Table("Leaderboard", columns, rows, name="leaderboard")


def _average(mean: Mean | None, measured: tuple[int, int]) -> str:
    return numbers.estimate(mean.value, mean.stderr) if mean else f"{measured[0]} of {measured[1]} measured"


def _benchmarks(entries: Sequence[Entry], ranked: Mapping[Key, Ranked], board: Sequence[Standing]) -> Table:
    notes = Footnotes()
    columns = (Column("Benchmark", "left", key=True), Column("Metric", "left"), *(Column(s.model, ours=True) for s in board))
    rows = []
    for entry in entries:
        mark = notes.mark(entry.differs, _UNPAIRED if ranked[entry.score].unpaired else "")
        alone = len(ranked[entry.score].ranks) < 2
        rows.append((Cell(entry.label, mark), Cell(entry.first.headline), *(Cell(_placed(s, entry.score, alone)) for s in board)))
    return Table("Benchmarks, score and rank", columns, tuple(rows), notes.listed(), name="ranks")


def _placed(standing: Standing, key: Key, alone: bool) -> str:
    """The score and its rank; no rank where there is no other score."""
    found = standing.scores.get(key)
    if found is None:
        return numbers.NOT_MEASURED
    return numbers.score(found.value) + ("" if alone else f" #{standing.ranks[key]}")


def _languages(entries: Sequence[Entry], board: Sequence[Standing], evidence: Evidence) -> Table:
    """Mean over the benchmarks that have the language; a model that lacks one of them has no mean."""
    by_language: dict[str, list[Entry]] = {}
    for entry in entries:
        for language in dict.fromkeys(name for _, result in entry.measured for name in result.score.groups if _is_language(name)):
            by_language.setdefault(language, []).append(entry)
    columns = (Column("Language", "left", key=True), Column("Benchmarks"), *(Column(s.model, ours=True) for s in board))
    rows = [
        (Cell(language), Cell(str(len(having))), *(Cell(_of_language(s, language, having, evidence)) for s in board))
        for language, having in sorted(by_language.items())
    ]
    return Table("Mean by language", columns, tuple(rows), name="languages")


def _of_language(standing: Standing, language: str, entries: Sequence[Entry], evidence: Evidence) -> str:
    whole = {entry.score: result.score for entry in entries if (result := entry.results[standing.run]) is not None}
    groups = {key: score.groups.get(language) for key, score in whole.items()}
    scores = {key: group for key, group in groups.items() if group is not None and group.value is not None}
    if len(scores) < len(entries):
        return _average(None, (len(scores), len(entries)))
    mean = Mean.of(scores, lambda key: evidence.terms(key, standing.run, whole[key], language))
    return _average(mean, (len(scores), len(entries)))


def _is_language(name: str) -> bool:
    """Languages are keyed by ISO 639 codes (2 or 3 letters), subjects by words."""
    return len(name) <= 3 and name.isalpha() and name.islower()
