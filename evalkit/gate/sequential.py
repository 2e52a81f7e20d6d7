"""A gate that stops when it knows: the tests are made at every look, at levels that allow for looking.

Each row is tested for a pass and for a regression at ten looks, after a tenth of its documents each time. A look's level is what
a spending function leaves for it (`stats.spending`), so that the chance of a wrong pass at any look is alpha, and that of any
wrong regression too: the latter is shared out equally over the rows that count, since Holm's steps do not survive looking.
A decision that was made stays. The mean is tested as long as all required tasks have come equally far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import msgspec

from evalkit.compare.paired import FEW_SHARED
from evalkit.gate.decision import MEAN, Decision, Levels, Row, decide
from evalkit.gate.policy import Policy
from evalkit.stats.spending import nominal_levels
from evalkit.store import SavedRun

LOOKS = 10
_levels = lru_cache(maxsize=64)(lambda fractions, alpha: tuple(nominal_levels(fractions, alpha)))


def fractions(looks: int = LOOKS) -> tuple[float, ...]:
    """Equal steps up to everything."""
    return tuple((i + 1) / looks for i in range(looks))


@dataclass
class Watch:
    """What is decided so far.

    Attributes:
        settled: rows whose decision is certain, by task; they are not looked at again.
        active: tasks of which more documents are needed.
    """

    base: SavedRun
    policy: Policy
    looks: int = LOOKS
    settled: dict[str, Row] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    decision: Decision | None = None

    def __post_init__(self) -> None:
        self.active = set(self.tasks)

    @property
    def tasks(self) -> list[str]:
        """The base's tasks that the policy speaks of."""
        return [name for name in self.base.result.tasks if self.policy.tier(name)]

    def look(self, place: int, candidate: SavedRun) -> bool:
        """Test what is there at look `place` (from 0), with the share `fractions()[place]` of every active task's documents.

        Returns:
            Whether it is over: everything is decided, a regression is certain, or the documents are used up.
        """
        counting = [name for name in self.tasks if self.policy.tier(name) != "advisory"]
        required = [name for name in counting if self.policy.tier(name) == "required"]
        family = len(counting) + (len(required) > 1)
        shares = fractions(self.looks)
        levels = Levels(_levels(shares, self.policy.alpha)[place], _levels(shares, self.policy.alpha / family)[place])
        found = decide(self.base, candidate, msgspec.structs.replace(self.policy, documents="shared"), levels)
        for row in found.rows:
            looked_at = row.task in self.active or (row.task == MEAN and self.active.issuperset(required))
            if looked_at and row.task not in self.settled and row.outcome in ("pass", "regression"):
                self.settled[row.task] = replace(row, reason=f"{row.reason}; at look {place + 1} of {self.looks}")
        rows = tuple(self.settled.get(row.task, row) for row in found.tasks)
        mean = self.settled.get(MEAN, found.mean) if found.mean else None
        self.decision = replace(found, tasks=rows, mean=mean, warnings=tuple(line for line in found.warnings if "limit=" not in line))
        open_rows = [row for row in self.decision.rows if row.tier != "advisory" and row.task not in self.settled]
        refused = any(row.outcome == "cannot compare" and row.reason != FEW_SHARED for row in self.decision.rows if row.tier != "advisory")
        if self.decision.outcome == "regression" or refused or not open_rows or place + 1 == self.looks:
            self.active = set()
            return True
        undecided = {row.task for row in open_rows} - {MEAN}
        lockstep = set(required) if any(row.task == MEAN for row in open_rows) else set()
        advisory = set(self.tasks) - set(counting)
        self.active = undecided | lockstep | advisory
        return False


def first(docs: Sequence[object], place: int, looks: int = LOOKS) -> int:
    """How many of a task's documents a look has."""
    return min(len(docs), max(2, round(len(docs) * fractions(looks)[place])))
