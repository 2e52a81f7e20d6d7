"""Whether two runs may be compared on a task, and the documents they share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evalkit import stats
from evalkit.compare.pairs import Pairs, not_pairable, pairs
from evalkit.compare.protocol import Protocol
from evalkit.results import TaskResult
from evalkit.store import SavedRun, TaskColumns

PROMPTS_DIFFER = "the prompts differ"
FEW_SHARED = "the runs share fewer than two measured documents"
FEW_RATERS = "one person rated the shared documents, so nothing can be said of other raters"


@dataclass(frozen=True)
class Paired:
    """One task of two runs.

    Attributes:
        pairs: what both measured; None where they cannot be compared, and `reason` says why.
        n: documents they share, as far as that is known.
        notes: what a reader should know: documents left out, prompts that differ.
    """

    pairs: Pairs | None = None
    n: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()


def pair(name: str, base: SavedRun, candidate: SavedRun, any_prompts: bool = False) -> Paired:
    """Pair a task that the base has measured.

    Args:
        any_prompts: also where the models were asked in different words.

    Raises:
        DataError: damaged samples.
    """
    ours, theirs = base.result.tasks[name], candidate.result.tasks.get(name)
    if theirs is None:
        return Paired(reason="the candidate has not measured it")
    if lacking := [who for who, result in (("base", ours), ("candidate", theirs)) if not result.n_docs]:
        return Paired(reason=f"not measured: no rows ({' and '.join(lacking)})")
    reasons = list(_refusals(ours, theirs, base, candidate))
    if not reasons:
        reasons = [
            f"the {who} cannot be paired: {why}"
            for who, run, result in (("base", base, ours), ("candidate", candidate, theirs))
            if (why := not_pairable(run.columns.get(name), result.score))
        ]
    if reasons:
        return Paired(reason="; ".join(reasons))
    columns = [base.columns[name], candidate.columns[name]]
    found = pairs(columns, ours.score)
    if len(found.docs) < 2:
        return Paired(n=len(found.docs), reason=FEW_SHARED)
    if found.rated and len({given.names[rater] for given in found.ratings for rater in given.raters}) < stats.ENOUGH_UNITS:
        return Paired(n=len(found.docs), reason=FEW_RATERS)
    other = _asked_otherwise(found, *columns)
    said = f"{PROMPTS_DIFFER} on {len(other):,} of {len(found.docs):,} shared documents (first: {other[0]})" if other else ""
    if other and not any_prompts:
        return Paired(n=len(found.docs), reason=said)
    dropped = f"{found.dropped:,} documents that only one run measured are left out" if found.dropped else ""
    return Paired(found, len(found.docs), notes=tuple(note for note in (said, dropped) if note))


def _asked_otherwise(found: Pairs, ours: TaskColumns, theirs: TaskColumns) -> list[str]:
    """The shared documents whose prompts differ."""
    if ours.docs == theirs.docs and bool((ours.asked == theirs.asked).all()):
        return []
    return [doc for doc in found.docs if ours.asked[ours.place[doc]] != theirs.asked[theirs.place[doc]]]


def _refusals(ours: TaskResult, theirs: TaskResult, base: SavedRun, candidate: SavedRun) -> Iterable[str]:
    yield from (f"the candidate has {text}" for text in Protocol.of(theirs).differences(Protocol.of(ours)))
    if ours.rows_sha256 and theirs.rows_sha256 and ours.rows_sha256 != theirs.rows_sha256:
        yield f"the runs read different rows (sha256 {ours.rows_sha256[:12]} and {theirs.rows_sha256[:12]})"
    for who, run, result in (("base", base, ours), ("candidate", candidate, theirs)):
        if not run.result.complete and result.score.n < result.n_docs:
            yield f"the {who} is unfinished ({result.score.n:,} of {result.n_docs:,} documents); repeat its command to finish it"
