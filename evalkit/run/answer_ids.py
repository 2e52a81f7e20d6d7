"""Which document a line of answers is about: by its id here, by the benchmark's own key, or by its row in the benchmark's file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalkit.data import Origin
from evalkit.errors import DataError

_SHOWN = 3  # ids that a refusal names
Line = tuple[str, Any]  # (file and line, the id that is there)


def rows_meant(origins: Sequence[Origin], lines: Sequence[Line]) -> list[Origin]:
    """The row that every line of a file of answers is about.

    A document's id (`hi/test/3`) and a key of the benchmark that is no number (`HumanEval/3`) mean one row whatever else is in the
    file. A whole number may be a row of the benchmark's own file, from 0, rows that are not scored included, or a key that is a
    number (IFEval's). All numbers of a file are read alike: as rows or as keys, whichever fits all of them.

    Raises:
        DataError: no row has a name, or it could mean two rows; names the line and the form that tells them from each other.
    """
    return _Names(origins).of(lines)


class _Names:
    def __init__(self, origins: Sequence[Origin]) -> None:
        self._origins = origins
        self._by_id: dict[str, list[Origin]] = {}
        self._by_key: dict[str, list[Origin]] = {}
        self._by_row: dict[int, list[Origin]] = {}
        for origin in origins:
            self._by_row.setdefault(origin.number, []).append(origin)
            for name in {origin.name, origin.doc or origin.name}:
                self._by_id.setdefault(name, []).append(origin)
            if origin.key is not None:
                self._by_key.setdefault(origin.key, []).append(origin)
        self._spans = list(dict.fromkeys(origin.name.rpartition("/")[0] for origin in origins))
        # Rows of several files have the same numbers; in a file with other rows between them, a number may count those or not.
        self._rows_say_enough = len(self._spans) == 1 and all(origin.alone for origin in origins)
        self._rows = max(self._by_row) + 1

    def of(self, lines: Sequence[Line]) -> list[Origin]:
        """The row of every line."""
        numbers: dict[str, tuple[str, int]] = {}
        found: list[list[Origin]] = []
        for where, wanted in lines:
            name = self._name(where, wanted)
            named = _distinct(self._by_id.get(name, []), self._by_key.get(name, []))
            if name.isdecimal() and name not in self._by_id:
                numbers.setdefault(name, (where, int(name)))
            elif not named:
                raise DataError(f"{where}: no document has the id {wanted!r}; {self._help()}")
            found.append(named)
        rows = self._numbered(numbers)
        for place, (where, wanted) in enumerate(lines):
            name = self._name(where, wanted)
            if name in numbers:
                found[place] = rows[name]
            if len(found[place]) > 1:
                raise DataError(f"{where}: id {wanted!r} is the name of {len(found[place])} rows; write {_forms(found[place])}")
        return [one for (one,) in found]

    def _name(self, where: str, wanted: Any) -> str:
        if isinstance(wanted, bool) or not isinstance(wanted, (str, int, float)):
            raise DataError(f"{where}: no document has the id {wanted!r}; {self._help()}")
        return str(int(wanted)) if isinstance(wanted, float) and wanted.is_integer() else str(wanted)

    def _numbered(self, numbers: Mapping[str, tuple[str, int]]) -> dict[str, list[Origin]]:
        """The rows of whole numbers, all read as rows of the file or all as keys; several where both would do and they differ."""
        rows = {name: self._by_row.get(number, []) for name, (_, number) in numbers.items() if number < self._rows}
        keys = {name: self._by_key[name] for name in numbers if name in self._by_key}
        for name, (where, number) in numbers.items():
            if name not in rows and name not in keys:
                keyless = ", and it is no key" if self._by_key else ""
                last = f"the rows of {self._spans[0]} go from 0 to {self._rows - 1}"
                raise DataError(f"{where}: row {number} is out of range{keyless}; {last}")
        as_rows, as_keys = len(rows) == len(numbers), len(keys) == len(numbers)
        for name, (where, number) in numbers.items():
            if not as_rows and not as_keys:
                forms = _forms(_distinct(rows.get(name, []), keys.get(name, [])))
                by_turns = "numbers of this file are rows by their place and by the benchmark's key by turns"
                raise DataError(f"{where}: {by_turns}; for {name} write {forms}")
            if as_rows and not self._rows_say_enough:
                raise DataError(f"{where}: {self._too_little(number)}")
        return {name: _distinct(rows[name] if as_rows else [], keys[name] if as_keys else []) for name in numbers}

    def _too_little(self, number: int) -> str:
        """Why the number of a row does not say which row."""
        if len(self._spans) > 1:
            spans = ", ".join(span.partition("/")[0] for span in self._spans)
            return f"id {number} is a row of every language ({spans}); write {_forms(f'{span}/{number}' for span in self._spans)}"
        return (
            f"id {number} says too little: the file holds rows of other languages or splits too; "
            f"write the row's number among the {self._spans[0]} rows, as {_forms([f'{self._spans[0]}/{number}'])}"
        )

    def _help(self) -> str:
        first = next(origin for origin in self._origins if origin.doc is not None)
        ways = [f"ids look like {first.doc!r}"]
        if first.key is not None:
            ways.append(f"the benchmark's own like {first.key!r}")
        if self._rows_say_enough:
            ways.append(f"the row of the file is a number from 0 to {self._rows - 1}")
        return ", ".join(ways)


def _distinct(*found: Iterable[Origin]) -> list[Origin]:
    return list({origin.name: origin for origins in found for origin in origins}.values())


def _forms(rows: Iterable[Origin | str]) -> str:
    """`"hi/test/5" or "bn/test/5"`: what to write in its place."""
    names = list(dict.fromkeys(row if isinstance(row, str) else row.doc or row.name for row in rows))
    shown = " or ".join(f'"{name}"' for name in names[:_SHOWN])
    return shown + (" or …" if len(names) > _SHOWN else "")
